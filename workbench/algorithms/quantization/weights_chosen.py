"""Which weights of a model are rounded, to how many bits each, and which are left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import RecipeError, WorkbenchError, listed, nearest
from workbench.layers import Weight, weights

FIRST_LAST_BITS = 8


def chosen(
    candidate: Candidate, keep: Sequence[str] = (), takes: Callable[[str], bool] = lambda layer: True
) -> list[Weight]:
    """The weights to round: all worth compressing, less those of layers that `keep` names or that `takes`
    refuses, and empty ones.

    Raises:
        RecipeError: `keep` names a layer that the model has not.
    """
    found = list(weights(candidate.model))
    check_names(keep, [each.layer for each in found])
    kept = [each for each in found if not any(covers(name, each.layer) for name in keep)]
    return [each for each in kept if takes(each.layer) and each.parameter.numel()]


def bits_by_name(
    found: Sequence[Weight], every: Sequence[Weight], bits: int, layers: Mapping[str, int], first_last: bool
) -> dict[str, int]:
    """Bits by parameter name: those of its layer where `layers` names it (or a module that holds it; the
    longest name decides), at least 8 for the first and the last layer with `first_last`, else `bits`.

    Args:
        every: all weights of the model, in its order, which says what is first and last.

    Raises:
        RecipeError: `layers` names a layer that the model has not.
    """
    check_names(layers, [each.layer for each in every])
    ends = {every[0].layer, every[-1].layer} if every and first_last else set()
    chosen_bits = {}
    for each in found:
        names = sorted((name for name in layers if covers(name, each.layer)), key=len)
        usual = max(bits, FIRST_LAST_BITS) if each.layer in ends else bits
        chosen_bits[each.name] = int(layers[names[-1]]) if names else usual
    return chosen_bits


def covers(name: str, layer: str) -> bool:
    """Whether a name given by a person means a layer: its path, or that of a module that holds it."""
    return layer == name or layer.startswith(f"{name}.")


def check_names(asked: Iterable[str], layers: Iterable[str]) -> None:
    """Refuse a name that means none of the layers.

    Raises:
        RecipeError: the line names the nearest.
    """
    known = list(dict.fromkeys(layers))
    for name in asked:
        if not any(covers(name, layer) for layer in known):
            raise RecipeError(
                f"no layer named {name!r} with weights{nearest(name, known)} (there are: {listed(known)})"
            )


def starting(candidate: Candidate, name: str) -> Tensor:
    """What a weight is rounded from: its free weight, masked; float32 or float64.

    Raises:
        WorkbenchError: it holds values that are not finite.
    """
    weight = candidate.free(name)
    weight = weight if weight.dtype == torch.float64 else weight.float()
    if not bool(torch.isfinite(weight.sum())) and not bool(torch.isfinite(weight).all()):
        bad = int((~torch.isfinite(weight)).sum())
        raise WorkbenchError(
            f"{name} holds {bad:,} values that are not finite (NaN or infinite), which no grid has; "
            "go back to weights from before training broke"
        )
    mask = candidate.constraints.of(name, Mask)
    return weight if mask is None else mask(weight)


def left_alone(model: nn.Module, found: Sequence[Weight]) -> tuple[str, ...]:
    """A note on the weights that keep their precision, but for biases and normalizations: those always do."""
    rounded = {id(each.parameter) for each in found}
    always = {id(each) for module in model.modules() if _is_small(module) for each in module.parameters()}
    names = [
        name
        for name, each in model.named_parameters()
        if each.ndim > 1 and id(each) not in rounded and id(each) not in always
    ]
    return (f"left as they are: {listed(names, 6)}",) if names else ()


def short_rows(options: Any, found: Sequence[Weight]) -> tuple[str, ...]:
    """A note on layers whose channels are shorter than a group, where scales are per group."""
    if options.granularity != "group":
        return ()
    lengths = {e.layer: e.parameter.numel() // e.parameter.shape[e.channel_axis] for e in found}
    short = [layer for layer, length in lengths.items() if length < options.group]
    few = f"one scale per channel, since these have fewer than {options.group} weights in one"
    return (f"{few}: {listed(short, 6)}",) if short else ()


def _is_small(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._NormBase | nn.LayerNorm | nn.GroupNorm | nn.RMSNorm)
