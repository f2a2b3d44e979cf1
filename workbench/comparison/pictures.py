"""A sample to be looked at: a small PNG picture where the inputs are images, a line of text otherwise."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LARGEST = 64  # pixels of a side; larger pictures are averaged down
_SMALLEST = 4  # pixels; below, three channels of two numbers are no picture
_NUMBERS = 8  # of a sample that is no picture
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_picture(sample: Any) -> bool:
    """Whether this is one image: a tensor of 1 or 3 channels, height and width."""
    shape = getattr(sample, "shape", ())
    return len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= _SMALLEST


def picture(sample: Tensor) -> str:
    """One image as the address of its PNG data, for the `src` of an `img`."""
    return f"data:image/png;base64,{base64.b64encode(png(sample)).decode()}"


def png(sample: Tensor) -> bytes:
    """An image of shape (1 or 3, height, width) as PNG.

    Shares (0 to 1) and bytes (0 to 255) are shown as they are; anything else, as data that were normalized
    are, is stretched from its own darkest to its own brightest value.
    """
    from torch.nn.functional import adaptive_avg_pool2d

    values = sample.detach().float().cpu()
    height, width = values.shape[1:]
    if max(height, width) > LARGEST:
        scale = LARGEST / max(height, width)
        values = adaptive_avg_pool2d(
            values[None], (max(1, round(height * scale)), max(1, round(width * scale)))
        )[0]
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        values = (values - low) / ((high - low) or 1.0)
    elif high > 1:
        values = values / 255
    pixels = (values * 255).round().clamp(0, 255).byte()  # (channels, height, width)
    rows = pixels.permute(1, 2, 0).flatten(1)
    raw = b"".join(b"\0" + bytes(row.tolist()) for row in rows)  # each line begins with its filter, none
    color = 2 if len(values) == 3 else 0
    head = struct.pack(">IIBBBBB", pixels.shape[2], pixels.shape[1], 8, color, 0, 0, 0)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(raw, 9)) + _chunk(b"IEND", b"")
    return _SIGNATURE + chunks


def text(sample: Any) -> str:
    """A sample that is no picture, in a few numbers: `0.12, −1.3, 0.5, … (6)`."""
    if isinstance(sample, Mapping):
        return "; ".join(f"{name}: {text(each)}" for name, each in sample.items())
    if isinstance(sample, (tuple, list)):
        return "; ".join(map(text, sample))
    if not hasattr(sample, "flatten"):
        return str(sample)[:60]
    numbers = sample.flatten()
    told = ", ".join(f"{each:.3g}".replace("-", "−") for each in numbers[:_NUMBERS].tolist())
    return told if len(numbers) <= _NUMBERS else f"{told}, … ({len(numbers):,} numbers)"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
