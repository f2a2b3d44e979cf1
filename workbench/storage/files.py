"""Files on disk: written whole or not at all, read no further than they deserve."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import time
from pathlib import Path
from typing import BinaryIO

from workbench.errors import StorageError
from workbench.storage import container

_ABANDONED = 600  # seconds since the last byte


def target(path: str | Path, suffix: str) -> Path:
    """The path to write to.

    Raises:
        StorageError: another suffix or none, a folder, or a folder that does not exist; one line each.
    """
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise StorageError(f"{path.name!r} must end in {suffix}; write {path.with_suffix(suffix).name!r}")
    if path.is_dir():
        raise StorageError(f"{path} is a folder; give the name of a file in it")
    if not path.parent.is_dir():
        raise StorageError(f"there is no folder {str(path.parent)!r}; make it first, or choose another")
    return Path(os.path.realpath(path))  # through a link: what it points to is replaced, not the link


def write(path: Path, data: bytes) -> int:
    """Write a file under a temporary name beside it, flush it to the disk and rename it; bytes written.

    Raises:
        StorageError: the folder cannot be written or the disk is full; the old file, if any, is as it was.
    """
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write_through(temporary, data)
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"{path.name} could not be written in {str(path.parent)!r}: {reason}; "
            f"{len(data):,} bytes are needed, and what was there is untouched"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return len(data)


def read(path: str | Path) -> bytes:
    """The bytes of a file that begins like a safetensors file and is as long as its header says.

    Raises:
        StorageError: it cannot be read, or is no such file; a foreign one is not read beyond its header.
    """
    path = Path(path)
    if not path.exists():
        raise StorageError(f"there is no file {str(path)!r}{_others(path)}")
    if not path.is_file():
        raise StorageError(f"{path} is not a file")
    try:
        with path.open("rb") as file:
            return _checked(file)
    except StorageError as error:
        raise StorageError(f"{path.name}: {error}") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error


def _sweep(path: Path) -> None:
    """Remove what killed saves of this file left behind, once it is so old that nobody is writing it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > _ABANDONED:
                leftover.unlink()


def _checked(file: BinaryIO) -> bytes:
    """All of a file, after its header was seen to fit its length."""
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    head = file.read(container.header_length(start, size))
    container.read_header(head, size - len(start) - len(head))
    return start + head + file.read()


def _write_through(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make the renaming itself last, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _others(path: Path) -> str:
    found = sorted(each.name for each in path.parent.glob("*.safetensors")) if path.parent.is_dir() else []
    return f"; there are {', '.join(found[:5])}" if found else ""
