"""Data in the notebook that a model takes, found by trying two samples of each, and the flags to name them.

Loaders, data sets and pairs of tensors (`x_test` with `y_test`) are tried; a loader's own order, its workers
and the notebook's random numbers are left alone. The user's model is not run: the workload's copy is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.magics.namespace import Namespace
    from workbench.workload import Workload

_MOST = 24  # variables that are tried; more would make a person wait
_SPLITS = (("train", ("train",)), ("validation", ("val", "dev")), ("test", ("test", "eval")))
# how inputs and targets are told apart by name: x_test and y_test, train_images and train_labels
_INPUTS = {
    "x": ("y", "t"),
    "X": ("y", "Y"),
    "xs": ("ys",),
    "inputs": ("targets", "labels"),
    "images": ("labels", "targets"),
    "features": ("labels", "targets"),
    "data": ("targets", "labels"),
}


def offer(names: Namespace, work: Workload) -> str:
    """The flags that name data for a workload: `--train train_loader --validation val_loader`, or ""."""
    taken: dict[str, str] = {}
    for written, value in candidates(names):
        split = _split_of(written)
        if split not in taken and takes(work, value):
            taken[split] = written
    return " ".join(f"--{split} {taken[split]}" for split, _ in _SPLITS if split in taken)


def candidates(names: Namespace) -> Iterator[tuple[str, Any]]:
    """What might be data, with how to write it after a flag; likely names first."""
    from torch import Tensor

    data = names.data()
    found = {name: value for name, value in data.items() if not isinstance(value, Tensor)}
    found |= dict(_pairs({name: value for name, value in data.items() if isinstance(value, Tensor)}))
    named = [name for name in found if _is_named(name)]
    for name in [*named, *(name for name in found if name not in named)][:_MOST]:
        yield name, found[name]


def takes(work: Workload, data: Any) -> bool:
    """Whether the workload's model takes the first samples of `data`."""
    import torch

    from workbench.data import slices
    from workbench.randomness import isolated_random

    try:
        with isolated_random(0), torch.no_grad():
            inputs, targets = _sample(data)
            if not isinstance(targets, torch.Tensor):
                return False
            work.call(work.baseline, slices(inputs, slice(0, 2)))
    except Exception:  # whatever the model or the data raise: this is not the model's data
        return False
    return True


def _sample(data: Any) -> Any:
    """The first samples as a batch, without starting a loader's workers."""
    from torch.utils.data import DataLoader, IterableDataset

    from workbench.data import Batches

    if isinstance(data, DataLoader) and not isinstance(data.dataset, IterableDataset):
        inputs, targets = data.collate_fn([data.dataset[index] for index in range(min(2, len(data.dataset)))])
        return (tuple(inputs) if isinstance(inputs, list) else inputs), targets
    return Batches.of(data, batch=2).first()


def _pairs(tensors: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Tensors whose names say that they belong together: inputs first, as many targets."""
    for name, inputs in tensors.items():
        words = re.split(r"(_)", name)
        for index, word in enumerate(words):
            for other in _INPUTS.get(word, ()):
                partner = "".join([*words[:index], other, *words[index + 1 :]])
                targets = tensors.get(partner)
                if targets is not None and inputs.ndim and targets.ndim and len(inputs) == len(targets):
                    yield f"({name}, {partner})", (inputs, targets)


def _split_of(name: str) -> str:
    """Which split a variable's name speaks of; validation where it says nothing."""
    lower = name.lower()
    return next((split for split, parts in _SPLITS if any(part in lower for part in parts)), "validation")


def _is_named(name: str) -> bool:
    return any(part in name.lower() for _, parts in _SPLITS for part in parts)
