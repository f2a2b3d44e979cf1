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
    """

    epochs: int = option(2, "passes over the training data", low=1, high=1000, step=1, unit="epochs")
    learning_rate: float = option(1e-3, "step size at the start", above=0, high=10, log=True)
    decay: str = option(
        "cosine", "how the step size falls over the epochs", choices=("cosine", "constant"), advanced=True
    )
    optimizer: str = option("adam", "how steps are taken", choices=("adam", "sgd"), advanced=True)
    weight_decay: float = option(0.0, "pull of the weights toward zero", low=0, high=1, advanced=True)

    def apply(
        self, candidate: Candidate, context: Context, prepared: Any
    ) -> Generator[Progress, None, Candidate]:
        """The candidate with the best weights seen; a stop keeps the best so far."""
        from workbench.training import Training

        training = Training(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            decay=self.decay,
            optimizer=self.optimizer,
            weight_decay=self.weight_decay,
        )
        return (yield from training.steps(candidate, context.work, seed=context.seed))
