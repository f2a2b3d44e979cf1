"""A person's model as it was handed over: whether it can be used, and whether it has changed since."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from workbench.errors import WorkloadError, shown


class Original:
    """What a model was when this was made.

    Args:
        model: the person's own.
        baseline: a plain copy of it, whose weights are the ones compared with where the names agree.
    """

    def __init__(self, model: nn.Module, baseline: nn.Module) -> None:
        self._layers = _layers(model)
        plain = dict(baseline.named_parameters(remove_duplicate=False))
        # buffers are copied: a model may count in them when it is called, and the baseline is
        self._tensors = {
            name: plain[name] if name in plain else tensor.detach().clone()
            for name, tensor in tensors(model).items()
        }

    def difference(self, model: nn.Module) -> str | None:
        """The first layer or tensor that is no longer what it was, or None."""
        different = _first_difference(_layers(model), self._layers, lambda a, b: a == b)
        if different is None:
            different = _first_difference(tensors(model), self._tensors, _same)
        return different


def check_usable(model: Any) -> None:
    """Refuse what cannot be compressed.

    Raises:
        WorkloadError: no `nn.Module`, a scripted one, or one whose weights are no finite numbers.
    """
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise WorkloadError(f"{model.__name__} is a class; make a model of it first: {model.__name__}()")
    if not isinstance(model, nn.Module):
        raise WorkloadError(f"the model must be a torch.nn.Module, got {shown(model)}")
    if isinstance(model, torch.jit.ScriptModule):
        raise WorkloadError(
            "the model is scripted (TorchScript) and cannot be rewritten; give the nn.Module it was made from"
        )
    for name, tensor in tensors(model).items():
        if is_lazy(tensor):
            raise WorkloadError(
                f"{name} has no shape yet, since the model has not been called yet; call it on a batch first"
            )
        if tensor.is_meta:
            raise WorkloadError(f"{name} is on the meta device and has no values; load the weights first")
        is_weight = isinstance(tensor, nn.Parameter)  # a buffer may be infinite: attention masks are
        has_nan = bool(torch.isnan(tensor).any())
        if has_nan or (is_weight and bool(torch.isinf(tensor).any())):
            bad = f"{'NaN' if has_nan else 'infinite'} {'weights' if is_weight else 'values'}"
            raise WorkloadError(f"{name} holds {bad}; train or load the model again before compressing it")


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer by name, tied ones under each of their names."""
    return {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }


def _layers(model: nn.Module) -> dict[str, str]:
    """The type of every layer by path, with the settings of torch's own: all of a model but its tensors."""
    return {
        path: f"{type(each)} {each.extra_repr() if type(each).__module__.startswith('torch.') else ''}"
        for path, each in model.named_modules(remove_duplicate=False)
    }


def _first_difference(
    now: Mapping[str, Any], before: Mapping[str, Any], agree: Callable[[Any, Any], bool]
) -> str | None:
    for name in [*now, *before]:
        if name not in now or name not in before or not agree(now[name], before[name]):
            return name
    return None


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.to(b.device), b)
