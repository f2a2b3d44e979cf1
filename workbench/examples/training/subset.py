"""Pack evenly spaced samples of the official MNIST into the file the package ships."""

from __future__ import annotations

import io
import lzma

import numpy as np

from workbench.errors import WorkloadError
from workbench.examples.parts import mnist

KEPT = {"train": 8_500, "validation": 3_000, "test": 3_000}
LIMIT = 2_000_000  # bytes
# xz beat PNG, WebP, bz2 and every rearrangement of the pixels that was tried: 135 bytes an image
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def pack() -> int:
    """Write the subset from the full set on disk; returns its bytes. The same input gives the same file.

    Raises:
        WorkloadError: when the full set is not on disk, or the file would be larger than 2 MB.
    """
    official = mnist.full(mnist.on_disk() or mnist.download())
    arrays = {}
    for name, kept in KEPT.items():
        images, labels = official[name]
        chosen = mnist.spread(len(labels), kept)
        arrays[f"{name}_images"], arrays[f"{name}_labels"] = images[chosen], labels[chosen]
    data = packed(arrays)
    if len(data) > LIMIT:
        raise WorkloadError(
            f"the subset would take {len(data):,} bytes, more than {LIMIT:,}; keep fewer samples"
        )
    mnist.SUBSET.write_bytes(data)
    return len(data)


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """Arrays as the bytes of an `.npz.xz` file; the same arrays give the same bytes."""
    # uncompressed inside: xz then sees the pixels themselves. numpy writes a fixed date into its entries
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return lzma.compress(buffer.getvalue(), format=lzma.FORMAT_XZ, filters=FILTERS)
