"""What a criterion is: scores for weights as they stand, and scores gathered while they train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.workload import Workload


@dataclass(frozen=True, eq=False)
class Look:
    """What a criterion may look at to learn about the weights named.

    Attributes:
        work: whose training data, loss and call are used.
        samples: training samples to look at, at most.
        seed: which samples, and which random numbers.
        seconds: how long it may take, for a preview; None without a limit.
    """

    candidate: Candidate
    work: Workload
    names: tuple[str, ...]
    samples: int = 512
    seed: int = 0
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Known:
    """What was learned about weights, as tensors of their shapes by name, and what is to be said about it."""

    by_name: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Gathering:
    """A criterion in one training: told of every step, asked for the scores of the moment."""

    def __init__(self, criterion: Criterion, known: Mapping[str, Tensor]) -> None:
        self._criterion = criterion
        self._known = dict(known)

    def observe(self, weights: Mapping[str, Tensor]) -> None:
        """A step's free weights by name, with their gradients."""

    def scores(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The importance of each of these weights now."""
        return {
            name: self._criterion.score(weight, self._known.get(name)) for name, weight in weights.items()
        }


class Criterion:
    """A rule that scores single weights; low scores go first. Subclasses stand alone in a file each."""

    needs_data: ClassVar[bool] = False

    def known(self, look: Look) -> Known:
        """What must be found out before weights can be scored."""
        return Known()

    def score(self, weight: Tensor, known: Tensor | None) -> Tensor:
        """The importance of every weight of a tensor; same shape."""
        raise NotImplementedError

    def gathering(self, known: Mapping[str, Tensor]) -> Gathering:
        """The criterion for one training, which starts from what was known before."""
        return Gathering(self, known)
