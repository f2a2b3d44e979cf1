"""What each step of a recipe promised, and how much of it still stands after the later ones.

A promise is read off what a step did: zeros under masks, a pattern in them, bits, shared values, rounded
activations, fewer parameters. Later steps are held to it by what their candidate really has, constraint by
constraint and shape by shape; what they say in their notes is not believed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.candidate import Candidate
    from workbench.technique import Technique

ZEROS, PATTERN, BITS, VALUES, ACTIVATIONS, PARAMETERS = KINDS = (
    "zeros",
    "pattern",
    "bits",
    "values",
    "activations",
    "parameters",
)
_WHOLE = 1 - 1e-9

Part = tuple[str, int, float]  # a parameter or place, its size, and what was promised of it


@dataclass(frozen=True)
class Promise:
    """One promise of one step.

    Attributes:
        by: the step's text.
        kind: one of `KINDS`.
        text: the promise in words: `90.0 % zeros`, `4 bits`.
        kept: the share of it that stands, from 0 to 1.
        parts: what it is about: name, size and amount (zeros, bits) of each parameter.
        is_due: the training that follows is to fulfil it.
    """

    by: str
    kind: str
    text: str
    kept: float = 1.0
    parts: tuple[Part, ...] = ()
    is_due: bool = False

    @property
    def technique(self) -> str:
        """The name of the technique that made it."""
        return self.by.partition("(")[0]

    def __str__(self) -> str:
        if self.is_due:
            return f"{self.text} ({self.technique}) due in training"
        rest = "" if self.kept >= _WHOLE else f", {_floored(self.kept)} of it stands"
        return f"{self.text} ({self.technique}){rest}"

    def to_dict(self) -> dict[str, Any]:
        """The promise as plain data, for JSON."""
        return {**dataclasses.asdict(self), "parts": [list(part) for part in self.parts]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Promise:
        """The promise `to_dict` wrote."""
        return cls(**{**data, "parts": tuple((str(n), int(s), float(a)) for n, s, a in data["parts"])})


def line(promises: Sequence[Promise]) -> str:
    """`keeps 90.0 % zeros (PruneWeights) · 4 bits (Quantize), 50.0 % of it stands`; empty without any."""
    return f"keeps {' · '.join(map(str, promises))}" if promises else ""


def standing(
    step: Technique, before: Candidate, after: Candidate, earlier: Sequence[Promise]
) -> tuple[Promise, ...]:
    """What stands of earlier promises after a step, and those the step made itself."""
    held = tuple(_held(each, after) for each in earlier)
    return held if step.trains else (*held, *_made(step, before, after))


def _made(step: Technique, before: Candidate, after: Candidate) -> Iterator[Promise]:
    """The promises of a step, read off what it changed."""
    from workbench.constraints import Codebook, Mask
    from workbench.measurement.compute import parameters
    from workbench.measurement.size import bits

    new = {
        name: [each for each in chain if not _is_carried(each, before.constraints.get(name, ()))]
        for name, chain in after.constraints.items()
    }
    sizes = {name: each.numel() for name, each in after.model.named_parameters()}
    masks = {name: each for name, chain in new.items() for each in chain if isinstance(each, Mask)}
    zeros = [(name, sizes[name], float((~each.keep).sum())) for name, each in masks.items()]
    if sum(amount for _, _, amount in zeros):
        yield _of_zeros(str(step), zeros)
        if pattern := _pattern_of(step):
            yield Promise(str(step), PATTERN, f"{pattern} pattern", parts=tuple(zeros))
    books = {name: each for name, chain in new.items() for each in chain if isinstance(each, Codebook)}
    if books:
        parts = [(name, sizes[name], float(len(each.values))) for name, each in books.items()]
        yield Promise(str(step), VALUES, _up_to(parts, "values"), parts=tuple(parts))
    grids = [n for n, chain in new.items() if any(hasattr(c, "bits") for c in chain) and n not in books]
    if grids:
        parts = [(name, sizes[name], float(bits(after, name))) for name in grids]
        yield Promise(str(step), BITS, _up_to(parts, "bits"), parts=tuple(parts))
    if places := [
        name for name, each in after.activations.items() if before.activations.get(name) is not each
    ]:
        parts = [(name, 1, float(getattr(after.activations[name], "bits", 0))) for name in places]
        yield Promise(str(step), ACTIVATIONS, f"activations on {_up_to(parts, 'bits')}", parts=tuple(parts))
    yield from _due(step, before, after, sizes)
    was, now = parameters(before.model), parameters(after.model)
    if now < was:
        yield Promise(
            str(step),
            PARAMETERS,
            f"{_floored(1 - now / was)} fewer parameters",
            parts=(("", was, float(now)),),
        )


def _is_carried(constraint: Any, chain: Sequence[Any]) -> bool:
    """Whether a constraint is an earlier one, or one passed on through another structure."""
    from workbench.constraints import Codebook, Mask

    old = next((each for each in chain if type(each) is type(constraint)), None)
    if old is None or old is constraint:
        return old is constraint
    if isinstance(constraint, Mask):
        is_cut = old.keep.shape != constraint.keep.shape
        return is_cut or int((~constraint.keep).sum()) <= int((~old.keep).sum())
    if isinstance(constraint, Codebook):
        return len(old.values) == len(constraint.values)
    return getattr(old, "bits", None) == getattr(constraint, "bits", None)


def _due(step: Technique, before: Candidate, after: Candidate, sizes: Mapping[str, int]) -> Iterator[Promise]:
    """What a schedule is to make in training; how much is asked for stands in the step's own option."""
    for schedule in after.schedules[len(before.schedules) :]:
        asked = getattr(step, "sparsity", 0.0)
        parts = tuple((name, sizes[name], asked * sizes[name]) for name in schedule.names if name in sizes)
        yield replace(_of_zeros(str(step), parts), kept=0.0, is_due=True)


