"""The weights of a layer as whole numbers, where they lie on a uniform grid that int8 kernels can take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.activations import INPUT, Affine, Dynamic, Rounding, place

if TYPE_CHECKING:
    import numpy as np

    from workbench.candidate import Candidate

_LARGEST_BIAS = 2**30  # of an int32, half: sums of products are added to it


class NotInteger(Exception):
    """Why a layer cannot run on whole numbers, as the rest of `conv1: ...`."""


@dataclass(frozen=True, eq=False)
class Integers:
    """A weight as int8 codes with one scale for each output channel: `codes[c] · scales[c]`.

    Attributes:
        codes: int8, of the weight's shape, output channels first.
        scales: float32, one for each channel, positive.
    """

    codes: np.ndarray
    scales: np.ndarray

    def scaled(self, factors: np.ndarray) -> Integers:
        """The same codes with each channel times a factor (a batch norm folded in); signs go to the codes."""
        import numpy as np

        shape = (-1, *[1] * (self.codes.ndim - 1))
        signs = np.sign(factors).astype(np.int8).reshape(shape)
        scales = self.scales * np.abs(factors)
        is_dead = scales < np.finfo(np.float32).tiny
        return Integers(self.codes * signs, np.where(is_dead, 1.0, scales).astype(np.float32))

    def with_bias(self, bias: np.ndarray, step: float) -> tuple[Integers, np.ndarray, np.ndarray]:
        """The weight, its bias as int32 codes, and the bias's scales: the products of both scales.

        Where a bias would not fit beside tiny weights, they get a coarser scale: what they lose is less than
        the bias's own last digit.

        Args:
            step: the scale of the layer's input.
        """
        import numpy as np

        needed = np.abs(bias) / (_LARGEST_BIAS * step)
        scales = np.maximum(self.scales, needed).astype(np.float32)
        shape = (-1, *[1] * (self.codes.ndim - 1))
        ratio = (self.scales / scales).reshape(shape)
        codes = np.where(ratio == 1, self.codes, np.round(self.codes * ratio)).astype(np.int8)
        steps = (scales * np.float32(step)).astype(np.float32)
        return Integers(codes, scales), np.round(bias / steps).astype(np.int32), steps


def integers(candidate: Candidate, name: str, axis: int = 0) -> Integers:
    """The codes of one weight.

    Args:
        name: of the parameter. axis: of its output channels.

    Raises:
        NotInteger: it lies on no such grid.
    """
    import numpy as np
    import torch

    from workbench.constraints import Grid

    grid: Any = candidate.constraints.of(name, Grid)
    if grid is None:
        raise NotInteger("its weights lie on no uniform grid")
    if grid.bits > 8:
        raise NotInteger(f"its weights have {grid.bits} bits, int8 kernels take 8 at most")
    weight = candidate.model.get_parameter(name).detach().cpu().float()
    scales = grid.scales(weight.shape).expand(weight.shape).movedim(axis, 0).flatten(1)
    if not bool((scales == scales[:, :1]).all()):
        raise NotInteger("its weights have a scale for each group, int8 kernels take one for each channel")
    channel = scales[:, 0].contiguous()
    multiples = torch.round(weight.movedim(axis, 0) / channel.reshape(-1, *[1] * (weight.ndim - 1)))
    if bool((multiples.abs() > 127).any()):
        raise NotInteger("its grid is not symmetric, and of 8 bits: its codes do not fit into int8")
    return Integers(multiples.to(torch.int8).contiguous().numpy(), channel.numpy().astype(np.float32))


def rounding_in(candidate: Candidate, layer: str, *, is_dynamic: bool = False) -> Rounding:
    """How what goes into a layer is rounded, to 8 bits.

    Args:
        is_dynamic: whether the kernel can find ranges while it runs.

    Raises:
        NotInteger: it is not rounded, or to another width.
    """
    found: Rounding | None = candidate.activations.get(place(layer, INPUT))
    if found is None:
        raise NotInteger("what goes in is not rounded")
    if isinstance(found, Dynamic) and not is_dynamic:
        raise NotInteger("ranges found while it runs (dynamic) have no int8 kernel for this kind of layer")
    if isinstance(found, (Affine, Dynamic)) and found.bits == 8:
        return found
    bits = getattr(found, "bits", None)
    raise NotInteger(f"what goes in has {bits} bits, int8 kernels take 8" if bits else "unknown rounding")


def unsigned(rounding: Affine) -> tuple[float, int]:
    """The scale and the zero point of a rounding whose codes run from 0 to 255."""
    return float(rounding.step), rounding.zero_point - rounding.lowest
