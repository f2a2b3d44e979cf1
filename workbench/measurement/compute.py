"""What a model is made of and what it computes: parameters, non-zeros, multiplications, layer by layer."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workbench.candidate import Candidate
    from workbench.workload import Workload

_QUICK = 50_000_000  # parameters
_FUSED = ("scaled_dot_product", "multi_head_attention", "transformer_encoder_layer")  # in operators' names

Call = Callable[["nn.Module", Any], Any]


@dataclass(frozen=True)
class LayerRecord:
    """One layer with parameters of its own.

    Attributes:
        kind: the class, such as `Conv2d`. shape: of its largest parameter.
        parameters, nonzero: counts; a tensor shared with an earlier layer is counted there.
        bits: of a weight of its largest parameter, as claimed.
        claimed_bytes: its parameters by arithmetic.
        macs: multiplications with its weights in one forward pass of one sample; None where unknown.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    nonzero: int
    bits: float
    claimed_bytes: int
    macs: int | None


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of one forward pass, and those of them that use each parameter."""

    total: int
    by_parameter: Mapping[str, int] = field(default_factory=dict)

    def nonzero(self, model: nn.Module) -> int:
        """What is left if multiplications with a zero weight are skipped, which dense kernels do not do."""
        skipped = 0.0
        for name, tensor in model.named_parameters():
            if count := self.by_parameter.get(name):
                skipped += count * (1 - _nonzero(tensor) / tensor.numel())
        return round(self.total - skipped)


def parameters(model: nn.Module) -> int:
    """How many parameters a model has; tied ones count once, buffers do not."""
    return sum(each.numel() for each in model.parameters())


def nonzero(model: nn.Module) -> int:
    """How many of them differ from zero."""
    return sum(_nonzero(each) for each in model.parameters())


def macs(model: nn.Module, example: Any, call: Call | None = None) -> int | None:
    """Multiply-accumulates of one forward pass of `example`; None where there is no example.

    Matrix products, convolutions and attention, as `torch.utils.flop_counter` counts them (half of its
    FLOPs); additions, activations and normalizations are left out.

    Args:
        example: a tensor, a tuple (positional) or a mapping (by name).
        call: `call(model, inputs)` where the model is called in an unusual way.
    """
    found = count_macs(model, example, call)
    return found.total if found is not None else None


def count_macs(model: nn.Module, example: Any, call: Call | None = None) -> Macs | None:
    """The same with the share of each parameter, which tells a layer's part.

    A model of ordinary size simply runs. One that is large, or whose attention is fused into a kernel that
    hides its products, runs without data on the meta device, where it comes apart; where that fails because
    the model needs values, it runs on its own device with attention taken apart.
    """
    if example is None:
        return None
    from workbench.data import mapped

    call = call or plain_call
    if parameters(model) < _QUICK:  # the meta device costs two seconds of imports the first time
        try:
            return _counted(model, example, call, is_whole=True)
        except Exception:
            pass  # fused, or whatever else: the other ways tell
    try:
        return _counted(meta_copy(model), mapped(lambda each: each.to("meta"), example), call)
    except Exception:  # whatever a model does that needs values: branches, .item(), tensors of its own
        with _attention_apart():  # for the whole process: only where it must be
            return _counted(model, example, call)


def layers(candidate: Candidate, work: Workload, counted: Macs | None = None) -> list[LayerRecord]:
    """One record for each layer that has parameters, in the model's own order.

    Args:
        counted: what `count_macs` found for a model of the same structure; counted here where not given.
    """
    from workbench.measurement.size import bits, parameter_bytes

    counted = counted or count_macs(candidate.model, work.example, call_of(work))
    records = []
    for layer, module, named in _owners(candidate.model):
        largest = max(named, key=lambda name: named[name].numel())
        records.append(
            LayerRecord(
                name=layer,
                kind=type(module).__name__,
                shape=tuple(named[largest].shape),
                parameters=sum(each.numel() for each in named.values()),
                nonzero=sum(_nonzero(each) for each in named.values()),
                bits=bits(candidate, largest),
                claimed_bytes=sum(parameter_bytes(candidate, name) for name in named),
                macs=sum(counted.by_parameter.get(name, 0) for name in named) if counted else None,
            )
        )
    return records


def call_of(work: Workload) -> Call:
    """How a workload calls its model, but leaving inputs on the device where they are."""
    return work.forward or plain_call


def plain_call(model: nn.Module, inputs: Any) -> Any:
    """Call a model with a tensor, a tuple of positional arguments or a mapping of named ones."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple) else model(inputs)


