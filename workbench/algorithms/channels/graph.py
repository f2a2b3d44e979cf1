"""Which layers must shrink together: torch-pruning's dependency graph, read off into records.

Fang et al. 2023, "DepGraph: Towards Any Structural Pruning". The graph finds the couplings; what is cut, and
whether it may be, is decided here on plain data.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from workbench.algorithms.channels import sides
from workbench.algorithms.channels.records import BOTH, IN, OUT, Group, Part, each_channel
from workbench.attention import without_fused_attention
from workbench.candidate import with_parameters
from workbench.errors import RecipeError, listed
from workbench.tensors import tensors
from workbench.workload import Workload

MAKERS = (sides.CONVOLUTIONS, nn.Linear, nn.Embedding)
Modules = Mapping[str, nn.Module]
_MOST_LOOKS = 4_000_000  # at members of groups; a vision transformer takes 200,000
_ONE = threading.Lock()  # torch-pruning keeps the axis it prunes in objects that all graphs share


def traced(model: nn.Module, work: Workload) -> tuple[Group, ...]:
    """Every group of channels of a model, locked ones with their reason, in the model's own order.

    Raises:
        RecipeError: there is no example input, or the model cannot be traced; the line says why.
    """
    if work.example is None:
        raise RecipeError(
            "channels are traced with one input, and this workload has none; "
            "give Workload(net, input_shape=...), or zero single weights with PruneWeights"
        )
    twin = with_parameters(model, {name: each.detach() for name, each in model.named_parameters()}).eval()
    for each in twin.parameters():
        each.requires_grad_(each.is_floating_point())
    with _ONE, torch.inference_mode(False), torch.enable_grad(), without_fused_attention(), _bounded():
        try:
            return tuple(_groups(twin, _graph(twin, work)))
        except Exception as error:
            reason = (str(error).split("\n")[0] or type(error).__name__)[:160]
            raise RecipeError(
                f"the layers of {work.name} could not be traced ({reason}); its channels stay, "
                "but single weights can be zeroed: PruneWeights(sparsity=0.9)"
            ) from error


def _graph(model: nn.Module, work: Workload) -> Any:
    import torch_pruning

    graph = torch_pruning.DependencyGraph()
    return graph.build_dependency(
        model, work.example, forward_fn=lambda net, inputs: work.call(net, inputs), verbose=False
    )


@contextmanager
def _bounded() -> Iterator[None]:
    """Let the search for a group end: through windows and rolls (Swin) it takes torch-pruning hours."""
    from torch_pruning.dependency.group import Group as Found

    own, left = Found.has_pruning_op, _MOST_LOOKS

    def counted(self: Any, dependency: Any, index: Any) -> bool:
        nonlocal left
        left -= len(self)
        if left < 0:
            raise OverflowError("they hang together in more ways than can be followed")
        return bool(own(self, dependency, index))

    Found.has_pruning_op = counted
    try:
        yield
    finally:
        Found.has_pruning_op = own


def _groups(model: nn.Module, graph: Any) -> Iterator[Group]:
    tied = {name for each in tensors(model) if len(each.names) > 1 for name in each.names}
    attention = [path for path, each in model.named_modules() if isinstance(each, nn.MultiheadAttention)]
    seen = {f"{path}.out_proj" for path in attention}  # a part of the layer around it
    for path, module in model.named_modules():
        if not isinstance(module, MAKERS) or path in seen:
            continue
        if module not in graph.module2node:
            yield _alone(path, "the forward pass does not call it")
            continue
        group = _group(path, module, model, graph, tied)
        seen.update(group.makers)
        yield group


def _alone(path: str, reason: str) -> Group:
    return Group(path, (path,), (), 0, each_channel(0), locked=reason)


def _group(path: str, module: nn.Module, model: nn.Module, graph: Any, tied: set[str]) -> Group:
    pruner = graph.get_pruner_of_module(module)
    count = pruner.get_out_channels(module)
    found = graph.get_pruning_group(module, pruner.prune_out_channels, list(range(count)))
    modules = dict(model.named_modules())
    paths = {each: name for name, each in modules.items()}
    parts, reasons = [], []
    for item in found.items:
        target = item.dep.target
        if not target.outputs and _is_out(item.dep, graph):
            reasons.append("it makes the model's outputs")
        if isinstance(target.module, nn.Parameter):
            name, side, axis = graph._param_to_name[target.module], BOTH, target.pruning_dim
        elif target.module in paths and _has_channels(target.module):
            name, side, axis = paths[target.module], _side(item.dep, graph), None
        else:
            continue
        roots = [-1 if each is None else each for each in item.root_idxs]
        parts.append(Part(name, side, torch.tensor(item.idxs), torch.tensor(roots), axis))
    order = {name: index for index, name in enumerate(paths.values())}
    makers = sorted({p.layer for p in parts if _makes(p, modules)}, key=lambda name: order[name])
    unit, why = _units(count, parts, modules)
    reasons += [why] if why else []
    reasons += list(_reasons(parts, modules, tied))
    word = "neurons" if isinstance(module, nn.Linear) else "channels"
    return Group(path, tuple(makers), tuple(parts), count, unit, word, reasons[0] if reasons else "")


def _has_channels(module: nn.Module) -> bool:
    """Whether this is a layer with channels to cut, and not an operation (or one number for all channels)."""
    if isinstance(module, nn.PReLU):
        return module.num_parameters > 1
    known = (*MAKERS, *sides.BATCH_NORMS, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.RNNBase)
    return isinstance(module, (*known, nn.MultiheadAttention))


def _is_out(dependency: Any, graph: Any) -> bool:
    return bool(graph.is_out_channel_pruning_fn(dependency.handler))


def _side(dependency: Any, graph: Any) -> str:
    pruner = graph.get_pruner_of_module(dependency.target.module)
    if pruner.prune_out_channels == pruner.prune_in_channels:
        return BOTH
    return OUT if _is_out(dependency, graph) else IN


def _makes(part: Part, modules: Modules) -> bool:
    if part.axis is not None:
        return False
    module = modules[part.layer]
    return part.side == OUT or (part.side == BOTH and isinstance(module, MAKERS))


def _units(count: int, parts: list[Part], modules: Modules) -> tuple[Tensor, str]:
    """Which channels go together because layers divide them into blocks; and why that cannot be done."""
    blocks = 1
    for part in parts:
        here = 1 if part.axis is not None else sides.blocks(modules[part.layer], part.side)
        if here == 1:
            continue
        is_whole = len(part.index) == count and bool((part.index == part.channel).all())
        if not is_whole:
            return each_channel(
                count
            ), f"{part.layer} takes its channels together with other layers' in blocks"
        blocks = math.lcm(blocks, here)
    if count % blocks or count == blocks > 1:
        return each_channel(count), f"a grouped layer takes its {count} channels in {blocks} blocks"
    return torch.arange(count) % (count // blocks), ""


def _reasons(parts: list[Part], modules: Modules, tied: set[str]) -> Iterator[str]:
    """Why the layers themselves cannot be cut."""
    for part in parts:
        if part.axis is not None:
            continue
        module = modules[part.layer]
        own = {f"{part.layer}.{axis.tensor}" for axis in sides.axes(module, part.side)}
        if shared := sorted(own & tied):
            yield f"{listed(shared, 2)} is used by several layers"
        if why := sides.trouble(module, part.side):
            yield f"its channels {why} ({part.layer})"
        if bool((part.channel < 0).any()):
            yield f"it is not clear which channels of {part.layer} belong to which"
        if (
            part.side == BOTH
            and isinstance(module, sides.CONVOLUTIONS)
            and module.in_channels != module.groups
        ):
            yield f"{part.layer} computes each channel from several others of its own"
