"""Whether what the graph says is so: a cut model must compute what the whole one computes with the same
channels silenced.

The check is exact for what it is about, the bookkeeping of which index belongs to which: where the weights
that read a channel are zero, the channel may as well be gone. Normalizations over channels would tell the
two apart, rightly; they are left out of both models. What the graph cannot see (channels that are shuffled,
a width that `forward` reads elsewhere) shows as a difference or an error, and the group is locked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from workbench.algorithms.channels.cutting import Kept, Plan, Removed, cut, plan
from workbench.algorithms.channels.heads import variants
from workbench.algorithms.channels.records import IN, INNER, Group
from workbench.attention import without_fused_attention
from workbench.candidate import with_parameters
from workbench.data import mapped
from workbench.tensors import nonzeros
from workbench.workload import Workload

CLOSE = 2e-3  # of the largest output: float32 in another order of summation, through a hundred layers
_LIVELY = 0.7  # share of a weight that differs from zero
_LARGE = 128  # pixels
_OVER_CHANNELS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


def checked(model: nn.Module, work: Workload, groups: Sequence[Group]) -> tuple[Group, ...]:
    """The groups, those locked (or with the numbers that shrink too) that do not check as they are."""
    free = [each for each in groups if not each.locked]
    checker = _Checker(model, work)
    if checker.holds(free):
        return tuple(groups)
    sound = {each.name: each for each in checker.sound(free)}
    if not checker.holds(together := [each for each in sound.values() if not each.locked]):
        sound |= {each.name: each for each in checker.one_after_another(together)}
    return tuple(sound.get(each.name, each) for each in groups)


def forward_trouble(work: Workload, model: nn.Module, like: Any) -> str:
    """Why a cut model is not accepted: its outputs on the example differ in shape or are no numbers."""
    try:
        with torch.no_grad():
            outputs = work.call(model, work.example)
    except Exception as error:
        return f"the forward pass fails: {_line(error)}"
    shapes = [[tuple(t.shape) for t in _flat(each)] for each in (outputs, like)]
    if shapes[0] != shapes[1]:
        return f"the outputs would be {shapes[0]}, not {shapes[1]}"
    is_finite = all(bool(torch.isfinite(t).all()) for t in _flat(outputs) if t.is_floating_point())
    return "" if is_finite else "the outputs are no numbers"


class _Checker:
    """Compares cut and silenced models on one random input of the example's kind."""

    def __init__(self, model: nn.Module, work: Workload) -> None:
        self._work = work
        self._generator = torch.Generator().manual_seed(0)
        self._model = self._filled(model)
        self._whole: Tensor | None = None
        self._inputs = self._smaller(mapped(self._noise, work.example))

    def sound(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, wrong ones found by halving."""
        if len(groups) > 1:
            middle = len(groups) // 2
            halves = (groups[:middle], groups[middle:])
            return [each for half in halves for each in (half if self.holds(half) else self.sound(half))]
        group = groups[0]
        reason = self.trouble(groups)
        if not reason:
            return [group]
        for variant in variants(group, self._model):
            if self.holds([variant]):
                return [variant]
        return [replace(group, locked=reason)]

    def one_after_another(self, groups: Sequence[Group]) -> list[Group]:
        """Where groups hold alone but not together: those that do not go with the ones before are locked."""
        accepted: list[Group] = []
        for each in groups:
            reason = self.trouble([*accepted, each])
            if not reason:
                accepted.append(each)
        names = {each.name for each in accepted}
        why = "it does not go together with other groups"
        return [each if each.name in names else replace(each, locked=why) for each in groups]

    def holds(self, groups: Sequence[Group]) -> bool:
        """Whether a cut through all of these computes what silencing computes."""
        return not self.trouble(groups)

    def trouble(self, groups: Sequence[Group]) -> str:
        """What is wrong with cutting these groups, in words, or nothing."""
        if not groups:
            return ""
        removed = {each.name: self._some(each.units) for each in groups}
        try:
            silent = self._silent(groups, removed)
        except Exception as error:
            return f"the model does not run on random inputs: {_line(error)}"
        try:
            plans = plan(self._model, groups, removed)
            small = self._outputs(cut(self._model, plans))
        except Exception as error:
            return f"the model does not run without some of its channels: {_line(error)}"
        if [each.shape for each in small] != [each.shape for each in silent]:
            return "the model's outputs would have another shape"
        apart = max((_apart(a, b) for a, b in zip(small, silent, strict=True)), default=0.0)
        if apart <= CLOSE:
            return ""
        return "the graph does not see how its channels are used: what is left would compute something else"

    def _silent(self, groups: Sequence[Group], removed: Removed) -> list[Tensor]:
        model = silenced(self._model, groups, removed)
        try:
            return self._outputs(model)
        except Exception:
            if self._whole is None:
                raise
            self._inputs, self._whole = self._whole, None  # a net of one size
            return self._outputs(model)

    def _some(self, units: int) -> Tensor:
        """Half of the units, drawn by lot; at least one stays."""
        order = torch.randperm(units, generator=self._generator)
        return order[: units // 2].sort().values

    def _outputs(self, model: nn.Module) -> list[Tensor]:
        for module in model.modules():
            if isinstance(module, _OVER_CHANNELS):
                module.forward = _same  # type: ignore[method-assign]  # on the copy's own instance
        with torch.no_grad(), without_fused_attention():
            return _flat(self._work.call(model, self._inputs))

    def _smaller(self, inputs: Any) -> Any:
        """Large pictures at a third of their sides, for nets that take any size: channels are the same."""
        if not isinstance(inputs, Tensor) or inputs.ndim != 4 or min(inputs.shape[2:]) < _LARGE:
            return inputs
        self._whole = inputs
        return inputs[..., ::3, ::3].contiguous()

    def _filled(self, model: nn.Module) -> nn.Module:
        """The model, with noise where weights are mostly zero: through those nothing could be seen."""
        new = {}
        for name, each in model.named_parameters():
            if "weight" not in name.rpartition(".")[2] or not each.is_floating_point() or not each.numel():
                continue
            weight = each.detach()
            share = nonzeros(weight) / weight.numel()
            if share < _LIVELY:
                scale = weight.square().mean().sqrt() / share**0.5 if share else 0.1
                noise = torch.randn(weight.shape, generator=self._generator).to(weight) * scale
                new[name] = torch.where(weight == 0, noise, weight)
        return with_parameters(model, new) if new else model

    def _noise(self, each: Tensor) -> Tensor:
        if not each.is_floating_point():
            return each
        return torch.randn(each.shape, generator=self._generator).to(each)


def silenced(model: nn.Module, groups: Sequence[Group], removed: Removed) -> nn.Module:
    """The whole model with zeros where layers read the channels that go."""
    readers = [
        replace(group, parts=tuple(p for p in group.parts if p.side in (IN, INNER)), scalars=())
        for group in groups
    ]
    found: Plan = plan(model, readers, removed)
    zeroed = {
        name: _zeroed(model.get_parameter(name).detach(), kept)
        for name, kept in found.tensors.items()
        if not _is_projection(model, name)
    }
    return with_parameters(model, zeroed).eval()


def _zeroed(tensor: Tensor, kept: Kept) -> Tensor:
    for axis, index in kept.by_axis.items():
        is_kept = torch.zeros(tensor.shape[axis], dtype=torch.bool, device=tensor.device)
        is_kept[index.to(tensor.device)] = True
        shape = [1] * tensor.ndim
        shape[axis] = -1
        tensor = tensor * is_kept.reshape(shape)
    return tensor


def _is_projection(model: nn.Module, name: str) -> bool:
    """Whether a tensor makes what attention computes inside; its reader is the output projection."""
    path, _, key = name.rpartition(".")
    return isinstance(model.get_submodule(path), nn.MultiheadAttention) and key.startswith("in_proj")


def _apart(a: Tensor, b: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    if not a.is_floating_point() or not a.numel():
        return 0.0 if torch.equal(a, b) else math.inf
    largest = max(float(a.abs().max()), float(b.abs().max()))
    if not math.isfinite(largest):
        return math.inf
    return float((a - b).abs().max()) / largest if largest else 0.0


def _flat(outputs: Any) -> list[Tensor]:
    found: list[Tensor] = []
    mapped(lambda each: found.append(each) or each, outputs)  # type: ignore[func-returns-value]
    return found


def _same(inputs: Tensor) -> Tensor:
    return inputs


def _line(error: Exception) -> str:
    return (str(error).split("\n")[0] or type(error).__name__)[:160]
