"""Which weights of a model share one list of values, and the codebooks that clustering makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from workbench.algorithms.clustering import Histogram, cluster
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Mask, as_float16
from workbench.errors import RecipeError, listed, nearest
from workbench.layers import weights

_PRUNED = 0.01  # a tensor with a larger share of exact zeros has been pruned, whoever did it
_KINDS = (nn.modules.conv._ConvNd, nn.Linear, nn.Embedding, nn.modules.rnn.RNNBase)


@dataclass(frozen=True, eq=False)
class SharedList:
    """The weights that share one list of values, sorted into bins once.

    Attributes:
        tensors: the parameters by name.
        new_masks: of those that hold zeros without a mask: somebody else pruned them.
    """

    tensors: Mapping[str, Tensor]
    histogram: Histogram
    new_masks: Mapping[str, Mask]

    def codebooks(
        self, clusters: int, start: str, seed: int
    ) -> tuple[dict[str, Codebook], dict[str, Tensor]]:
        """A codebook for every parameter, all with one tensor of values, and the weights they give."""
        found = cluster(self.histogram, clusters, start, seed)
        rounded = as_float16(torch.from_numpy(found.values).float()).numpy()
        # values that float16 cannot tell apart are one; no value at all means that every weight was pruned
        values, merged = np.unique(rounded, return_inverse=True) if rounded.size else (np.zeros(1), [0])
        values = values.astype(np.float32)
        table = np.asarray(merged, np.uint8)[found.table()] if rounded.size else found.table()
        by_bin = values[table]
        by_bin[-1] = 0.0  # the bin of removed weights
        shared = torch.from_numpy(values)
        books, made = {}, {}
        for name, tensor in self.tensors.items():
            bins = self.histogram.bins[name]
            codes = torch.from_numpy(np.take(table, bins)).reshape(tensor.shape)
            books[name] = Codebook(shared, codes)
            made[name] = torch.from_numpy(np.take(by_bin, bins)).reshape(tensor.shape).to(tensor.dtype)
        return books, made


def shared_lists(
    candidate: Candidate, scope: str, layers: Sequence[str] = (), biases: bool = False
) -> list[SharedList]:
    """The lists of values of a candidate, one per "layer", per "group" of layers of one kind, or per "model".

    Args:
        layers: only these; all where there are none.
        biases: whether the biases of these layers share a list of their own.

    Raises:
        RecipeError: a layer that the model has not.
    """
    found = [each for each in weights(candidate.model) if not layers or each.layer in layers]
    _check(layers, [each.layer for each in weights(candidate.model)])
    lists: dict[str, list[str]] = {}
    for each in found:
        key = {"layer": each.name, "group": _kind(each.module), "model": ""}[scope]
        lists.setdefault(key, []).append(each.name)
    if biases:
        modules = {id(each.module): each for each in found}.values()
        lists["biases"] = [
            f"{each.layer}.{key}"
            for each in modules
            for key, parameter in each.module.named_parameters(recurse=False)
            if "bias" in key and parameter.is_floating_point()
        ]
    return [_list(candidate, names) for names in lists.values() if names]


def within(candidate: Candidate, lists: Sequence[SharedList], layers: frozenset[str]) -> list[SharedList]:
    """What is left of lists when only some layers may be touched; one that loses members is sorted again."""
    left = []
    for each in lists:
        names = [name for name in each.tensors if (name.rpartition(".")[0] or name) in layers]
        if names:
            left.append(each if len(names) == len(each.tensors) else _list(candidate, names))
    return left


def lists(candidate: Candidate) -> list[tuple[tuple[str, ...], list[float], list[int]]]:
    """Every list of shared values a candidate has: its parameters, the values, and how often each is used."""
    by_values: dict[int, list[str]] = {}
    for name in candidate.constraints:
        if (book := candidate.constraints.of(name, Codebook)) is not None:
            by_values.setdefault(id(book.values), []).append(name)
    return [(tuple(names), *_used(candidate, names)) for names in by_values.values()]


def _used(candidate: Candidate, names: Sequence[str]) -> tuple[list[float], list[int]]:
    uses, shared = torch.zeros(0, dtype=torch.int64), torch.zeros(0)
    for name in names:
        book, mask = candidate.constraints.of(name, Codebook), candidate.constraints.of(name, Mask)
        assert book is not None
        codes = book.codes.reshape(-1) if mask is None else book.codes[mask.keep]
        counted = torch.bincount(codes, minlength=len(book.values))
        uses, shared = counted if not len(uses) else uses + counted, book.shared
    order = torch.argsort(shared)
    return shared[order].tolist(), uses[order].tolist()


def _list(candidate: Candidate, names: Sequence[str]) -> SharedList:
    tensors = {name: candidate.model.get_parameter(name).detach() for name in names}
    arrays = {name: tensor.cpu().float().numpy() for name, tensor in tensors.items()}
    kept, new_masks = {}, {}
    for name, tensor in tensors.items():
        mask = candidate.constraints.of(name, Mask)
        if mask is None and tensor.ndim > 1 and _is_pruned(tensor):
            mask = new_masks[name] = Mask(tensor != 0)
        if mask is not None:
            kept[name] = mask.keep.cpu().numpy()
    return SharedList(tensors, Histogram.of(arrays, kept), new_masks)


def _is_pruned(tensor: Tensor) -> bool:
    zeros = tensor.numel() - int(torch.count_nonzero(tensor))
    return zeros > _PRUNED * tensor.numel()


def _kind(module: nn.Module) -> str:
    """The kind of layer that a group is made of."""
    kind = next((each for each in _KINDS if isinstance(module, each)), type(module))
    return kind.__name__


def _check(asked: Sequence[str], there: Sequence[str]) -> None:
    for name in asked:
        if name not in there:
            known = list(dict.fromkeys(there))
            raise RecipeError(
                f"no layer named {name!r} with weights{nearest(name, known)} (there are: {listed(known)})"
            )
