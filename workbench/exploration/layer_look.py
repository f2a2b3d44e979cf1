"""One layer of a candidate looked at beside the original's: its weights, its spectrum, its kernels.

What is shown of a large layer are evenly spread samples, and the title says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from workbench.exploration.layer_records import Kernels, Singular
from workbench.exploration.quantization_records import RoundedWeights
from workbench.exploration.quantization_weights import BINS, lines_of
from workbench.layers import Weight, weights
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.candidate import Candidate

_MOST_WEIGHTS = 1 << 16  # that are looked at
_MOST_VALUES = 300  # that are drawn one by one
_MOST_RANK = 1024  # of the smaller side of a matrix whose spectrum is worked out
_MOST_TILES = 16  # kernels in a row, and rows of them
_MOST_PIXELS = 16  # of a kernel's side
_KEPT: WeakKeyDictionary[Candidate, dict[str, Tensor | None]] = WeakKeyDictionary()


def belonging(model: nn.Module, layer: str) -> list[Weight]:
    """The weights of a layer, or of the thin layers it was split into."""
    return [each for each in weights(model) if each.layer == layer or each.layer.startswith(f"{layer}.")]


def weights_beside(
    candidate: Candidate, original: Candidate, layer: str, bins: int = BINS
) -> RoundedWeights | None:
    """Where the weights of a layer lie now, and where the original's lay; None where neither has any."""
    now, before = (belonging(each.model, layer) for each in (candidate, original))
    if not (now or before):
        return None
    after, count, is_sampled = _values(now or before)
    was, _, _ = _values(before or now)
    finite, was = after[after.isfinite()], was[was.isfinite()]
    said = _said(layer, candidate, now, count, len(after) if is_sampled else 0)
    if not was.numel():
        return RoundedWeights(layer, [0.0] * bins, 0.0, 1.0, said=said)
    low, high = (float(each) for each in was.aminmax())
    high = high if high > low else low + 1e-9
    density = torch.histc(was, bins, low, high)
    few = finite.unique()
    chains = [candidate.constraints.get(each.name, ()) for each in now]
    is_rounded = any(each.role == "values" for chain in chains for each in chain)
    values: Sequence[float] = ()
    uses: Sequence[int] = ()
    moved: Sequence[float] = ()
    if is_rounded and len(few) <= _MOST_VALUES:
        found, counted = finite.unique(return_counts=True)
        values, uses = found.tolist(), counted.tolist()
    elif len(finite) != len(was) or not torch.equal(finite, was):
        kept = finite[finite != 0]
        # as many to a bin as if all were looked at: the two may have been thinned by different strides
        moved = (torch.histc(kept, bins, low, high) * (len(was) / max(len(after), 1))).tolist()
    lines = lines_of(candidate, now[0]) if len(now) == 1 else ()
    if is_rounded and not lines:
        said += "; each channel or group on a grid of its own"
    return RoundedWeights(layer, density.tolist(), low, high, values, uses, lines, after=moved, said=said)


def spectrum_beside(candidate: Candidate, original: Candidate, layer: str) -> Singular | str:
    """The singular values of a layer's weight, outputs by inputs; in words where they are not worked out."""
    now, before = (belonging(each.model, layer) for each in (candidate, original))
    first = max(before or now, key=lambda each: each.parameter.numel(), default=None)
    if first is None:
        return "no weight with two or more dimensions"
    matrix = _matrix(first)
    if min(matrix.shape) > _MOST_RANK:
        return f"{matrix.shape[0]:,} × {matrix.shape[1]:,} weights: too many for a spectrum while you wait"
    values = _known(original if before else candidate, layer, matrix)
    if values is None:
        return "weights that are not finite have no spectrum"
    squares = values.square()
    total = float(squares.sum())
    energies = (squares / total).tolist() if total > 0 else [0.0] * len(values)
    rank = min(each.parameter.shape[0] for each in now[:-1]) if before and len(now) > 1 else None
    return Singular(energies, rank, _changed(now, first, values))


def kernels_beside(candidate: Candidate, original: Candidate, layer: str) -> Kernels | None:
    """The kernels of a convolution, now and before, as pictures; None for other layers."""
    before = [each for each in belonging(original.model, layer) if each.parameter.ndim > 2]
    now = [each for each in belonging(candidate.model, layer) if each.parameter.ndim > 2]
    if len(now) != 1 and not before:
        return None
    own = now[0] if len(now) == 1 else before[0]
    was = before[0] if len(before) == 1 else own
    limit = max(_limit(_tiles(was)), _limit(_tiles(own)), 1e-12)
    outputs, inputs = _matrix_shape(own)
    note = "split into thin layers: the kernels it had" if len(now) > 1 else ""
    return Kernels(layer, _tiles(own).tolist(), _tiles(was).tolist(), limit, outputs, inputs, note)


