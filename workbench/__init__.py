"""Compress neural networks by hand in a notebook, and watch what happens.

Public names are loaded when they are first used: `import workbench` needs neither torch nor a front end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench._version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_WHERE = {
    "Candidate": "workbench.candidate",
    "Job": "workbench.job",
    "Limits": "workbench.exploration.limits",
    "Recipe": "workbench.recipe",
    "Report": "workbench.measurement.report",
    "Technique": "workbench.technique",
    "Version": "workbench.versions",
    "VersionTree": "workbench.versions",
    "Workbench": "workbench.panels",
    "WorkbenchError": "workbench.errors",
    "Workload": "workbench.workload",
    "apply": "workbench.run",
    "calibrations": "workbench.exploration.quantization_spread",
    "compare": "workbench.comparison",
    "compress": "workbench.run",
    "evaluate": "workbench.measurement.accuracy",
    "export": "workbench.storage",
    "flip_stages": "workbench.comparison",
    "flips": "workbench.comparison",
    "load": "workbench.storage",
    "measure": "workbench.measurement",
    "mixed_precision": "workbench.exploration.mixed_precision",
    "option": "workbench.options",
    "receipt": "workbench.storage.receipt",
    "rounding_errors": "workbench.exploration.quantization",
    "save": "workbench.storage",
    "sensitivity": "workbench.exploration.sensitivity",
    "techniques": "workbench.technique",
    "tree_for": "workbench.versions",
}
_FOLDERS = ("charts", "comparison", "examples", "live", "measurement", "panels", "runtimes", "storage")

__all__ = ["__version__", *_WHERE, *_FOLDERS]  # and every technique, see __getattr__


def __getattr__(name: str) -> Any:
    import importlib

    if name in _FOLDERS:
        return importlib.import_module(f"workbench.{name}")
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    if name[:1].isupper():
        from workbench.technique import techniques

        if name in (known := techniques()):
            return known[name]
    raise AttributeError(f"module 'workbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    from workbench.technique import techniques

    return sorted([*__all__, *techniques()])


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext workbench`: adds `%compress` and `%%compress`."""
    from workbench.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext workbench`: takes the magics away again."""
    from workbench.magics import unload

    unload(shell)
