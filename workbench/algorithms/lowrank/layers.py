"""Which layers of a model can be split, and why the others are left whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from workbench.algorithms.lowrank.shape import Shape
from workbench.algorithms.lowrank.trace import CONVOLUTIONS, KINDS, Places
from workbench.errors import WorkbenchError

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LOOKALIKES = (nn.MultiheadAttention, nn.EmbeddingBag, nn.Bilinear, nn.RNNBase, *_TRANSPOSED)


@dataclass(frozen=True, eq=False)
class Splittable:
    """One layer that can be split: its path, the module, its sizes, and the shape of what it was given."""

    name: str
    module: nn.Module
    shape: Shape
    input_shape: tuple[int, ...] = ()

    @property
    def has_bias(self) -> bool:
        """Whether there is a bias to put a mean in."""
        return getattr(self.module, "bias", None) is not None

    def weight(self) -> Tensor:
        """The weight in a convolution's layout `(out, inp / groups, *kernel)`, on the CPU, at least float32.

        Raises:
            WorkbenchError: it is not finite; the line names it.
        """
        weight = self.module.weight.detach()
        if not bool(torch.isfinite(weight).all()):
            bad = "NaN" if bool(torch.isnan(weight).any()) else "infinite values"
            raise WorkbenchError(
                f"{self.name}.weight holds {bad}, so it has no ranks; load or train the model again"
            )
        weight = weight.cpu() if weight.dtype is torch.float64 else weight.float().cpu()
        return weight.T if isinstance(self.module, nn.Embedding) else weight


@dataclass(frozen=True)
class Whole:
    """A layer that is left as it is, and why, in words that several layers may share."""

    name: str
    reason: str


def find(
    model: nn.Module, places: Mapping[str, Places] | None = None
) -> tuple[list[Splittable], list[Whole]]:
    """The layers that can be split in the model's own order, and those of a kind with weights that cannot.

    Args:
        places: where each layer was called, from `trace`; None where the model was not run.
    """
    paths = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    owners = Counter(
        id(parameter)
        for module in model.modules()
        for parameter in module.parameters(recurse=False)
        if parameter.ndim > 1
    )
    found, whole = [], []
    for name, module in model.named_modules():
        if not isinstance(module, (*KINDS, *_LOOKALIKES)):
            continue
        reason = _obstacle(name, module, paths[id(module)], owners)
        if reason is None and places is not None and name not in places:
            reason = "read by its weight or never called, so no thin layers can take its place"
        if reason is not None:
            whole.append(Whole(name, reason))
        else:
            where = (places or {}).get(name, Places(0, 0, 0))
            found.append(Splittable(name, module, _shape(module, where), where.shape))
    return found, whole


def _obstacle(name: str, module: nn.Module, paths: int, owners: Counter[int]) -> str | None:
    """Why a module cannot be replaced by thin layers; None where it can."""
    if isinstance(module, (nn.MultiheadAttention, NonDynamicallyQuantizableLinear)):
        return "attention that reads its projections as weights (separate q, k, v layers can be split)"
    if type(module) not in KINDS:
        return f"a {type(module).__name__}, which has no thin form here"
    if not name:
        return "the model itself (put it in nn.Sequential to split it)"
    if paths > 1 or owners[id(module.weight)] > 1:
        return "tied: its weight is used in more than one place"
    if isinstance(module, nn.Embedding) and (module.max_norm is not None or module.sparse):
        return "an embedding with max_norm or sparse gradients"
    if isinstance(module, CONVOLUTIONS) and module.groups > 1:
        return "depthwise: nothing to share" if module.groups == module.out_channels else None
    return None


def _shape(module: nn.Module, where: Places) -> Shape:
    positions = (where.before, where.after, where.between)
    if isinstance(module, nn.Embedding):
        return Shape(module.embedding_dim, module.num_embeddings, (), 1, *positions, is_lookup=True)
    if isinstance(module, nn.Linear):
        return Shape(module.out_features, module.in_features, (), 1, *positions)
    return Shape(
        module.out_channels, module.in_channels, tuple(module.kernel_size), module.groups, *positions
    )
