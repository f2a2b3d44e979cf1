"""The outer file: safetensors, written and read by hand so that a damaged or hostile one costs nothing.

Layout: eight bytes with the header's length (little-endian), the header (JSON), the tensors' bytes back to
back. `checksum` in the header's metadata covers the whole file but its own digits.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.errors import StorageError
from workbench.fields import Fields, parse
from workbench.tensors import DTYPES, total

METADATA = "__metadata__"
LARGEST_HEADER = 4_000_000  # bytes; about 40,000 tensors, and parsed in well under a second
_UNSIGNED = b'"checksum":"' + b"0" * 16 + b'"'
_MARK = b'"checksum":"'


@dataclass(frozen=True)
class Entry:
    """A tensor of the file: its safetensors dtype, its shape, and where its bytes lie in the payload."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True)
class Plain:
    """A tensor to be written: name, safetensors dtype, shape, bytes."""

    name: str
    dtype: str
    shape: Sequence[int]
    data: bytes | memoryview


@dataclass(frozen=True)
class Container:
    """A file that has been checked: sizes fit, nothing overlaps, the checksum agrees."""

    metadata: Mapping[str, str]
    entries: Mapping[str, Entry]
    payload: memoryview
    header_bytes: int  # everything before the payload

    def data(self, name: str) -> memoryview:
        """The bytes of one tensor."""
        entry = self.entries[name]
        return self.payload[entry.start : entry.stop]


def write(tensors: Sequence[Plain], metadata: Mapping[str, str]) -> bytes:
    """A whole safetensors file with a checksum.

    Raises:
        StorageError: there are so many tensors that the header would be larger than what is read again.
    """
    header: dict[str, object] = {METADATA: {"checksum": "0" * 16, **metadata}}
    position = 0
    for each in tensors:
        stop = position + len(each.data)
        header[each.name] = {
            "dtype": each.dtype,
            "shape": list(each.shape),
            "data_offsets": [position, stop],
        }
        position = stop
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # as the safetensors library aligns it
    if len(text) > LARGEST_HEADER:
        raise StorageError(f"the header would take {len(text):,} bytes, the most is {LARGEST_HEADER:,}")
    start = struct.pack("<Q", len(text)) + text
    digest = _digest(start, *(each.data for each in tensors))
    return b"".join([start.replace(_UNSIGNED, _MARK + digest + b'"', 1), *(each.data for each in tensors)])


def header_length(start: bytes, size: int) -> int:
    """The header's length, from the first eight bytes of a file of `size` bytes.

    Raises:
        StorageError: it cannot be a safetensors file, or its end is missing.
    """
    if size < 10 or len(start) < 8:
        raise StorageError(f"not a packed model: {size:,} bytes are too few for a safetensors file")
    (length,) = struct.unpack("<Q", start[:8])
    if length > LARGEST_HEADER or length < 2:
        raise StorageError("not a packed model: it does not begin like a safetensors file")
    if 8 + length > size:
        raise StorageError(f"the file is cut short: its header should end at byte {8 + length:,} of {size:,}")
    return length


def read_header(text: bytes, payload_bytes: int) -> tuple[dict[str, str], dict[str, Entry]]:
    """Metadata and entries of a header, checked against the number of bytes that follow it."""
    if not text.startswith(b"{"):
        raise StorageError("not a packed model: it does not begin like a safetensors file")
    header = Fields(parse(text, "the file's header"), "the file's header")
    metadata = header.object(METADATA)
    for key in metadata:
        metadata.text(key, longest=LARGEST_HEADER)
    entries = {name: _entry(header.object(name)) for name in header if name != METADATA}
    _check_layout(entries, payload_bytes)
    return dict(metadata.given), entries


def read(data: bytes | memoryview) -> Container:
    """The parts of a file, after its sizes and its checksum were checked; nothing is copied.

    Raises:
        StorageError: naming what is wrong.
    """
    data = memoryview(data).cast("B")
    length = header_length(bytes(data[:8]), len(data))
    metadata, entries = read_header(bytes(data[8 : 8 + length]), len(data) - 8 - length)
    return Container(metadata, entries, data[8 + length :], 8 + length)


def check_sum(data: bytes | memoryview, container: Container) -> None:
    """Compare the file with its checksum.

    Raises:
        StorageError: they differ, or there is none.
    """
    start = bytes(data[: container.header_bytes])
    position = start.find(_MARK)
    written = start[position + len(_MARK) :][:16]
    if position < 0 or container.metadata.get("checksum") != written.decode("latin-1"):
        raise StorageError("the file has no checksum; it was not written by the workbench or is damaged")
    unsigned = start.replace(_MARK + written, _MARK + b"0" * 16, 1)
    if _digest(unsigned, container.payload) != written:
        raise StorageError("the file is damaged: its checksum does not agree; copy or download it again")


def _digest(*parts: bytes | memoryview) -> bytes:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest().encode()


def _entry(fields: Fields) -> Entry:
    dtype = fields.text("dtype")
    if dtype not in DTYPES:
        raise StorageError(f"{fields.where}: unknown dtype {dtype[:20]!r}")
    shape = tuple(fields.integers("shape"))
    offsets = fields.integers("data_offsets")
    if len(offsets) != 2 or offsets[1] - offsets[0] != total(shape) * DTYPES[dtype].itemsize:
        raise StorageError(f"{fields.where}: its bytes do not agree with its shape")
    return Entry(dtype, shape, *offsets)


def _check_layout(entries: Mapping[str, Entry], payload_bytes: int) -> None:
    """The tensors lie back to back, without holes or overlaps, and fill the payload."""
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != position:
            kind = "overlaps another tensor" if entry.start < position else "leaves a hole before it"
            raise StorageError(f"the file's header is wrong: {name[:60]!r} {kind}")
        position = entry.stop
    if payload_bytes < position:
        raise StorageError(
            f"the file is cut short: {position - payload_bytes:,} bytes are missing at its end"
        )
    if payload_bytes > position:
        raise StorageError(f"the file has {payload_bytes - position:,} bytes too many at its end")
