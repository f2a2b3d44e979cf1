"""Residual and transformer blocks: found, ordered by what the model loses without them, and taken out.

A block is a module that adds to what it is given: its outputs have the shape of its inputs, and still depend
on them when every weight inside is zero. Without it the rest of the model runs as before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.algorithms.channels.criteria import bounded
from workbench.attention import without_fused_attention
from workbench.candidate import Candidate, with_parameters
from workbench.constraints import Constraints
from workbench.data import mapped
from workbench.job import Progress, Steps
from workbench.workload import Workload

_STACKS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_MULTIPLYING = (
    nn.modules.conv._ConvNd, nn.Linear, nn.Bilinear, nn.Embedding, nn.MultiheadAttention, nn.RNNBase,
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """One block: its path, its class, its parameters, and how it is taken out.

    `leaves` is True where nothing stands in its place afterwards: a ModuleList calls its layers with more
    than one argument. Otherwise an `nn.Identity` does.
    """

    path: str
    kind: str
    parameters: int
    leaves: bool

    def holds(self, layer: str) -> bool:
        """Whether a layer is inside the block."""
        return layer == self.path or layer.startswith(f"{self.path}.")


def blocks(model: nn.Module, work: Workload) -> tuple[Block, ...]:
    """The blocks of a model that can be taken out one by one, in its own order; none without an example.

    Of blocks inside each other the outermost count, but a stack of several is no block.
    """
    if work.example is None:
        return ()
    calls = _calls(model, work)
    adding = [path for path, call in calls.items() if _adds(model.get_submodule(path), call)]
    single = [path for path in adding if not _is_stack(path, adding, model)]
    outermost = [path for path in single if not any(path.startswith(f"{each}.") for each in single)]
    return tuple(filter(None, (_block(path, model, work) for path in outermost)))


def without(candidate: Candidate, gone: Sequence[Block]) -> Candidate:
    """The candidate without some blocks; it shares the tensors of those that stay.

    Constraints stay with their parameters, which in a ModuleList move up to lower numbers.
    """
    twin, moved = _taken_out(candidate.model, gone)

    def now(name: str) -> str | None:
        """A name as it is afterwards; None for what went with a block."""
        if any(each.holds(name.rpartition("/")[0] or name) for each in gone):
            return None
        return next((new + name[len(old) :] for old, new in moved.items() if name.startswith(old)), name)

    def kept(given: Mapping[str, Any]) -> dict[str, Any]:
        return {new: value for name, value in given.items() if (new := now(name)) is not None}

    schedules = []
    for each in candidate.schedules:
        names = tuple(new for name in each.names if (new := now(name)) is not None)
        schedules += [each if names == each.names else replace(each, names=names)] if names else []
    return replace(
        candidate,
        model=twin,
        constraints=Constraints(kept(candidate.constraints)),
        latent=kept(candidate.latent),
        activations=kept(candidate.activations),
        schedules=tuple(schedules),
    )


def output_changes(
    candidate: Candidate, found: Sequence[Block], work: Workload, samples: int
) -> Steps[dict[str, float]]:
    """For each block, how far the outputs are from the model's own without it: the length of the difference
    over the length of the outputs, on validation data.
    """
    inputs = list(_inputs(work, samples))
    whole = [_outputs(candidate, work, each) for each in inputs]
    length = sum(float(t.square().sum()) for batch in whole for t in batch)
    changes = {}
    for done, block in enumerate(found):
        yield Progress(done, len(found), f"without {block.path}")
        smaller = without(candidate, [block])
        apart = 0.0
        for batch, before in zip(inputs, whole, strict=True):
            after = _outputs(smaller, work, batch)
            apart += sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True))
        changes[block.path] = (apart / length) ** 0.5 if length else 0.0
    return changes


def differences(
    candidate: Candidate, found: Sequence[Block], work: Workload, samples: int
) -> dict[str, float]:
    """For each block, one minus the mean cosine of what it is given and what it gives, in one pass; Men et
    al. 2024, "ShortGPT: Layers in Large Language Models are More Redundant Than You Expect".
    """
    sums: Counter[str] = Counter()
    count = 0
    twin = with_parameters(candidate.model, {})

    def noting(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            before, after = (_first(each).flatten(1).float() for each in (args, output))
            sums[path] += float((1 - torch.cosine_similarity(before, after)).mean())

        return hook

    for block in found:
        twin.get_submodule(block.path).register_forward_hook(noting(block.path))
    with torch.no_grad(), without_fused_attention():
        for inputs in _inputs(work, samples):
            work.call(twin, inputs)
            count += 1
    return {block.path: sums[block.path] / max(1, count) for block in found}


@dataclass(frozen=True)
class _Call:
    """How a module was called: its arguments, and what it gave."""

    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    output: Any
    times: int


def _calls(model: nn.Module, work: Workload) -> dict[str, _Call]:
    """The calls of every module that holds others and parameters, in one pass of the example."""
    twin = with_parameters(model, {}).eval()
    found: dict[str, _Call] = {}

    def noting(path: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], keywords: dict[str, Any], output: Any) -> None:
            times = found[path].times + 1 if path in found else 1
            found[path] = _Call(args, keywords, output, times)

        return hook

    for path, module in twin.named_modules():
        is_whole = path and list(module.children()) and not isinstance(module, (*_STACKS, *_MULTIPLYING))
        if is_whole and next(module.parameters(), None) is not None:
            module.register_forward_hook(noting(path), with_kwargs=True)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad(), without_fused_attention():
        work.call(twin, mapped(lambda each: _noise(each, generator), work.example))
    order = {path: index for index, (path, _) in enumerate(model.named_modules())}
    return dict(sorted(found.items(), key=lambda item: order[item[0]]))


def _adds(module: nn.Module, call: _Call) -> bool:
    """Whether a module adds to its input: called once, shape kept, and open when its weights are zero."""
    if call.times != 1 or not call.args or not isinstance(call.args[0], Tensor):
        return False
    inputs, output = call.args[0], call.output
    if not isinstance(output, Tensor) or output.shape != inputs.shape or not inputs.is_floating_point():
        return False
    closed = with_parameters(module, {n: torch.zeros_like(p) for n, p in _multiplied(module)})
    shifted = inputs + torch.randn(inputs.shape, generator=torch.Generator().manual_seed(1)).to(inputs)
    with torch.no_grad(), without_fused_attention():
        first, second = (closed(each, *call.args[1:], **call.keywords) for each in (inputs, shifted))
    is_open = bool(((first - second).abs() > 1e-6).float().mean() > 0.1)
    return is_open and not _only_scales(inputs, first)


def _only_scales(inputs: Tensor, output: Tensor) -> bool:
    """Whether a closed module gives a part of its input: one that weights channels (squeeze and excitation)
    multiplies and adds nothing.
    """
    factor = float((inputs * output).sum() / inputs.square().sum().clamp_min(1e-30))
    is_part = torch.allclose(output, factor * inputs, rtol=1e-4, atol=1e-6)
    return is_part and abs(factor - 1) > 1e-3


def _multiplied(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    for path, each in module.named_modules():
        if isinstance(each, _MULTIPLYING):
            for key, parameter in each.named_parameters():
                yield (f"{path}.{key}" if path else key), parameter


def _is_stack(path: str, adding: Sequence[str], model: nn.Module) -> bool:
    """Whether a module holds several blocks of one class."""
    inside = [type(model.get_submodule(each)) for each in adding if each.startswith(f"{path}.")]
    return any(count > 1 for count in Counter(inside).values())


def _block(path: str, model: nn.Module, work: Workload) -> Block | None:
    """The block at a path, with the way of taking it out that works; None where none does."""
    module = model.get_submodule(path)
    parameters = sum(each.numel() for each in module.parameters())
    holder = model.get_submodule(path.rpartition(".")[0])
    for leaves in (False, True):
        block = Block(path, type(module).__name__, parameters, leaves)
        if leaves and not isinstance(holder, nn.ModuleList):
            continue
        if _runs(model, [block], work):
            return block
    return None


def _runs(model: nn.Module, gone: Sequence[Block], work: Workload) -> bool:
    twin, _ = _taken_out(model, gone)
    try:
        with torch.no_grad():
            outputs = work.call(twin, work.example)
    except Exception:  # whatever a model does that needs the block
        return False
    shapes = [[t.shape for t in _tensors(each)] for each in (outputs, work.outputs)]
    return shapes[0] == shapes[1]


def _taken_out(model: nn.Module, gone: Sequence[Block]) -> tuple[nn.Module, dict[str, str]]:
    """A model without some blocks, and the new beginnings of names that have moved."""
    twin = with_parameters(model, {})
    lists: dict[str, set[str]] = {}
    for block in gone:
        holder, _, name = block.path.rpartition(".")
        if block.leaves:
            lists.setdefault(holder, set()).add(name)
        else:
            twin.get_submodule(holder)._modules[name] = nn.Identity().eval()
    moved = {}
    for path, names in lists.items():
        holder = twin.get_submodule(path)
        left = [(name, child) for name, child in holder._modules.items() if name not in names]
        holder._modules.clear()
        for index, (name, child) in enumerate(left):
            holder._modules[str(index)] = child
            moved[f"{path}.{name}."] = f"{path}.{index}."
    return twin.eval(), moved


def _inputs(work: Workload, samples: int) -> Iterator[Any]:
    """Validation inputs, training ones where there are none; noise like the example as the last resort."""
    data = work.validation or work.train
    if data is None:
        generator = torch.Generator().manual_seed(0)
        yield mapped(lambda each: _noise(each, generator), work.example)
        return
    for inputs, _ in bounded(data, samples):
        yield inputs


def _outputs(candidate: Candidate, work: Workload, inputs: Any) -> list[Tensor]:
    return [each.double() for each in _tensors(candidate.call(work, inputs)) if each.is_floating_point()]


def _tensors(value: Any) -> list[Tensor]:
    found: list[Tensor] = []
    mapped(lambda each: found.append(each) or each, value)  # type: ignore[func-returns-value]
    return found


def _first(value: Any) -> Tensor:
    return _tensors(value)[0]


def _noise(each: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(each.shape, generator=generator).to(each) if each.is_floating_point() else each
