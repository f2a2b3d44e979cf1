"""Whole numbers in as many bits as their frequencies deserve: an asymmetric numeral system (constriction).

Bytes: the table of frequencies, packed at `width` bits each; then the coder's 32-bit words, little-endian.
The frequencies are quantised, so that small tensors carry small tables; the decoder computes with the very
same whole numbers. (Duda, "Asymmetric numeral systems", 2013.)
"""

from __future__ import annotations

import numpy as np

from workbench.errors import StorageError
from workbench.fields import Fields
from workbench.storage import bits
from workbench.storage.content import Offer, Part

NAME = "ans"
_WIDTHS = (4, 6, 8, 10, 12, 14, 16)
_MOST_SYMBOLS = 2**bits.WIDEST


def offer(numbers: np.ndarray) -> Offer:
    """Flat whole numbers, coded at once: only the coder knows how many bytes they take."""
    counts = np.bincount(numbers, minlength=2)
    width = min(_WIDTHS, key=lambda each: _expected_bits(counts, each))
    table = _quantised(counts, width)
    coder = _coder()
    coder.encode_reverse(numbers.astype(np.int32), _model(table))
    words = coder.get_compressed().astype("<u4").tobytes()
    record = [NAME, {"symbols": len(table), "width": width}]
    data = bits.pack(table, width) + words
    return Offer(len(data), lambda: Part(record, data))


def expected_bytes(numbers: np.ndarray, count: int | None = None) -> float:
    """About how many bytes `offer` would take, without coding; for `count` numbers like these."""
    counts = np.bincount(numbers, minlength=2)
    if count is not None and numbers.size:
        counts = counts * (count / numbers.size)
    return min(_expected_bits(counts, width) for width in _WIDTHS) / 8


def read(parameters: Fields, data: memoryview, count: int) -> np.ndarray:
    """The `count` numbers, int32.

    Raises:
        StorageError: the table or the words cannot be what was written.
    """
    symbols = parameters.integer("symbols", low=2, high=_MOST_SYMBOLS)
    width = parameters.integer("width", low=1, high=bits.WIDEST)
    table_bytes = bits.packed_bytes(symbols, width)
    if len(data) < table_bytes or (len(data) - table_bytes) % 4:
        raise StorageError("coded numbers are damaged: their table or words are cut short")
    table = bits.unpack(data[:table_bytes], width, symbols)
    if not table.any():
        raise StorageError("coded numbers are damaged: their table is empty")
    words = np.frombuffer(data[table_bytes:], "<u4").astype(np.uint32)
    if words.size and not words[-1]:
        raise StorageError("coded numbers are damaged: their last word is zero")
    return _coder(words).decode(_model(table), count)


def _quantised(counts: np.ndarray, width: int) -> np.ndarray:
    """Frequencies of `width` bits each; none that occurs becomes zero."""
    top = 2**width - 1
    scaled = np.rint(counts * (top / max(1, counts.max()))).astype(np.int64)
    return np.where(counts > 0, np.maximum(scaled, 1), 0).astype(np.uint16)


def _expected_bits(counts: np.ndarray, width: int) -> float:
    """Length of the numbers and the table under the quantised frequencies."""
    table = _quantised(counts, width)
    occurring = counts > 0
    shares = table[occurring] / table.sum(dtype=np.int64)
    return float(-(counts[occurring] * np.log2(shares)).sum()) + width * len(table)


def _model(table: np.ndarray) -> object:
    import constriction

    shares = table.astype(np.float64) / float(table.sum(dtype=np.int64))
    return constriction.stream.model.Categorical(shares.astype(np.float32), perfect=False)


def _coder(words: np.ndarray | None = None) -> object:
    import constriction

    stack = constriction.stream.stack
    return stack.AnsCoder() if words is None or not words.size else stack.AnsCoder(words)
