"""How large a layer is and where it is applied: what its parameters and multiplications follow from."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The sizes of one linear, convolution or embedding layer.

    Attributes:
        out, inp: output and input channels (features, for a linear layer).
        kernel: the kernel's extent along each axis; empty for a linear layer.
        groups: of a convolution.
        positions_in, positions_out, positions_between: at how many places one sample applies a 1×1 layer
            before the kernel, the kernel itself, and a kernel that only moves along the first axis. Zero
            where the model was not run.
        is_lookup: an embedding: its input costs no multiplication.
    """

    out: int
    inp: int
    kernel: tuple[int, ...] = ()
    groups: int = 1
    positions_in: int = 0
    positions_out: int = 0
    positions_between: int = 0
    is_lookup: bool = False

    @property
    def taps(self) -> int:
        """How many weights the kernel has per pair of channels."""
        return math.prod(self.kernel)

    @property
    def parameters(self) -> int:
        """Weights of the layer as it is, without its bias."""
        return self.out * self.inp * self.taps // self.groups

    @property
    def macs(self) -> int:
        """Multiplications of the layer as it is, for one sample."""
        return 0 if self.is_lookup else self.parameters * self.positions_out