def _values(found: Sequence[Weight]) -> tuple[Tensor, int, bool]:
    """The weights of some tensors, evenly thinned; how many there are; whether some were left out."""
    flat = [each.parameter.detach().reshape(-1) for each in found]
    count = sum(each.numel() for each in flat)
    stride = max(1, count // _MOST_WEIGHTS)
    widths = [each.parameter.shape[-1] for each in found]
    while stride > 1 and any(math.gcd(stride, width) > 1 for width in widths if width > 1):
        stride += 1  # a stride that divides a row would look at the same column all the way
        if stride > 4 * count // _MOST_WEIGHTS:
            break
    picked = torch.cat([each[::stride].float().cpu() for each in flat])
    return picked, count, stride > 1


def _said(layer: str, candidate: Candidate, now: Sequence[Weight], count: int, sampled: int) -> str:
    """`fc1: 235,200 weights, 92.0 % exactly zero, 4 bits`: counted in all of them."""
    from workbench.measurement.size import bits
    from workbench.tensors import nonzeros

    if not now:
        return f"{layer}: removed; what it had"
    parts = [f"{units.exact(count)} weights"]
    if len(now) > 1:
        parts.append(f"in {len(now)} tensors")
    if zeros := count - sum(nonzeros(each.parameter) for each in now):
        parts.append(f"{units.share(zeros / count)} exactly zero")
    if (width := min(bits(candidate, each.name) for each in now)) < 32:
        parts.append(f"{width} {'bit' if width == 1 else 'bits'}")
    if broken := sum(map(_not_finite, now)):
        parts.append(f"{units.exact(broken)} not finite")
    if sampled:
        parts.append(f"drawn from {units.exact(sampled)} of them")
    return f"{layer}: {', '.join(parts)}"


def _not_finite(own: Weight) -> int:
    weight = own.parameter.detach()
    if math.isfinite(float(weight.double().sum() if weight.numel() < 1 << 16 else weight.sum())):
        return 0  # a sum tells in a tenth of the time
    return int((~weight.isfinite()).sum())


def _matrix(own: Weight) -> Tensor:
    """Outputs by what each of them reads."""
    weight = own.parameter.detach().movedim(own.channel_axis, 0)
    return weight.reshape(len(weight), -1)


def _matrix_shape(own: Weight) -> tuple[int, int]:
    outputs = own.parameter.shape[own.channel_axis]
    return outputs, own.parameter.shape[1 - own.channel_axis]


def _known(candidate: Candidate, layer: str, matrix: Tensor) -> Tensor | None:
    """The singular values of a layer of a candidate, worked out once while the candidate lives."""
    kept = _KEPT.setdefault(candidate, {})
    if layer not in kept:
        kept[layer] = _singular(matrix)
    return kept[layer]


def _singular(matrix: Tensor) -> Tensor | None:
    """Falling; by the products of the smaller side, in double precision. None where they are not finite."""
    matrix = matrix.double().cpu()
    if not bool(matrix.isfinite().all()):
        return None
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().flip(0)


def _changed(now: Sequence[Weight], first: Weight, values: Tensor) -> Sequence[float]:
    """The singular values of what the layer is now, where it is one tensor and not what it was."""
    if len(now) != 1 or now[0].parameter is first.parameter or not float(values[0]):
        return ()
    matrix = _matrix(now[0])
    if matrix.shape == _matrix(first).shape and torch.equal(matrix, _matrix(first)):
        return ()
    changed = _singular(matrix)
    return () if changed is None else (changed / values[0]).tolist()


def _tiles(own: Weight) -> Tensor:
    """Rows of kernels, outputs by inputs, `(rows, columns, height, width)`; of three dimensions the middle.

    Where each output reads one input, kernels stand side by side.
    """
    weight = own.parameter.detach().float().cpu().movedim(own.channel_axis, 0)
    while weight.ndim > 4:
        weight = weight.select(2, weight.shape[2] // 2)
    weight = weight[..., :_MOST_PIXELS] if weight.ndim == 4 else weight[:, :, None, :_MOST_PIXELS]
    weight = weight[:, :, :_MOST_PIXELS]
    if weight.shape[1] > 1:
        return weight[:_MOST_TILES, :_MOST_TILES]
    kernels = weight[: _MOST_TILES**2, 0]
    columns = min(_MOST_TILES, max(1, math.ceil(math.sqrt(2 * len(kernels)))))
    missing = -len(kernels) % columns
    padded = torch.cat([kernels, kernels.new_full((missing, *kernels.shape[1:]), math.inf)])
    return padded.reshape(-1, columns, *kernels.shape[1:])


def _limit(tiles: Tensor) -> float:
    finite = tiles[tiles.isfinite()]
    return float(finite.abs().max()) if finite.numel() else 0.0
