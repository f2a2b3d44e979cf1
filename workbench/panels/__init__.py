"""Panels: widgets that show what a session knows and call it when a control is moved.

`Workbench(work)` is the studio. `session.py` is what it knows and does, without a widget; the files named
`*_box.py` show one part of it each. The names are loaded when they are first used.
"""

from __future__ import annotations

from typing import Any

_WHERE = {
    "Compare": "compare",
    "Distillation": "distillation",
    "Factorization": "factorization",
    "Pruning": "pruning",
    "Quantization": "quantization",
    "Sensitivity": "sensitivity",
    "Sharing": "sharing",
    "Workbench": "studio",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _WHERE:
        from workbench.live import bundle, kept

        # the page reads the libraries of the charts, and draws one, while Python reads the panel
        bundle.bring_to_page(kept.known("tradeoff"))
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
