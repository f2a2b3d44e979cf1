"""Train the compressed model on, under whatever constraints it has."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.candidate import Candidate


class FineTune(Technique, family="training", flag="--epochs", trains=True):
    """Train on, with zeros staying zero and weights staying on their grids.

    After pruning this wins accuracy back; after rounding it is quantization-aware training. The weights
    that did best on the validation data are kept, those before training included.

    With `freeze` it is transfer learning: the layers named keep what they learned elsewhere, and the same net
    is adjusted to this data. Distillation is something else: there a net learns from another net, which stays
    as it is and whose weights it does not take over; see `Distill`.
    """

    epochs: int = option(2, "passes over the training data", low=1, high=1000, step=1, unit="epochs")
    learning_rate: float = option(1e-3, "step size at the start", above=0, high=10, log=True)
    decay: str = option(
        "cosine", "how the step size falls over the epochs", choices=("cosine", "constant"), advanced=True
    )
    optimizer: str = option("adam", "how steps are taken", choices=("adam", "sgd"), advanced=True)
    weight_decay: float = option(0.0, "pull of the weights toward zero", low=0, high=1, advanced=True)
    freeze: tuple[str, ...] = option(
        (), "layers that stay as they are, with all inside them", role="leave", advanced=True
    )
    patience: int | None = option(
        None,
        "epochs without a gain on the validation data after which it ends",
        low=1,
        high=1000,
        advanced=True,
    )

    def apply(
        self, candidate: Candidate, context: Context, prepared: Any
    ) -> Generator[Progress, None, Candidate]:
        """The candidate with the best weights seen; a stop keeps the best so far."""
        from workbench.training import Training
        from workbench.training.freezing import Frozen, frozen, thawed

        training = Training(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            decay=self.decay,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
            patience=self.patience,
        )
        if not self.freeze:
            return (yield from training.steps(candidate, context.work, seed=context.seed))
        start, objective = frozen(candidate, self.freeze), Frozen(context.work, self.freeze)
        result = yield from training.steps(start, context.work, context.seed, objective)
        return thawed(result, candidate)
