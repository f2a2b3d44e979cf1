"""The kernels of a convolution as small pictures of one colour scale, which says its range."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from workbench.exploration.layer_records import Kernels, Tile

# Okabe and Ito's blue and vermillion through a grey that stands out from white and black paper
_LOW, _MIDDLE, _HIGH = (0, 114, 178), (236, 236, 236), (213, 94, 0)
_EMPTY = (0, 0, 0, 0)  # exactly zero, and between the tiles: the paper shows
_BROKEN = (204, 121, 167, 255)  # not a number
_SIDE = 220  # pixels a picture is drawn wide, at most
_LARGEST = 9  # pixels a weight takes, at most


def html(kernels: Kernels) -> str:
    """Pictures with a text alternative, what they show, and the colour scale with its range."""
    pictures = [("now", kernels.now)]
    if kernels.is_changed:
        pictures = [("before", kernels.before), *pictures]
    drawn = "".join(_figure(kernels, word, tiles, len(pictures) > 1) for word, tiles in pictures)
    limit = f"{kernels.limit:.3g}"
    colors = ", ".join(f"rgb{each}" for each in (_LOW, _MIDDLE, _HIGH))
    scale = f'<span class="wb-scale-bar" style="background: linear-gradient(to right, {colors})"></span>'
    return (
        f'<div class="wb-kernels"><p class="wb-hint">{escape(kernels.title)}</p>'
        f'<div class="wb-pictures">{drawn}</div>'
        f'<p class="wb-scale"><span>−{limit}</span>{scale}<span>{limit}</span>'
        f'<span class="wb-hint">exactly zero: empty</span></p></div>'
    )


def summary(kernels: Kernels) -> str:
    """What a picture shows, in words."""
    weights = [value for row in kernels.now for tile in row for line in tile for value in line]
    there = [value for value in weights if not math.isinf(value)]
    zeros = sum(value == 0 for value in there) / max(len(there), 1)
    return (
        f"Kernels of {kernels.name}, {kernels.title}; weights from −{kernels.limit:.3g} to "
        f"{kernels.limit:.3g}, {100 * zeros:.0f} % of those shown exactly zero"
    )


def png(tiles: Sequence[Sequence[Tile]], limit: float) -> tuple[bytes, int, int]:
    """The tiles as a PNG file, a pixel a weight and one between tiles; with its width and height."""
    import numpy as np

    values = np.asarray(tiles, dtype=float)  # rows, columns, height, width
    apart = np.pad(values, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.inf)
    rows, columns, height, width = apart.shape
    flat = apart.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)[:-1, :-1]
    pixels = _colored(flat, limit)
    return _encoded(pixels), flat.shape[1], flat.shape[0]


def _figure(kernels: Kernels, word: str, tiles: Sequence[Sequence[Tile]], is_named: bool) -> str:
    data, width, height = png(tiles, kernels.limit)
    side = max(1, min(_LARGEST, _SIDE // max(width, height)))
    source = base64.b64encode(data).decode()
    alternative = summary(kernels) if word == "now" else f"The same before, of the original {kernels.name}"
    caption = f"<figcaption>{word}</figcaption>" if is_named else ""
    return (
        f'<figure><img alt="{escape(alternative)}" width="{width * side}" height="{height * side}" '
        f'src="data:image/png;base64,{source}">{caption}</figure>'
    )


def _colored(values: np.ndarray, limit: float) -> np.ndarray:
    """Red, green, blue and opacity of each value."""
    import numpy as np

    part = np.clip(np.where(np.isfinite(values), np.abs(values), 0) / limit, 0, 1)[..., None]
    ends = np.where(values[..., None] > 0, _HIGH, _LOW)
    colors = np.round(np.array(_MIDDLE) + part * (ends - np.array(_MIDDLE)))
    pixels = np.concatenate([colors, np.full((*values.shape, 1), 255)], axis=-1)
    pixels[(values == 0) | np.isinf(values)] = _EMPTY
    pixels[np.isnan(values)] = _BROKEN
    return pixels.astype(np.uint8)


def _encoded(pixels: np.ndarray) -> bytes:
    """A PNG file of red, green, blue and opacity, 8 bits each."""
    height, width, _ = pixels.shape
    raw = b"".join(b"\0" + line.tobytes() for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(named: tuple[bytes, bytes]) -> bytes:
    name, data = named
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