def meta_copy(model: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers have shapes but no values; takes no memory."""
    import torch

    # put into deepcopy's memo, so that no value is ever copied and ties are kept
    empty: dict[int, Any] = {}
    for each in model.parameters():
        empty[id(each)] = torch.nn.Parameter(each.detach().to("meta"), requires_grad=False)
    for each in model.buffers():
        empty[id(each)] = each.detach().to("meta")
    return copy.deepcopy(model, memo=empty)


def _counted(model: nn.Module, example: Any, call: Call, is_whole: bool = False) -> Macs:
    """Run and count. With `is_whole`, kernels that hide products are refused by a `LookupError`."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    weights = {_storage(each): (each.numel(), name) for name, each in model.named_parameters()}
    counts: Counter[str] = Counter()

    class Counting(TorchDispatchMode):
        """Counts the products among the operators below autograd. (`FlopCounterMode` itself hooks every
        module of the process, so a job that trains in another thread would be counted too.)"""

        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else it imports torch's compiler, for two seconds

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            kwargs = kwargs or {}
            formula = _formula(function)
            if is_whole and any(word in function.name() for word in _FUSED):
                raise LookupError(f"{function.name()} hides its products")
            if formula is None and function is not torch.ops.prim.device.default:
                with self:
                    if (result := function.decompose(*args, **kwargs)) is not NotImplemented:
                        return result
            result = function(*args, **kwargs)
            if formula is not None:
                tensors = [each for each in args if isinstance(each, torch.Tensor)]
                _, largest = max((weights.get(_storage(each), (0, "")) for each in tensors), default=(0, ""))
                counts[largest] += formula(*args, **kwargs, out_val=result) // 2
            return result

    with torch.no_grad(), Counting():
        call(model, example)
    total = sum(counts.values())
    counts.pop("", None)  # products of activations with each other, as in attention
    return Macs(total, dict(counts))


def _formula(function: Any) -> Callable[..., int] | None:
    import torch
    from torch.utils.flop_counter import flop_registry

    packet = getattr(function, "_overloadpacket", function)
    if packet is torch.ops.aten.mkldnn_rnn_layer:  # a whole recurrent layer, fused on the CPU
        return lambda x, w_input, w_hidden, *rest, out_val: (
            2 * x.shape[0] * x.shape[1] * (w_input.numel() + w_hidden.numel())
        )
    return flop_registry.get(packet)


@contextmanager
def _attention_apart() -> Iterator[None]:
    """Let attention be computed by plain products, which can be counted, and not by fused kernels."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from workbench.attention import without_fused_attention

    with without_fused_attention(), sdpa_kernel(SDPBackend.MATH):
        yield


def _storage(tensor: Tensor) -> int:
    """What a tensor and its views (a transposed weight) have in common."""
    return tensor.untyped_storage()._cdata


def _owners(model: nn.Module) -> Iterator[tuple[str, nn.Module, dict[str, nn.Parameter]]]:
    """Each module with the parameters that it owns first, by their full names."""
    seen: set[int] = set()
    for path, module in model.named_modules():
        named = {}
        for key, each in module.named_parameters(recurse=False):
            if id(each) not in seen:
                seen.add(id(each))
                named[f"{path}.{key}" if path else key] = each
        if named:
            yield path or type(module).__name__, module, named


def _nonzero(tensor: Tensor) -> int:
    from workbench.tensors import nonzeros

    return nonzeros(tensor)
