"""Round a candidate's activations: the one entry for techniques."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from torch import nn

from workbench.activations import INPUT, Dynamic, place
from workbench.algorithms.quantization.calibrating import calibrating
from workbench.algorithms.quantization.weights_chosen import chosen
from workbench.job import Steps
from workbench.layers import weights

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.technique import Context

FIRST_LAST_BITS = 8
_IN_PREVIEW = 64  # samples


class Options(Protocol):
    """The options of `Quantize` that say how activations are rounded."""

    activations: int | None
    scheme: str
    calibration: str
    samples: int
    keep: tuple[str, ...]
    first_last: bool
    learned: bool


def activations_rounded(
    options: Options, candidate: Candidate, context: Context, seen: Candidate
) -> Steps[Candidate]:
    """The candidate with activations rounded as `Quantize` asks.

    Args:
        seen: the candidate before its weights were rounded, on which ranges are learned.
    """
    usual = options.activations or 8
    found = [each.layer for each in chosen(candidate, options.keep, context.takes)]
    every = [each.layer for each in weights(candidate.model)]
    ends = {every[0], every[-1]} if every and options.first_last else set()
    return (
        yield from rounding(
            candidate,
            context,
            {layer: max(usual, FIRST_LAST_BITS) if layer in ends else usual for layer in found},
            scheme=options.scheme,
            calibration=options.calibration,
            samples=options.samples,
            learns=options.learned,
            seen=seen,
        )
    )


def rounding(
    candidate: Candidate,
    context: Context,
    bits: Mapping[str, int],
    *,
    scheme: str = "static",
    calibration: str = "minmax",
    samples: int = 512,
    learns: bool = False,
    seen: Candidate | None = None,
) -> Steps[Candidate]:
    """The candidate with activations rounded around the layers named.

    Args:
        bits: of each layer's activations, 1 to 16, by module path.
        scheme: "static" for grids from training data, "dynamic" for one that is made anew in every call.
        calibration: how a static grid gets its range, one of `observers.CALIBRATIONS`.
        samples: training samples that are read, at most.
        learns: whether training moves the scales (static only).
        seen: the candidate that is watched, where it is not this one: as it was before its weights were
            rounded, say. Ranges are kept while it lives, so that a slider does not calibrate again.

    Raises:
        WorkloadError: a static scheme without training data, or data that hold NaN.
    """
    modules = dict(candidate.model.named_modules())
    takes = {path: b for path, b in bits.items() if not isinstance(modules[path], _WITHOUT_ACTIVATIONS)}
    if not takes:
        return candidate
    if scheme == "dynamic":
        return candidate.rounding({place(path, INPUT): Dynamic(b) for path, b in takes.items()})
    few = context.is_preview and samples > _IN_PREVIEW
    found = yield from calibrating(
        seen or candidate,
        context.work,
        tuple(takes),
        calibration=calibration,
        samples=_IN_PREVIEW if few else samples,
        seed=context.seed,
    )
    rounded = candidate.rounding(found.roundings(takes, learns))
    if few:
        return rounded.noting(f"preview: ranges of activations from {found.samples} samples")
    return rounded


_WITHOUT_ACTIVATIONS = (nn.Embedding, nn.EmbeddingBag)  # they take numbers of rows
