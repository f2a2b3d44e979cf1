"""Where figures were measured, as a table: versions, threads and processor; no paths, and no host's name."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.panels.paper.blocks import Table

if TYPE_CHECKING:
    from workbench.workload import Workload

_PACKAGES = ("compression-workbench", "torch", "onnxruntime", "openvino", "executorch", "numpy")
_CPUINFO = Path("/proc/cpuinfo")


def table(work: Workload) -> Table:
    """The environment of this kernel."""
    rows = [
        ("processor", processor()),
        ("cores", str(os.cpu_count() or "not known")),
        ("threads used", str(work.threads)),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("Python", platform.python_version()),
        *((name, found) for name in _PACKAGES if (found := _installed(name))),
    ]
    return Table("The environment in which this report was written", ("what", "which"), tuple(rows))


def processor() -> str:
    """The processor's name, as the platform tells it."""
    told = platform.processor()
    if told and told != platform.machine():
        return told
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or told or platform.machine() or "not known"


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
