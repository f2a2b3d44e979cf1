"""A candidate as an ExecuTorch program for XNNPACK: its own codes and scales, in torch's exported graph.

ExecuTorch's kernels take signed activations: codes are the candidate's, less 128. Batch norms are folded into
the scales of their convolutions. XNNPACK multiplies whole numbers only where what comes out is rounded, too.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from workbench.activations import INPUT, OUTPUT, Affine, place
from workbench.algorithms.quantization.flow import BATCH_NORM, LAYER, Flow, flow
from workbench.errors import RuntimeUnavailable
from workbench.plain import own_copy
from workbench.runtimes.lowering.integers import Integers, NotInteger, integers, rounding_in
from workbench.runtimes.lowering.onnx_layers import factors
from workbench.runtimes.lowering.qdq import Lowered

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.runtimes.base import Call

_KINDS = (nn.Conv1d, nn.Conv2d, nn.Linear)
_LOW, _HIGH = -128, 127
_BACK = "dequantize_per_tensor"
_RELU = ("aten.relu.default", "aten.relu_.default")


def program(model: nn.Module, example: Any, *, call: Call, candidate: Candidate | None = None) -> Lowered:
    """The bytes of a `.pte` file that XNNPACK runs, for inputs of the example's shape.

    Raises:
        RuntimeUnavailable: the model cannot be exported; the line says why.
    """
    running, layers, left = _prepared(model, example, call, candidate)
    try:
        with _quiet():
            data = _written(running, example, call)
    except Exception as error:  # torch.export and ExecuTorch raise errors of many kinds, pages long
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise RuntimeUnavailable(f"the model cannot be written for ExecuTorch: {reason}") from error
    return Lowered(data, tuple(layers), left)


def _prepared(
    model: nn.Module, example: Any, call: Call, candidate: Candidate | None
) -> tuple[nn.Module, list[str], dict[str, str]]:
    """A copy of the model in which layers multiply codes, those layers, and the others with the reason."""
    running = own_copy(model).cpu().eval()
    if candidate is None or not candidate.activations:
        return running, [], {}
    uses = _uses(candidate, example, call)
    layers, left = [], {}
    for path, module in list(running.named_modules()):
        if place(path, INPUT) not in candidate.activations:
            continue
        try:
            if path not in uses:
                raise NotInteger("XNNPACK needs what comes out rounded, too")
            _lower(running, path, module, candidate, uses[path])
            layers.append(path)
        except NotInteger as reason:
            left[path] = str(reason)
    _attach(running, candidate)
    return running, layers, left


def _lower(running: nn.Module, path: str, module: nn.Module, candidate: Candidate, norm: str) -> None:
    if type(module) not in _KINDS or getattr(module, "padding_mode", "zeros") != "zeros":
        raise NotInteger(f"there is no int8 kernel here for a {type(module).__name__}")
    rounding_in(candidate, path)
    weight = integers(candidate, f"{path}.weight")
    bias: Tensor | None = module.bias.detach() if module.bias is not None else None
    if norm:
        normalizing: Any = running.get_submodule(norm)
        factor = torch.from_numpy(factors(running, norm)).float()
        weight = weight.scaled(factor.numpy())
        before = torch.zeros_like(factor) if bias is None else bias
        bias = (before - normalizing.running_mean) * factor
        bias = bias if normalizing.bias is None else bias + normalizing.bias.detach()
        _replace(running, norm, nn.Identity())
    _replace(running, path, Multiplying(module, weight, bias))


class Multiplying(nn.Module):
    """A layer whose weight is codes times scales."""

    codes: Tensor
    scales: Tensor
    zeros: Tensor

    def __init__(self, layer: Any, weight: Integers, bias: Tensor | None) -> None:
        super().__init__()
        self.layer = [layer]  # for its arguments only: its own weight must not be exported
        self.register_buffer("codes", torch.from_numpy(weight.codes))
        self.register_buffer("scales", torch.from_numpy(weight.scales))
        self.register_buffer("zeros", torch.zeros(len(weight.scales), dtype=torch.int64))
        self.bias = None if bias is None else nn.Parameter(bias.clone(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.ops.quantized_decomposed.dequantize_per_channel(
            self.codes, self.scales, self.zeros, 0, -127, _HIGH, torch.int8
        )
        layer = self.layer[0]
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(x, weight, self.bias)
        return layer._conv_forward(x, weight, self.bias)


def _uses(candidate: Candidate, example: Any, call: Call) -> dict[str, str]:
    """Layers that give rounded values, each with the batch norm that alone takes them, or an empty text."""
    paths = frozenset(p for p, m in candidate.model.named_modules() if isinstance(m, _KINDS))
    seen = flow(candidate.model, example, call, paths)
    found = {}
    for step in seen.steps:
        if step.kind != LAYER:
            continue
        norm, value = "", step.outputs[0]
        after = seen.consumers.get(value, ())
        if len(after) == 1 and after[0].kind == BATCH_NORM and seen.calls[after[0].path] == 1:
            norm, value = after[0].path, after[0].outputs[0]
        if _is_rounded(norm or step.path, value, seen, candidate):
            found[step.path] = norm
    return found


def _is_rounded(path: str, value: int, seen: Flow, candidate: Candidate) -> bool:
    """Whether a value is rounded where it is given, or by all that take it, after a cut-off maybe."""
    if place(path, OUTPUT) in candidate.activations:
        return True
    after = seen.consumers.get(value, ())
    if len(after) == 1 and after[0].floor is not None:
        after = seen.consumers.get(after[0].outputs[0], ())
    return bool(after) and all(place(each.path, INPUT) in candidate.activations for each in after)


def _attach(running: nn.Module, candidate: Candidate) -> None:
    """Hooks that round in the operators which ExecuTorch knows."""
    modules = dict(running.named_modules())
    for name, rounding in candidate.activations.items():
        path, _, side = name.rpartition("/")
        module = modules.get(path)
        is_known = isinstance(rounding, Affine) and rounding.bits == 8
        if module is None or not is_known or (side == INPUT and not isinstance(module, Multiplying)):
            continue
        if side == INPUT:
            module.register_forward_pre_hook(lambda m, args, r=rounding: (_rounded(args[0], r), *args[1:]))
        else:
            module.register_forward_hook(lambda m, args, output, r=rounding: _rounded(output, r))


def _rounded(values: Tensor, rounding: Affine) -> Tensor:
    grid = (float(rounding.step), rounding.zero_point - rounding.lowest + _LOW, _LOW, _HIGH, torch.int8)
    known = torch.ops.quantized_decomposed
    back: Tensor = known.dequantize_per_tensor(known.quantize_per_tensor(values, *grid), *grid)
    return back


def _written(running: nn.Module, example: Any, call: Call) -> bytes:
    import torch.ao.quantization.fx._decomposed  # the operators' definitions
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    class Called(nn.Module):
        """The model called the workload's way, its inputs one by one."""

        def __init__(self) -> None:
            super().__init__()
            self.model = running

        def forward(self, *inputs: Any) -> Any:
            return call(self.model, inputs[0] if len(inputs) == 1 else inputs)

    inputs = tuple(example) if isinstance(example, tuple) else (example,)
    with torch.no_grad():
        exported = torch.export.export(Called().eval(), inputs)
    _simplify(exported.graph_module)
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    return bytes(lowered.to_executorch().buffer)


def _simplify(module: Any) -> None:
    """Without a second rounding to the same grid, and cut-offs at zero of grids that end there."""
    for node in list(module.graph.nodes):
        source = node.args[0] if node.args else None
        if getattr(source, "op", "") != "call_function" or _BACK not in str(source.target):
            continue
        if "dequantize" not in str(node.target) and "quantize_per_tensor" in str(node.target):
            if node.args[1:] == source.args[1:]:
                node.replace_all_uses_with(source.args[0])
                module.graph.erase_node(node)
        elif str(node.target) in _RELU and source.args[2] == _LOW:
            node.replace_all_uses_with(source)
            module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    module.recompile()


def _replace(model: nn.Module, path: str, new: nn.Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, new)


@contextmanager
def _quiet() -> Iterator[None]:
    """ExecuTorch and torch.export log and warn a lot; what matters is raised."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
