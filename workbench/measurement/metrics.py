"""The users' own metrics over a whole split: plain callables, and objects that are fed batch by batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    import numpy as np


class Metrics:
    """Gathers what some metrics need while batches go by, and gives their values at the end.

    A metric is a callable `metric(outputs, targets)`, called once on everything, or an object with
    `update(outputs, targets)`, `compute()` and `reset()` such as those of torchmetrics, of which a copy is
    fed batch by batch, so that two runs at once do not mix.
    """

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._fed = {name: copy.deepcopy(each) for name, each in metrics.items() if _is_fed(each)}
        self._called = {name: each for name, each in metrics.items() if name not in self._fed}
        self._outputs: list[Any] = []
        self._targets: list[Any] = []
        for name, each in self._called.items():
            if not callable(each):
                raise WorkbenchError(
                    f"the metric {name!r} must be callable as metric(outputs, targets), "
                    f"got {type(each).__name__}"
                )
        for each in self._fed.values():
            each.reset()

    def update(self, outputs: Any, targets: Any) -> None:
        """Take in one batch."""
        from workbench.data import mapped

        outputs, targets = (mapped(lambda each: each.detach().cpu(), each) for each in (outputs, targets))
        for name, each in self._fed.items():
            _guarded(name, each.update, outputs, targets)
        if self._called:
            self._outputs.append(outputs)
            self._targets.append(targets)

    def values(self) -> dict[str, float]:
        """Every metric's value over the batches taken in."""
        found = {name: _guarded(name, each.compute) for name, each in self._fed.items()}
        if self._called:
            outputs, targets = _joined(self._outputs), _joined(self._targets)
            found |= {name: _guarded(name, each, outputs, targets) for name, each in self._called.items()}
        return {name: _number(name, value) for name, value in found.items()}


def macro(targets: np.ndarray, predictions: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1, averaged over the classes that occur; each is 0 where it is undefined."""
    import numpy as np

    classes = int(max(targets.max(initial=0), predictions.max(initial=0))) + 1
    right = np.bincount(targets[targets == predictions], minlength=classes)
    labelled = np.bincount(targets, minlength=classes)
    predicted = np.bincount(predictions, minlength=classes)
    occurs = labelled + predicted > 0
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(labelled, 1)
    f1 = 2 * right / np.maximum(labelled + predicted, 1)
    return float(precision[occurs].mean()), float(recall[occurs].mean()), float(f1[occurs].mean())


def _is_fed(metric: Any) -> bool:
    return all(callable(getattr(metric, each, None)) for each in ("update", "compute", "reset"))


def _joined(values: list[Any]) -> Any:
    import torch

    first = values[0]
    if isinstance(first, Mapping):
        return {key: _joined([value[key] for value in values]) for key in first}
    if isinstance(first, (tuple, list)):
        return tuple(_joined([value[i] for value in values]) for i in range(len(first)))
    return torch.cat(values) if isinstance(first, torch.Tensor) else values


def _guarded(name: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise WorkbenchError(f"the metric {name!r} failed: {reason}") from error


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise WorkbenchError(
            f"the metric {name!r} must give one number, got {type(value).__name__}; "
            "reduce it, for example with .mean()"
        ) from error
