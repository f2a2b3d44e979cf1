"""What checks try out: a recipe applied to a workload without measuring everything, and its accuracy."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.measurement.accuracy import Evaluation
    from workbench.recipe import Recipe
    from workbench.technique import Technique
    from workbench.versions import Version
    from workbench.workload import Workload


@lru_cache(maxsize=4)
def example(name: str) -> Workload:
    """An example as the package ships it, so that a check gives the same verdict wherever it runs.

    Treat it as immutable: the checks of a session share it.
    """
    from workbench import examples
    from workbench.randomness import isolated_random

    with isolated_random(0):  # a net draws its first weights before it gets the trained ones
        return examples.load(name, data="subset")


def candidate(work: Workload, recipe: Recipe | Technique | str, seed: int = 0) -> Candidate:
    """What a recipe makes of a workload's model: the same weights as `compress` with the same seed."""
    from workbench.run import apply

    return apply(work, recipe, seed)


def version(work: Workload, recipe: Recipe | Technique | str, seed: int = 0) -> Version:
    """The version a recipe makes, measured but not timed, and kept nowhere."""
    from workbench.run import compress
    from workbench.versions import VersionTree

    return compress(work, recipe, seed, tree=VersionTree(None, work), runtimes=())


def evaluation(
    work: Workload, recipe: Recipe | Technique | str | None = None, split: str = "validation"
) -> Evaluation:
    """How good the model is on a split after a recipe, or as it is without one."""
    return judged(work, None if recipe is None else candidate(work, recipe), split)


def judged(work: Workload, model: Any = None, split: str = "validation") -> Evaluation:
    """How good a candidate or a version is on a split; the global random numbers stay as they were."""
    from workbench.job import finish
    from workbench.measurement.accuracy import evaluating
    from workbench.randomness import isolated_random

    with isolated_random(0):  # reading a loader draws a number
        return finish(evaluating(work, model, split))


@lru_cache(maxsize=64)
def right(name: str, recipe: str) -> float:
    """How many of 100 validation samples an example gets right after a recipe; kept, since some train."""
    accuracy = evaluation(example(name), recipe or None).accuracy
    assert accuracy is not None, "an example is a classification"
    return round(100 * accuracy.value, 6)


def packed_bytes(work: Workload, recipe: Recipe | Technique | str) -> int:
    """The length of the file of what a recipe makes."""
    from workbench.storage import pack

    return len(pack(candidate(work, recipe), original=work.baseline))


def zeros(made: Candidate) -> float:
    """The share of zeros among the weights of the layers."""
    from workbench.layers import weights

    found = [each.parameter for each in weights(made.model)]
    return sum(int((each == 0).sum()) for each in found) / sum(each.numel() for each in found)


def points_lost(work: Workload, recipe: Recipe | Technique | str) -> float:
    """How many points of validation accuracy a recipe costs: 1.0 is a hundredth of the samples."""
    before, after = evaluation(work).accuracy, evaluation(work, recipe).accuracy
    assert before is not None and after is not None, "an example is a classification"
    return round(100 * (before.value - after.value), 6)  # a loss of exactly a point is no more than a point