def _held(promise: Promise, after: Candidate) -> Promise:
    """The promise as it stands now."""
    if promise.is_due:
        names = {name for schedule in after.schedules for name in schedule.names}
        return promise if names & {name for name, _, _ in promise.parts} else _settled(promise, after)
    if promise.kind == PARAMETERS:
        from workbench.measurement.compute import parameters

        _, was, then = promise.parts[0]
        return replace(promise, kept=_within((was - parameters(after.model)) / max(was - then, 1)))
    whole = stands = 0.0
    weights = dict(after.model.named_parameters(remove_duplicate=False))
    for part in promise.parts:
        if promise.kind == ACTIVATIONS:
            whole, stands = whole + 1, stands + (part[0] in after.activations)
        elif part[0] in weights or _goes_on(part[0], weights):
            share = _of_part(promise, part, after, weights[part[0]]) if part[0] in weights else 0.0
            size = part[2] if promise.kind == ZEROS else part[1]
            whole, stands = whole + size, stands + size * share
    return replace(promise, kept=_within(stands / whole) if whole else 1.0)  # nothing left to break it


def _of_part(promise: Promise, part: Part, after: Candidate, weight: Tensor) -> float:
    """The share of one parameter's promise that stands."""
    from workbench.constraints import Codebook
    from workbench.measurement.size import bits

    name, size, amount = part
    if promise.kind == ZEROS:
        # by shares, not by places: channels that were removed took their zeros with them
        return _within(_zeros(weight) / weight.numel() * size / amount) if amount else 1.0
    if promise.kind == PATTERN:
        return _pattern_share(promise.text, after, name)
    if promise.kind == VALUES:
        book = after.constraints.of(name, Codebook)
        return float(book is not None and len(book.values) <= amount)
    return float(bits(after, name) <= amount)


def _settled(promise: Promise, after: Candidate) -> Promise:
    """A promise whose training is over: zeros are now where they are, and measured against what was asked."""
    asked = sum(amount for _, _, amount in promise.parts)
    weights = dict(after.model.named_parameters(remove_duplicate=False))
    found = [(name, size, float(_zeros(weights[name]))) for name, size, _ in promise.parts if name in weights]
    reached = sum(amount for _, _, amount in found)
    if not asked:
        return replace(_of_zeros(promise.by, found), is_due=False)
    missing = asked / reached if 0 < reached < asked else 1.0  # what was not reached stays promised
    parts = tuple((name, size, amount * missing) for name, size, amount in found)
    return replace(promise, parts=parts, kept=_within(reached / asked), is_due=False)


def _of_zeros(by: str, parts: Iterable[Part]) -> Promise:
    parts = tuple(parts)
    share = sum(amount for _, _, amount in parts) / max(sum(size for _, size, _ in parts), 1)
    return Promise(by, ZEROS, f"{_floored(share)} zeros", parts=parts)


def _pattern_of(step: Technique) -> str:
    """`2:4`, where a technique has a pattern of that form."""
    pattern = getattr(step, "pattern", None)
    text = str(pattern()) if callable(pattern) else ""
    return text if re.fullmatch(r"\d+:\d+", text) else ""


def _pattern_share(text: str, after: Candidate, name: str) -> float:
    """The share of a parameter's groups in which at most n of m weights differ from zero.

    Where m no longer divides the inputs no kernel can use the pattern, and nothing of it stands.
    """
    from workbench.layers import weights

    n, m = (int(each) for each in text.split()[0].split(":"))
    found = next((each for each in weights(after.model) if each.name == name), None)
    if found is None:
        return 0.0
    matrix = found.parameter.detach().movedim(found.channel_axis, 0).flatten(1)
    if matrix.shape[1] % m:
        return 0.0
    return float(((matrix.reshape(-1, m) != 0).sum(1) <= n).float().mean())


def _goes_on(name: str, weights: Mapping[str, Any]) -> bool:
    """Whether something dense took the place of a parameter that is gone: thin layers of its own."""
    return any(other.startswith(f"{name.rpartition('.')[0]}.") for other in weights if "." in name)


def _zeros(weight: Tensor) -> int:
    import torch

    return weight.numel() - int(torch.count_nonzero(weight))


def _up_to(parts: Sequence[Part], unit: str) -> str:
    amounts = sorted({amount for _, _, amount in parts})
    low, high = amounts[0], amounts[-1]
    if low == high:
        return f"{high:g} {unit.removesuffix('s') if high == 1 else unit}"
    return f"{low:g} to {high:g} {unit}"


def _within(share: float) -> float:
    return min(1.0, max(0.0, share))


def _floored(share: float) -> str:
    """A percentage that never says more than there is: 99.96 % is 99.9 %."""
    return f"{int(share * 1000 + 1e-6) / 10:.1f} %"
