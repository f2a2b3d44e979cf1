"""What a student minimizes: terms of knowledge, each with its weight, and the data's own labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from workbench.algorithms.distillation.adaptors import Adaptor, fit
from workbench.algorithms.distillation.losses import KINDS, LABELS
from workbench.algorithms.distillation.losses.attention import attention
from workbench.algorithms.distillation.losses.cosine import cosine
from workbench.algorithms.distillation.losses.decoupled import decoupled
from workbench.algorithms.distillation.losses.features import features
from workbench.algorithms.distillation.losses.outputs import outputs as same_outputs
from workbench.algorithms.distillation.losses.relations import relations
from workbench.algorithms.distillation.losses.soft_targets import soft_targets
from workbench.algorithms.distillation.matching import Pair
from workbench.algorithms.distillation.taps import Taps
from workbench.algorithms.distillation.teachers import Taught
from workbench.errors import WorkloadError
from workbench.training import Moment, Objective

if TYPE_CHECKING:
    from workbench.algorithms.distillation.cache import Cache
    from workbench.workload import Workload

_RELATED = 64  # samples of a batch whose relations are compared: angles take their third power


@dataclass(frozen=True)
class Settings:
    """The figures of the losses: temperature of soft targets, weight of wrong classes where decoupled."""

    temperature: float = 4.0
    others: float = 8.0


class Knowledge(Objective):
    """The weighted sum of terms.

    Args:
        work: whose loss the labels' term is.
        teacher: answers for a batch, from its cache where it can.
        weights: by term: names of `losses.KINDS`, and "labels".
        layers: the pairs of layers for terms about features.
        seed: adaptors begin from it.

    Raises:
        WorkloadError: terms that do not go with the work (soft targets without classes), or features that no
            adaptor fits.
    """

    def __init__(
        self,
        work: Workload,
        teacher: Cache,
        weights: Mapping[str, float],
        settings: Settings,
        layers: Sequence[Pair] = (),
        seed: int = 0,
    ) -> None:
        self._work, self._teacher, self._settings = work, teacher, settings
        self._weights = {name: weight for name, weight in weights.items() if weight}
        self._layers = tuple(layers)
        self._watched: Taps | None = None
        check_terms(self._weights, self._layers, work)
        is_adapted = any(KINDS[name].is_adapted for name in self._weights if name in KINDS)
        self._adaptors = [
            Adaptor(each.student, each.teacher, seed + index, work.device)
            for index, each in enumerate(self._layers if is_adapted else ())
        ]

    @property
    def note(self) -> str:
        """How the teacher was asked; said when training is over."""
        return self._teacher.note

    def parameters(self) -> list[Tensor]:
        """The adaptors."""
        return [each.weight for each in self._adaptors]

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """The student's layers are looked at; afterwards the teacher's answers are let go."""
        try:
            with Taps(model, [each.student.path for each in self._layers]) as self._watched:
                yield
        finally:
            self._watched = None
            self._teacher.close()

    def __call__(
        self, outputs: Any, inputs: Any, targets: Any, moment: Moment
    ) -> tuple[Tensor, dict[str, float]]:
        """The weighted sum, and each term as it is before its weight."""
        taught = self._teacher(inputs, moment.epoch)
        total: Tensor | None = None
        terms = {}
        for name, weight in self._weights.items():
            value = self._term(name, outputs, targets, taught)
            terms[name] = float(value.detach())
            total = weight * value if total is None else total + weight * value
        assert total is not None, "check_terms refuses an objective without terms"
        return total, terms

    def _term(self, name: str, outputs: Any, targets: Any, taught: Taught) -> Tensor:
        if name == LABELS:
            return self._work.loss(outputs, targets)
        if KINDS[name].of == "features":
            return self._of_features(name, taught)
        theirs = taught.outputs.to(outputs.device)
        if name == "soft_targets":
            return soft_targets(outputs, theirs, self._settings.temperature)
        if name == "decoupled":
            targets = targets.to(outputs.device)
            return decoupled(outputs, theirs, targets, self._settings.temperature, self._settings.others)
        return same_outputs(outputs, theirs)

    def _of_features(self, name: str, taught: Taught) -> Tensor:
        """The mean over pairs of layers; relations are about the last pair only, as attention is of maps."""
        assert self._watched is not None, "training calls the objective while it watches"
        chosen = list(range(len(self._layers)))
        if name == "relations":
            chosen = chosen[-1:]
        elif name == "attention":
            chosen = [index for index in chosen if self._layers[index].student.positions]
        values = []
        for index in chosen:
            pair = self._layers[index]
            ours = self._watched.seen[pair.student.path].float()
            theirs = taught.features[pair.teacher.path].to(ours)
            values.append(self._between(name, index, pair, ours, theirs))
        return sum(values[1:], values[0]) / len(values)

    def _between(self, name: str, index: int, pair: Pair, ours: Tensor, theirs: Tensor) -> Tensor:
        if name == "relations":
            return relations(pooled(ours, pair.student.channel_dim), pooled(theirs, pair.teacher.channel_dim))
        if name == "attention":
            return attention(fit(ours, pair.student), fit(theirs, pair.teacher))
        loss: Callable[[Tensor, Tensor], Tensor] = features if name == "features" else cosine
        return loss(*self._adaptors[index](ours, theirs))


def pooled(values: Tensor, channel_dim: int) -> Tensor:
    """One vector for each of the first samples: the mean over positions."""
    values = values[:_RELATED]
    return values if values.ndim == 2 else values.movedim(channel_dim, 1).flatten(2).mean(2)


def check_terms(weights: Mapping[str, float], layers: Sequence[Pair], work: Workload) -> None:
    """Refuse terms that have nothing to work on.

    Raises:
        WorkloadError: one line with the term and what it needs.
    """
    if not any(weights.values()):
        raise WorkloadError("nothing to learn from: every term has weight 0; give one of them more")
    for name in weights:
        kind = KINDS.get(name)
        if kind is None:
            continue
        if kind.needs_classes and not _gives_logits(work):
            raise WorkloadError(
                f"{name} needs a model that gives scores of classes; for other outputs use loss='outputs'"
            )
        if name == "decoupled" and not work.is_classification:
            raise WorkloadError("decoupled needs one class for each sample; use loss='soft_targets'")
        if name == "attention" and not any(each.student.positions for each in layers):
            raise WorkloadError(
                "attention needs layers that give maps, and these give vectors; use loss='features'"
            )
        if name == "outputs" and work.outputs is not None and not isinstance(work.outputs, Tensor):
            raise WorkloadError("outputs needs a model that gives one tensor; use loss='features'")


def _gives_logits(work: Workload) -> bool:
    """Scores of classes: one label a sample, or whole-number labels at every position."""
    if work.is_classification:
        return True
    outputs = work.outputs
    if not isinstance(outputs, Tensor) or outputs.ndim < 2 or outputs.shape[1] < 2 or work.train is None:
        return False
    targets = work.train.first("train")[1]
    return isinstance(targets, Tensor) and not targets.is_floating_point()
