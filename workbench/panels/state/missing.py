"""What a workload lacks, what the notebook has that might be it, and the workload with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkloadError

if TYPE_CHECKING:
    from workbench.workload import Workload


def found(names: Mapping[str, Any]) -> list[str]:
    """The variables that look like data: loaders and data sets, likely ones for validation first."""
    from torch.utils.data import DataLoader, Dataset

    data = [
        name
        for name, value in list(names.items())
        if not name.startswith("_") and isinstance(value, (DataLoader, Dataset))
    ]
    return sorted(data, key=lambda name: ("val" not in name.lower(), "train" in name.lower()))


def shape(text: str) -> tuple[int, ...]:
    """The shape a text spells: `3, 224, 224` or `3x224x224`.

    Raises:
        WorkloadError: it spells none.
    """
    parts = text.replace("×", ",").replace("x", ",").strip("()[] ").split(",")
    try:
        sizes = tuple(int(part) for part in parts if part.strip())
    except ValueError:
        sizes = ()
    if not sizes or min(sizes) < 1:
        raise WorkloadError(f"a shape is whole numbers with commas between, like 3, 224, 224; got {text!r}")
    return sizes


def given(work: Workload, **more: Any) -> Workload:
    """The same workload with `validation=` data or an `input_shape=`.

    Raises:
        WorkloadError: the model does not take them; one line.
    """
    from workbench.workload import Workload

    same = {name: getattr(work, name) for name in ("train", "validation", "test")}
    same |= {
        name: getattr(work, name) for name in ("metrics", "forward", "name", "classes", "threads", "seed")
    }
    example = {} if more else {"example": work.example}
    return Workload(work.model, loss=work._loss, **{**same, **example, **more})
