"""Which samples flipped: those that two models of one workload give different classes, and how surely.

"Broken" are samples only the first got right, "mended" those only the second got right; the others were
wrong before and are wrong after, in another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from workbench.comparison.classes import ClassChange, by_class
from workbench.comparison.side import Side
from workbench.errors import WorkbenchError
from workbench.job import Job, Progress, Steps, forward
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.pairing import Paired, paired

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.data import Batches
    from workbench.workload import Workload

BROKEN, MENDED, OTHERWISE = "broken", "mended", "otherwise"
KINDS = {BROKEN: "broken", MENDED: "mended", OTHERWISE: "changed but wrong"}  # in words
_originals: WeakKeyDictionary[Workload, dict[str, tuple[Evaluation, _Was]]] = WeakKeyDictionary()
_MOST_BYTES = 20_000_000  # of inputs that are kept to be looked at


@dataclass(frozen=True)
class Flip:
    """One sample whose prediction changed.

    Attributes:
        index: its place in the split, from 0.
        label, before, after: class numbers: the right one, and what the two models say.
        before_share, after_share: the probability each model gives its own answer.
        sureness: how surely it flipped: the probability the second model gives its own answer, less what it
            gives the first one's; 0 is a toss-up.
    """

    index: int
    label: int
    before: int
    after: int
    before_share: float
    after_share: float
    sureness: float

    @property
    def kind(self) -> str:
        """`broken`, `mended` or `otherwise`."""
        if self.before == self.label:
            return BROKEN
        return MENDED if self.after == self.label else OTHERWISE


@dataclass(frozen=True, eq=False)
class Flips:
    """The samples of a split on which two models differ, the surest first.

    Attributes:
        before, after: the names of the two. split: which data, "test" where there are any.
        evaluations: of the two, on all samples of the split.
        names: of the classes; empty where the workload has none.
        inputs: of the flips, by index, one sample each without the batch dimension; those that fit in 20 MB.
    """

    before: str
    after: str
    split: str
    evaluations: tuple[Evaluation, Evaluation]
    flips: tuple[Flip, ...]
    names: tuple[str, ...] = ()
    inputs: Mapping[int, Any] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> int:
        """Samples both were judged on."""
        return self.evaluations[0].n

    @cached_property
    def paired(self) -> Paired:
        """The paired test on all samples of the split."""
        return paired(*self.evaluations)

    @cached_property
    def classes(self) -> tuple[ClassChange, ...]:
        """Precision and recall of each class, before and after."""
        return by_class(*self.evaluations, self.names)

    def of(self, kind: str = "", label: int | None = None) -> tuple[Flip, ...]:
        """The flips of a kind, and of a label."""
        return tuple(
            each
            for each in self.flips
            if (not kind or each.kind == kind) and (label is None or each.label == label)
        )

    def count(self, kind: str) -> int:
        """How many flips of a kind there are."""
        return sum(each.kind == kind for each in self.flips)

    def name(self, number: int) -> str:
        """A class in words."""
        return self.names[number] if number < len(self.names) else str(number)

    @property
    def sentence(self) -> str:
        """`12 of 360 test samples flipped from original to v3: 7 broken, 3 mended, 2 changed but wrong.`"""
        head = f"of {self.n:,} {self.split} samples"
        if not self.flips:
            return f"No prediction {head} changed from {self.before} to {self.after}."
        parts = ", ".join(f"{self.count(kind):,} {words}" for kind, words in KINDS.items())
        return f"{len(self.flips):,} {head} flipped from {self.before} to {self.after}: {parts}."

    def table(self) -> list[dict[str, Any]]:
        """One row a flip, for a data frame."""
        return [
            {
                "index": each.index,
                "kind": each.kind,
                "label": self.name(each.label),
                "before": self.name(each.before),
                "after": self.name(each.after),
                "before_share": each.before_share,
                "after_share": each.after_share,
                "sureness": each.sureness,
            }
            for each in self.flips
        ]

    def __repr__(self) -> str:
        return f"<Flips: {self.sentence}>"


def judged_split(work: Workload, split: str | None = None) -> str:
    """The data that flips are looked for in: the test data, the validation data where there are none.

    Raises:
        WorkbenchError: there are no classes, or neither test nor validation data; the line says what to give.
    """
    if not work.is_classification:
        raise WorkbenchError(
            f"samples flip between classes, and {work.name} predicts numbers: the inspector needs a "
            "classifier (one whole-number label a sample); compare losses and metrics instead"
        )
    found = split or next((each for each in ("test", "validation") if getattr(work, each) is not None), None)
    if found is None:
        raise WorkbenchError(
            f"{work.name} has no test or validation data to judge by; give them: Workload(net, test=loader)"
        )
    work.split(found)
    return found


def flips(work: Workload, before: Any = None, after: Any = None, split: str | None = None) -> Flips:
    """The samples that flipped from one model to another.

    Args:
        before, after: the original (None), a version or its name, or any model.
        split: the test data where not given; the validation data where there are no test data.

    Raises:
        WorkbenchError: one line that says what is missing.
    """
    return Job(lambda: flipping(work, before, after, split), threads=work.threads).run()


def flipping(work: Workload, before: Any = None, after: Any = None, split: str | None = None) -> Steps[Flips]:
    """The generator behind `flips`: one reading of the data for each of the two.

    Raises:
        Stopped: at any moment; half the samples are none.
    """
    split = judged_split(work, split)
    first, second = Side.of(work, before), Side.of(work, after)
    data = work.split(split)
    a, was = yield from _before(first, split)
    seen = _Seen(data, was)
    b = yield from _whole(
        evaluating(work, second.model, split, data=seen.batches, saw=seen), second.name, 0.5
    )
    paired(a, b)  # refuses data that come in another order at the second reading
    found = tuple(sorted(seen.flips(a), key=lambda each: (-each.sureness, each.index)))
    return Flips(first.name, second.name, split, (a, b), found, work.classes or (), seen.inputs)


def _before(side: Side, split: str) -> Steps[tuple[Evaluation, _Was]]:
    """What the first model says; the original's words are kept, since everything is compared with it."""
    kept = _originals.setdefault(side.work, {})
    if side.model is None and split in kept:
        return kept[split]
    was = _Was()
    said = yield from _whole(evaluating(side.work, side.model, split, saw=was), side.name, 0.0)
    if side.model is None:
        kept[split] = (said, was)
    return said, was


