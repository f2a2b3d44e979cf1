"""Write a version to a file a person named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.versions import Version

PACKED = ".safetensors"


def target(name: str, version: Version) -> Path:
    """The path a name means: the version's own where it is empty, packed where it has no suffix."""
    path = Path(name.strip() or version.name).expanduser()
    return path if path.suffix else path.with_suffix(PACKED)


def write(version: Version, path: Path) -> str:
    """Write the version, packed or exported as the suffix says; one line that tells what was written.

    Raises:
        StorageError: it cannot be written; one line.
    """
    from workbench.storage import export, save

    written = save(version, path) if path.suffix.lower() == PACKED else export(version, path)
    return f"{version.name} written to {path}, {units.size(written)}"
