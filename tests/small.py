"""Tiny models and data for the tests: made in a millisecond, the same every time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

FEATURES, CLASSES = 6, 3


def blobs(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """`n` points of three well-separated classes in six dimensions, classes in turn."""
    centers = 2 * torch.eye(CLASSES).repeat(1, 2)
    targets = torch.arange(n) % CLASSES
    noise = torch.randn(n, FEATURES, generator=torch.Generator().manual_seed(seed))
    return centers[targets] + 0.7 * noise, targets


def net(*layers: nn.Module, seed: int = 0, hidden: int = 8) -> nn.Sequential:
    """A two-layer perceptron, or the given layers between its two, with weights drawn from `seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(FEATURES, hidden), *(layers or (nn.ReLU(),)), nn.Linear(hidden, CLASSES)
        )


def data(train: int = 96, validation: int = 48, test: int = 48) -> dict[str, tuple[Tensor, Tensor]]:
    """The three splits, as `Workload` takes them."""
    sizes = {"train": train, "validation": validation, "test": test}
    return {name: blobs(n, seed) for seed, (name, n) in enumerate(sizes.items())}


def workload(model: nn.Module | None = None, **options: Any) -> Any:
    """A workload on the blobs."""
    from workbench.workload import Workload

    return Workload(model if model is not None else net(), **{**data(), **options})


def states(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every tensor of a model, to compare with later."""
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two models' tensors agree bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def hooks(model: nn.Module) -> int:
    """How many hooks are on a model."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def measure_quickly(monkeypatch: Any) -> None:
    """Let runs measure everything but latency, which takes seconds."""
    import functools

    from workbench.measurement import everything

    monkeypatch.setattr(everything, "measuring", functools.partial(everything.measuring, runtimes=()))
