"""Round a candidate's activations: the one entry for techniques."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn

from workbench.activations import INPUT, Dynamic, place
from workbench.algorithms.quantization.calibrating import calibrating
from workbench.job import Steps

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.technique import Context

SCHEMES = ("static", "dynamic")
_IN_PREVIEW = 64  # samples


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
