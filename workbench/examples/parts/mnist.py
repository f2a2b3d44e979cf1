"""MNIST: the shipped subset, or the official set from a folder, the cache or the network.

Train is the first 55,000 of the official training set, validation its last 5,000, test the official
10,000. The subset takes evenly spaced samples of each of the three (see `spread`).
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import WorkloadError
from workbench.examples.parts import idx
from workbench.examples.parts.example import DATA, Splits

if TYPE_CHECKING:
    import numpy as np

    Arrays = dict[str, tuple[np.ndarray, np.ndarray]]

CLASSES = tuple("0123456789")
TRAIN = 55_000  # of the official 60,000; the rest is for validation
SUBSET = DATA / "mnist-subset.npz.xz"
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 60_000),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 10_000),
}
TIMEOUT = 20  # seconds without an answer, after which there counts as being no network


def splits(data: str) -> Splits:
    """MNIST as `data` asks for it: "subset", "full", or "auto" (full where it is on disk).

    Inputs are float32 of shape (n, 1, 28, 28) between 0 and 1.

    Raises:
        WorkloadError: for "full" that is neither on disk nor to be had by the network, or a broken file.
    """
    folder = None if data == "subset" else on_disk()
    if data == "full" and folder is None:
        folder = download()
    arrays, title = (subset(), "MNIST subset") if folder is None else (full(folder), "MNIST")
    return Splits(title, *(_tensors(*arrays[name]) for name in ("train", "validation", "test")))


def subset() -> Arrays:
    """The shipped samples: images (n, 28, 28) and labels (n,), both uint8, by split."""
    import numpy as np

    with np.load(io.BytesIO(lzma.decompress(SUBSET.read_bytes())), allow_pickle=False) as file:
        return {
            name: (file[f"{name}_images"], file[f"{name}_labels"]) for name in ("train", "validation", "test")
        }


def full(folder: Path) -> Arrays:
    """The official set from the IDX files in `folder`, in the same form as `subset`."""
    images, labels = _official(folder, "train")
    return {
        "train": (images[:TRAIN], labels[:TRAIN]),
        "validation": (images[TRAIN:], labels[TRAIN:]),
        "test": _official(folder, "test"),
    }


def spread(samples: int, kept: int) -> np.ndarray:
    """The `kept` indices, evenly spaced among `samples`, that go into the subset.

    Not the first ones: the official test set has one kind of writer in its first half, and another in its
    second, and one half is harder than the other.
    """
    import numpy as np

    return np.arange(kept) * samples // kept


def on_disk() -> Path | None:
    """The folder that holds all four files, or None: below WORKBENCH_DATA first, then below the cache."""
    return next((raw for root in _roots() for raw in _places(root) if _is_complete(raw)), None)


def download() -> Path:
    """Fetch the official set into the cache through torchvision; returns the folder of its files."""
    from torchvision.datasets import MNIST

    waited = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        # torchvision prints a line for each mirror that does not answer
        with contextlib.redirect_stdout(io.StringIO()):
            MNIST(str(cache()), download=True)
    except (OSError, RuntimeError) as error:
        # torchvision lists every mirror with its reason; the last reason is enough
        reason = str(error).rpartition("got:")[2].strip(" <>\n") or type(error).__name__
        raise WorkloadError(
            f"the full MNIST is not on this machine and could not be downloaded ({reason}); put its four "
            "files into FOLDER/MNIST/raw and set WORKBENCH_DATA to FOLDER, or take the shipped part by "
            'data="subset"'
        ) from error
    finally:
        socket.setdefaulttimeout(waited)
    return cache() / "MNIST" / "raw"


def cache() -> Path:
    """The folder that downloads are kept in."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench"
    except RuntimeError:  # a user without a home folder, as containers have
        return Path(tempfile.gettempdir()) / "workbench"


def _roots() -> list[Path]:
    named = os.environ.get("WORKBENCH_DATA")
    return [Path(named).expanduser(), cache()] if named else [cache()]


def _places(root: Path) -> tuple[Path, ...]:
    return root / "MNIST" / "raw", root / "mnist" / "MNIST" / "raw"


def _is_complete(raw: Path) -> bool:
    return all(_file(raw, name) for *names, _ in FILES.values() for name in names)


def _file(raw: Path, name: str) -> Path | None:
    return next((path for path in (raw / name, raw / f"{name}.gz") if path.is_file()), None)


def _official(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    *names, count = FILES[part]
    images, labels = (idx.read(_file(folder, name) or folder / name) for name in names)
    if images.shape != (count, 28, 28) or labels.shape != (count,) or labels.max() > 9:
        raise WorkloadError(
            f"{folder} does not hold the official MNIST: expected {count:,} images of 28×28 with labels "
            f"0 to 9 in {names[0]} and {names[1]}, got {images.shape} and {labels.shape}"
        )
    return images, labels


def _tensors(images: np.ndarray, labels: np.ndarray) -> tuple:
    import torch

    # `tensor` copies: numpy's view of the file's bytes is read-only
    return torch.tensor(images).unsqueeze(1).float().div_(255), torch.tensor(labels).long()
