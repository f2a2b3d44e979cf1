"""Measure a model: accuracy, size, compute, latency and memory, each with what it can be trusted for.

The names here are loaded when they are first used, so that charts and magics can read records and write
figures (`units`) without torch.
"""

from __future__ import annotations

from typing import Any

_WHERE = {
    "Accuracy": "accuracy",
    "Baseline": "report",
    "Evaluation": "accuracy",
    "Latency": "report",
    "LayerRecord": "compute",
    "Paired": "pairing",
    "Report": "report",
    "Size": "size",
    "claimed_bytes": "size",
    "evaluate": "accuracy",
    "evaluating": "accuracy",
    "layers": "compute",
    "macs": "compute",
    "measure": "everything",
    "measuring": "everything",
    "nonzero": "compute",
    "paired": "pairing",
    "parameters": "compute",
    "sentence": "verdict",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
