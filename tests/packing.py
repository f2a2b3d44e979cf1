"""Models and candidates for the tests of the packed file."""

from __future__ import annotations

import copy
import random

import torch
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.constraints import Constraint, Constraints, Grid, Mask
from workbench.storage import container, pack, unpack
from workbench.storage.unpacking import Unpacked


class Holder(nn.Module):
    """A model that is one parameter, `weight`."""

    def __init__(self, tensor: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(tensor, requires_grad=False)


def lenet() -> nn.Sequential:
    """LeNet-300-100's shapes."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def masked(candidate: Candidate, sparsity: float) -> Candidate:
    """The smallest weights of every matrix zeroed."""
    new = {}
    for name, each in candidate.model.named_parameters():
        if each.ndim > 1 and (removed := int(each.numel() * sparsity)):
            new[name] = Mask(each.abs() > each.abs().flatten().kthvalue(removed).values)
    return candidate.constrained(new)


def gridded(candidate: Candidate, bits: int) -> Candidate:
    """Every matrix rounded, one scale per output channel."""
    new = {n: grid(p.detach(), bits) for n, p in candidate.model.named_parameters() if p.ndim > 1}
    return candidate.constrained(new)


def grid(weight: Tensor, bits: int, per_channel: bool = True) -> Grid:
    """The grid that just covers a weight."""
    top = 2 ** (bits - 1) - 1
    if not weight.numel():
        return Grid(bits, torch.ones(()))
    largest = weight.abs().flatten(1).amax(1) if per_channel else weight.abs().amax()
    scale = largest.float().clamp_min(1e-8) / top
    return Grid(bits, scale.reshape(-1, *[1] * (weight.ndim - 1)) if per_channel else scale)


def held(tensor: Tensor, *constraints: Constraint) -> Candidate:
    """A candidate of one parameter that satisfies its constraints."""
    chain = Constraints({"weight": constraints} if constraints else {})
    with torch.no_grad():
        return Candidate(Holder(chain.constrain("weight", tensor)).eval(), chain)


def round_trip(candidate: Candidate, level: str = "packed") -> Unpacked:
    """What is read back, into a model of the same structure with other values."""
    original = candidate.model
    blank = {name: torch.zeros_like(each) for name, each in original.state_dict().items()}
    data = pack(candidate, original=original, level=level)
    other = copy.deepcopy(original)
    other.load_state_dict(blank)
    return unpack(data, other)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A file with one to eight places flipped, overwritten, cut out or filled in."""
    broken = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8))):
        start = dice.randrange(len(broken))
        change = dice.randrange(4)
        if change == 0:
            broken[start] ^= 1 << dice.randrange(8)
        elif change == 1:
            broken[start : start + 4] = dice.randbytes(4)
        elif change == 2:
            del broken[start : start + dice.randrange(1, 20)]
        else:
            broken[start:start] = broken[: dice.randrange(1, 20)]
    return bytes(broken)


def resigned(data: bytes) -> bytes:
    """The same file with the checksum it should have; files too broken for one as they are."""
    mark = container._MARK
    position = data.find(mark)
    if position < 0:
        return data
    start = position + len(mark)
    blank = data[:start] + b"0" * 16 + data[start + 16 :]
    return data[:start] + container._digest(blank) + data[start + 16 :]
