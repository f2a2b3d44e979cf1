"""Whole numbers of k bits each, really packed: any k from 0 to 16, vectorised.

The numbers form one little-endian stream of bits: number i starts at bit i*k, its lowest bit first, and bit
j of the stream is bit j % 8 of byte j // 8. Eight numbers fill k bytes, so they are packed by eights.
"""

from __future__ import annotations

import numpy as np

from workbench.errors import StorageError

WIDEST = 16


def packed_bytes(count: int, bits: int) -> int:
    """How many bytes `count` numbers of `bits` bits take."""
    return (count * bits + 7) // 8


def pack(numbers: np.ndarray, bits: int) -> bytes:
    """Numbers below `2**bits`, as bytes.

    >>> pack(np.array([1, 2, 3]), 2).hex()
    '39'
    """
    count = numbers.size
    if not bits or not count:
        return b""
    rows = np.zeros((-(-count // 8), 8), np.uint16)
    rows.reshape(-1)[:count] = numbers.reshape(-1)
    words = np.zeros((len(rows), 2 if bits > 8 else 1), "<u8")
    for column in range(8):
        number = rows[:, column].astype(np.uint64)
        word, shift = divmod(column * bits, 64)
        words[:, word] |= number << np.uint64(shift)
        if shift + bits > 64:  # the number's upper bits begin the second word
            words[:, 1] |= number >> np.uint64(64 - shift)
    return words.view(np.uint8)[:, :bits].tobytes()[: packed_bytes(count, bits)]


def unpack(data: bytes | memoryview, bits: int, count: int) -> np.ndarray:
    """The `count` numbers that `pack` wrote; uint8 up to 8 bits, else uint16.

    Raises:
        StorageError: the bytes are not as many as the numbers take.
    """
    if not 0 <= bits <= WIDEST:
        raise StorageError(f"packed numbers have 0 to {WIDEST} bits, the file says {bits}")
    if len(data) != packed_bytes(count, bits):
        expected = packed_bytes(count, bits)
        raise StorageError(f"{count:,} numbers of {bits} bits take {expected:,} bytes, got {len(data):,}")
    dtype = np.uint8 if bits <= 8 else np.uint16
    if not bits or not count:
        return np.zeros(count, dtype)
    words = _words(data, bits, -(-count // 8))
    numbers = np.empty((len(words), 8), dtype)
    for column in range(8):
        word, shift = divmod(column * bits, 64)
        number = words[:, word] >> np.uint64(shift)
        if shift + bits > 64:
            number |= words[:, 1] << np.uint64(64 - shift)
        numbers[:, column] = number & np.uint64(2**bits - 1)
    return numbers.reshape(-1)[:count]


def _words(data: bytes | memoryview, bits: int, rows: int) -> np.ndarray:
    """Each row of `bits` bytes spread over one or two 64-bit words."""
    stored = np.zeros(rows * bits, np.uint8)
    stored[: len(data)] = np.frombuffer(data, np.uint8)
    spread = np.zeros((rows, 16 if bits > 8 else 8), np.uint8)
    spread[:, :bits] = stored.reshape(rows, bits)
    return spread.view("<u8")
