"""How big a model is: bytes claimed by arithmetic, and bytes of a file that was really written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate
    from workbench.constraints import Constraint

_SCALE_BYTES = 4  # scales are float32, half of that where float16 holds them
_LEVEL_BYTES = 4
_SHARED_BYTES = 2  # the values of a codebook are float16


@dataclass(frozen=True)
class Size:
    """Bytes: `claimed` by arithmetic, `stored` in a file (None where none was written)."""

    claimed: int
    stored: int | None = None


def claimed_bytes(candidate: Candidate) -> int:
    """Bits × kept weights, with scales and codebooks; no index of where the zeros are, no header, no entropy
    coding.

    A weight without a constraint counts at its own dtype, as buffers do; tied tensors count once.
    """
    model = candidate.model
    buffers = sum(each.numel() * each.element_size() for each in model.buffers())
    return buffers + sum(parameter_bytes(candidate, name) for name, _ in model.named_parameters())


def parameter_bytes(candidate: Candidate, name: str) -> int:
    """The claimed bytes of one parameter."""
    from workbench.constraints import Mask
    from workbench.tensors import nonzeros

    tensor = candidate.model.get_parameter(name)
    mask = candidate.constraints.of(name, Mask)
    kept = nonzeros(mask.keep) if mask is not None else tensor.numel()
    beside = sum(_scaled_bytes(each) for each in _chain(candidate, name)) + _codebook_bytes(candidate, name)
    return math.ceil(bits(candidate, name) * kept / 8) + beside


def _scaled_bytes(constraint: Constraint) -> int:
    """What a constraint takes beside its codes: scales, zero points, levels."""
    import torch

    from workbench.constraints import Grid, Levels, Scaled, as_float16

    if not isinstance(constraint, Scaled):
        return 0
    scale = constraint.scale
    is_short = torch.equal(as_float16(scale), scale.float())
    taken = scale.numel() * (_SCALE_BYTES // 2 if is_short else _SCALE_BYTES)
    if isinstance(constraint, Grid) and constraint.zero is not None:
        taken += math.ceil(constraint.bits * scale.numel() / 8)
    if isinstance(constraint, Levels):
        taken += _LEVEL_BYTES * len(constraint.levels)
    return taken


def _codebook_bytes(candidate: Candidate, name: str) -> int:
    """The values a parameter shares; those of a codebook of several count with the first of them."""
    from workbench.constraints import Codebook

    own = candidate.constraints.of(name, Codebook)
    if own is None:
        return 0
    books = ((other, candidate.constraints.of(other, Codebook)) for other in candidate.constraints)
    first = next(other for other, book in books if book is not None and book.values is own.values)
    return _SHARED_BYTES * len(own.values) if first == name else 0


def bits(candidate: Candidate, name: str) -> int:
    """Bits of one weight of a parameter: of its grid where it has one, else of its dtype."""
    widths = [each.bits for each in _chain(candidate, name) if hasattr(each, "bits")]
    return min(widths, default=8 * candidate.model.get_parameter(name).element_size())


def file_bytes(model: nn.Module) -> int:
    """The length of the plain safetensors file of a model: every tensor at its dtype, tied ones once."""
    import torch
    from safetensors.torch import save

    kept = model.state_dict().keys()  # without buffers that a model does not save
    unique = dict(model.named_parameters()) | {n: each for n, each in model.named_buffers() if n in kept}
    # cloned: the format refuses tensors that share memory without being the same
    copies = {n: each.detach().clone(memory_format=torch.contiguous_format) for n, each in unique.items()}
    return len(save(copies))


def _chain(candidate: Candidate, name: str) -> tuple[Constraint, ...]:
    return candidate.constraints.get(name, ())
