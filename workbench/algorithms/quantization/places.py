"""Where activations are rounded, so that what is simulated is what a runtime's int8 kernels do.

A fused int8 kernel takes codes in and gives codes out, after the batch norm and the cut-off that follow it.
So values are rounded where a quantized layer takes them in, and where a convolution (with its batch norm)
gives them to something else: a sum, a concatenation, a pooling. What only passes values on (a pooling of
maxima, a change of shape) has the same grid on both sides; a cut-off at zero is left to the grid, which ends
there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from workbench.activations import INPUT, OUTPUT, place
from workbench.algorithms.quantization.flow import BATCH_NORM, LAYER, Flow, Step

CONVOLUTIONS = (nn.modules.conv._ConvNd,)
_POOLINGS = "max_pool1d max_pool2d max_pool3d _max_pool1d _max_pool2d _max_pool3d"
_SHAPES = (
    "flatten reshape view unflatten squeeze unsqueeze permute transpose movedim expand chunk split unbind"
)
_OTHERS = "dropout dropout2d identity contiguous clone detach channel_shuffle pixel_shuffle"
_PASSING = frozenset(f"{_POOLINGS} {_SHAPES} {_OTHERS}".split())


@dataclass(frozen=True)
class Place:
    """One place where values are rounded.

    Attributes:
        name: `conv1/input`.
        group: places of one group have one grid.
        floor, cap: values are cut off there right after this place, and so the grid may end there.
    """

    name: str
    group: int
    floor: float | None = None
    cap: float | None = None


def places(model: nn.Module, layers: Sequence[str], flow: Flow | None) -> tuple[Place, ...]:
    """Every place where values are rounded when these layers are quantized.

    Args:
        flow: None where the model could not be run: then only what goes into each layer is rounded.
    """
    if flow is None:
        return tuple(Place(place(layer, INPUT), n) for n, layer in enumerate(layers))
    groups = _Groups()
    for step in flow.steps:
        if _is_passing(step):
            groups.join(step.inputs[0], *step.outputs)
    found: dict[str, Place] = {}
    quantized = set(layers)
    for step in flow.steps:
        if step.kind != LAYER or step.path not in quantized or not step.inputs:
            continue
        for each in _of_layer(step, model, quantized, flow, groups):
            found.setdefault(each.name, each)
    return tuple(found.values())


def _of_layer(
    step: Step, model: nn.Module, quantized: set[str], flow: Flow, groups: _Groups
) -> Iterator[Place]:
    """The places of one call of a layer: its input, what else gives that value away, and its output."""
    value = step.inputs[0]
    yield Place(place(step.path, INPUT), groups.of(value))
    if not _is_only_for(value, quantized, flow) and (path := _giving(value, flow)):
        yield Place(place(path, OUTPUT), groups.of(value))
    if not isinstance(model.get_submodule(step.path), CONVOLUTIONS) or flow.calls[step.path] != 1:
        return
    path, value, floor, cap = step.path, step.outputs[0], None, None
    after = flow.consumers.get(value, ())
    if len(after) == 1 and after[0].kind == BATCH_NORM and flow.calls[after[0].path] == 1:
        path, value = after[0].path, after[0].outputs[0]
    end = value
    after = flow.consumers.get(value, ())
    if len(after) == 1 and after[0].floor is not None:
        floor, cap, end = after[0].floor, after[0].cap, after[0].outputs[0]
    if not _is_only_for(end, quantized, flow):
        yield Place(place(path, OUTPUT), groups.of(value) if floor is None else groups.of(end), floor, cap)


def _is_passing(step: Step) -> bool:
    """Whether a step gives on some of the values it takes, as they are."""
    return step.kind in _PASSING and len(step.inputs) == 1


def _is_only_for(value: int, quantized: set[str], flow: Flow) -> bool:
    """Whether nothing but quantized layers takes a value."""
    after = flow.consumers.get(value, ())
    return bool(after) and all(each.kind == LAYER and each.path in quantized for each in after)


def _giving(value: int, flow: Flow) -> str | None:
    """The innermost module that was called once and gave this value; never the whole model."""
    found = [path for path, given in flow.outputs_of.items() if given == value and path]
    return max(found, key=lambda path: path.count("."), default=None)


class _Groups:
    """Values that are joined have one group, named after the first of them."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def of(self, value: int) -> int:
        while (first := self._first.get(value, value)) != value:
            value = first
        return value

    def join(self, *values: int) -> None:
        firsts = [self.of(each) for each in values]
        for each in firsts:
            self._first[each] = min(firsts)


def by_group(found: Sequence[Place]) -> Mapping[int, tuple[Place, ...]]:
    """The places of each group, in the order they are reached."""
    groups: dict[int, list[Place]] = {}
    for each in found:
        groups.setdefault(each.group, []).append(each)
    return {group: tuple(members) for group, members in groups.items()}
