"""Read an IDX file, the format of the official MNIST, with numpy alone.

torchvision reads them too, but importing it costs some 170 MB of memory that a small machine misses.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import WorkloadError

if TYPE_CHECKING:
    import numpy as np

UNSIGNED_BYTE = 0x08


def read(path: Path) -> np.ndarray:
    """The uint8 array in the file, gzipped or not; its shape is the one the header gives.

    Raises:
        WorkloadError: when the file is truncated, or is not IDX of unsigned bytes.
    """
    import numpy as np

    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise WorkloadError(f"cannot read {path} ({error}); delete it and load again") from error
    dimensions = raw[3] if len(raw) > 3 and raw[:3] == bytes((0, 0, UNSIGNED_BYTE)) else 0
    start = 4 + 4 * dimensions
    if dimensions and len(raw) >= start:
        shape = tuple(int(size) for size in np.frombuffer(raw, ">u4", dimensions, offset=4))
        if len(raw) - start == math.prod(shape):
            return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
    raise WorkloadError(f"{path} is not a complete IDX file of unsigned bytes; delete it and load again")
