"""A plain copy of a person's model: in eval mode, on tensors of its own, with computed weights written out.

Weights are computed by parametrizations, and by the hooks of the older `weight_norm` and `spectral_norm` and
of `torch.nn.utils.prune`. The person's model keeps all of them.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from workbench.errors import WorkloadError

_UNCHANGING = (bool, int, float, str, type(None))
_COMPUTING = (WeightNorm, SpectralNorm, BasePruningMethod)


def plain_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` in eval mode whose weights are all plain parameters.

    Raises:
        WorkloadError: the model cannot be copied; the line says why.
    """
    try:
        plain = own_copy(model).eval()
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise WorkloadError(f"the model cannot be copied: {reason}") from error
    for module in list(plain.modules()):
        if parametrize.is_parametrized(module):
            _write_out(module)
        _remove_computing_hooks(module)
    return plain


def own_copy(model: nn.Module, instead: Mapping[int, Tensor] | None = None) -> nn.Module:
    """A deep copy. Tensors that layers have computed and kept are copied as values, which torch refuses.

    `instead` holds tensors that the copy has in the place of those with the given `id`s.
    """
    kept = (value for module in model.modules() for value in vars(module).values())
    computed = {id(each): each for each in kept if isinstance(each, Tensor) and not each.is_leaf}
    values = {key: each.detach().clone() for key, each in computed.items()}
    return _copied(model, {**values, **(instead or {})})


def _copied(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """What `copy.deepcopy` gives, in half the time: most of what a module holds is empty or a number."""
    if id(module) in memo:
        return memo[id(module)]
    if not _is_copied_by_its_attributes(type(module)):
        return copy.deepcopy(module, memo)
    new = memo[id(module)] = object.__new__(type(module))
    for name, value in vars(module).items():
        if name == "_modules":
            made: Any = type(value)()
            made.update(
                {key: None if child is None else _copied(child, memo) for key, child in value.items()}
            )
        elif type(value) in _UNCHANGING:
            made = value
        elif type(value) in (dict, OrderedDict) and not value:
            made = type(value)()
        else:
            made = copy.deepcopy(value, memo)
        vars(new)[name] = made
    return new


@cache
def _is_copied_by_its_attributes(cls: type[nn.Module]) -> bool:
    """Whether a class leaves to Python how it is copied."""
    if any(
        hasattr(cls, name) for name in ("__deepcopy__", "__getnewargs__", "__getnewargs_ex__", "__slots__")
    ):
        return False
    left = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__new__")
    return all(getattr(cls, name) is getattr(nn.Module, name) for name in left)


def _write_out(module: nn.Module) -> None:
    """Write a parametrized module's weights into plain parameters.

    `remove_parametrizations` would edit the generated class, which a copy shares with the person's model.
    """
    plain = {}
    for name, parametrization in module.parametrizations.items():
        trains = any(each.requires_grad for each in parametrization.parameters())
        with torch.no_grad():
            plain[name] = nn.Parameter(getattr(module, name).clone(), requires_grad=trains)
    plain_class = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    module.__class__ = plain_class
    for name, parameter in plain.items():
        module.register_parameter(name, parameter)


def _remove_computing_hooks(module: nn.Module) -> None:
    for key, hook in list(module._forward_pre_hooks.items()):
        if isinstance(hook, _COMPUTING):
            trains = any(each.requires_grad for each in module.parameters(recurse=False))
            with torch.no_grad():
                hook.remove(module)
            del module._forward_pre_hooks[key]
            name = getattr(hook, "name", None) or hook._tensor_name
            getattr(module, name).requires_grad_(trains)