def _whole(steps: Steps[Evaluation], name: str, start: float) -> Steps[Evaluation]:
    """An evaluation of all samples, its progress a half of the whole.

    Raises:
        Stopped: it was stopped; part of the samples cannot be compared.
    """
    from workbench.job import Stopped

    def scaled(progress: Progress) -> Progress:
        return Progress(start + 0.5 * (progress.fraction or 0.0), 1, f"{name}: {progress.message}")

    found, was_stopped = yield from forward(steps, scaled)
    if was_stopped:
        raise Stopped
    return found


def probabilities(outputs: Tensor) -> Tensor:
    """What a classifier's outputs say, shape (n, classes); left as they are where they are shares already."""
    import torch

    values = outputs.detach().float().cpu()
    sums = values.sum(1)
    if bool((values >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return values
    return values.softmax(1)


class _Was:
    """What the first model says, batch by batch: its class and the probability of it."""

    def __init__(self) -> None:
        self.classes: list[Tensor] = []
        self.shares: list[Tensor] = []

    def __call__(self, outputs: Any) -> None:
        # the class as `evaluating` takes it, from the outputs: rounding of the shares could make a tie
        classes = outputs.argmax(1).cpu()
        self.classes.append(classes)
        self.shares.append(probabilities(outputs).gather(1, classes[:, None])[:, 0])


class _Seen:
    """What the second model says where it differs from the first, with the inputs."""

    def __init__(self, data: Batches, was: _Was) -> None:
        from workbench.data import Batches

        self.inputs: dict[int, Any] = {}
        self.batches = Batches(lambda _: self._read(data), data.n, data.kind)
        self._was = was
        self._batch = -1
        self._offset = 0
        self._current: Any = None
        self._found: list[tuple[int, int, int, float, float, float]] = []
        self._bytes = 0

    def __call__(self, outputs: Any) -> None:
        after = outputs.argmax(1).cpu()
        if self._batch >= len(self._was.classes) or len(after) != len(self._was.classes[self._batch]):
            self._offset += len(after)
            return  # another number of samples than at the first reading: `paired` says so
        before, share = self._was.classes[self._batch], self._was.shares[self._batch]
        flipped = (before != after).nonzero()[:, 0]
        if len(flipped):
            shares = probabilities(outputs[flipped.to(outputs.device)])
            for row, place in zip(shares, flipped.tolist(), strict=True):
                old, new = int(before[place]), int(after[place])
                sure = float(row[new] - row[old])
                index = self._offset + place
                self._found.append((index, old, new, float(share[place]), float(row[new]), sure))
                self._keep(index, place)
        self._offset += len(after)

    def flips(self, judged: Evaluation) -> Iterator[Flip]:
        """The flips, with the labels of the first evaluation."""
        assert judged.targets is not None
        for index, old, new, was, now, sure in self._found:
            yield Flip(index, int(judged.targets[index]), old, new, was, now, max(0.0, sure))

    def _read(self, data: Batches) -> Iterator[tuple[Any, Any]]:
        for inputs, targets in data:
            self._batch += 1
            self._current = inputs
            yield inputs, targets

    def _keep(self, index: int, place: int) -> None:
        """Keep a sample to be looked at, while there is room."""
        from workbench.data import mapped, slices

        sizes: list[int] = []
        sample = slices(self._current, place)
        mapped(lambda each: sizes.append(each.numel() * each.element_size()), sample)
        if self._bytes + sum(sizes) <= _MOST_BYTES:
            self._bytes += sum(sizes)
            self.inputs[index] = mapped(lambda each: each.detach().cpu().clone(), sample)
