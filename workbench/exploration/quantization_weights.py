"""The weights of one layer or channel beside the grid they are rounded to, to be looked at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from workbench.constraints import Codebook, Grid, Levels, Scaled, Signs
from workbench.errors import RecipeError, listed, nearest, shown
from workbench.exploration.quantization_records import RoundedWeights, sqnr
from workbench.exploration.quantization_watch import free_weight
from workbench.layers import Weight, weights

if TYPE_CHECKING:
    from workbench.candidate import Candidate

BINS = 80
_MOST_WEIGHTS = 1 << 16  # that are looked at; evenly spread ones of a larger layer
_MOST_LINES = 1 << 10


def rounded_weights(
    candidate: Candidate, layer: str, channel: int | None = None, bins: int = BINS
) -> RoundedWeights:
    """A layer's largest weight tensor, or one output channel of it, before and after rounding.

    Raises:
        RecipeError: there is no such layer or channel.
    """
    own = _tensor(candidate, layer)
    now, before = _rows(candidate.model.get_parameter(own.name), own), None
    if (free := free_weight(candidate, own.name)) is not None:
        before = _rows(free, own)
    if channel is not None and not 0 <= channel < len(now):
        raise RecipeError(f"{layer} has the channels 0 to {len(now) - 1}, got {shown(channel)}")
    picked = slice(None) if channel is None else slice(channel, channel + 1)
    after = _thinned(now[picked])
    was = _thinned(before[picked]) if before is not None else None
    return _record(candidate, own, channel, after, was, bins)


def channels(candidate: Candidate, layer: str) -> int:
    """How many output channels a layer has."""
    own = _tensor(candidate, layer)
    return own.parameter.shape[own.channel_axis]


def channel_errors(candidate: Candidate, layer: str) -> list[float]:
    """Signal over noise of each output channel's weights, in decibels; empty where it is not known."""
    own = _tensor(candidate, layer)
    if (free := free_weight(candidate, own.name)) is None:
        return []
    before, after = _rows(free, own), _rows(candidate.model.get_parameter(own.name), own)
    signal, noise = before.square().sum(1), (after - before).square().sum(1)
    return [
        sqnr(*pair) if any(pair) else math.inf for pair in zip(signal.tolist(), noise.tolist(), strict=True)
    ]


def _record(
    candidate: Candidate, own: Weight, channel: int | None, after: Tensor, was: Tensor | None, bins: int
) -> RoundedWeights:
    from workbench.measurement.size import bits

    shown_before = after if was is None else was
    lines = _lines(candidate, own, channel)
    low, high = (float(each) for each in shown_before.aminmax())
    values, uses = after.unique(return_counts=True)
    is_rounded = bool(candidate.constraints.get(own.name)) and len(values) <= _MOST_LINES
    error = math.nan if was is None else _error(was, after)
    return RoundedWeights(
        own.layer if channel is None else f"{own.layer}, channel {channel}",
        torch.histc(shown_before, bins, low, high).tolist(),
        low,
        high if high > low else low + 1e-9,
        values.tolist() if is_rounded else (),
        uses.tolist() if is_rounded else (),
        lines,
        bits(candidate, own.name),
        error,
    )


def _tensor(candidate: Candidate, layer: str) -> Weight:
    every = list(weights(candidate.model))
    found = [each for each in every if each.layer == layer]
    if not found:
        known = list(dict.fromkeys(each.layer for each in every))
        raise RecipeError(
            f"no layer named {shown(layer)}{nearest(layer, known)} (there are: {listed(known)})"
        )
    return max(found, key=lambda each: each.parameter.numel())


def _rows(weight: Tensor, own: Weight) -> Tensor:
    """Output channels by what each of them holds."""
    weight = weight.detach().float().cpu().movedim(own.channel_axis, 0)
    return weight.reshape(len(weight), -1)


def _thinned(rows: Tensor) -> Tensor:
    flat = rows.reshape(-1)
    return flat[:: max(1, flat.numel() // _MOST_WEIGHTS)]


def _error(before: Tensor, after: Tensor) -> float:
    return sqnr(float(before.square().sum()), float((after - before).square().sum()))


def _lines(candidate: Candidate, own: Weight, channel: int | None) -> tuple[float, ...]:
    """Every number the weights can take, where they all have the same ones."""
    chain = candidate.constraints.get(own.name, ())
    grid: Any = next((each for each in chain if isinstance(each, (Scaled, Codebook))), None)
    if grid is None or (isinstance(grid, Scaled) and grid.count > _MOST_LINES):
        return ()
    if isinstance(grid, Codebook):
        return tuple(grid.shared.unique().tolist())
    shape = own.parameter.shape
    scale = _only(grid.scales(shape).expand(shape), own, channel)
    if scale is None:
        return ()
    if isinstance(grid, Grid):
        zero: float | None = grid.top
        if grid.zero is not None:
            zero = _only(grid._zeros(shape).expand(shape), own, channel)
        if zero is None:
            return ()
        return tuple((number - zero) * scale for number in range(grid.count))
    if isinstance(grid, Levels):
        return tuple(each * scale for each in grid.levels.tolist())
    return (-scale, scale) if isinstance(grid, Signs) else ()


def lines_of(candidate: Candidate, own: Weight) -> tuple[float, ...]:
    """Every number that a tensor's weights can take, where they all have the same ones; else none."""
    return _lines(candidate, own, None)


def _only(spread: Tensor, own: Weight, channel: int | None) -> float | None:
    """The one value that all weights shown have; None where they differ."""
    if channel is not None:
        spread = spread.movedim(own.channel_axis, 0)[channel]
    low, high = (float(each) for each in spread.aminmax())
    return low if low == high else None
