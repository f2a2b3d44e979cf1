"""What every byte of a packed file is for; the lines add up to the file's length."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.storage import container, header
from workbench.storage.content import Part
from workbench.storage.unpacking import Stored, contents

HEADER = "header"


@dataclass(frozen=True)
class Line:
    """Bytes of a file: of which tensor, for what, in which encoding.

    Attributes:
        tensor: its name, empty for the header.
        role: "header", "constraint", "positions" or "values".
        encoding: "dense", "grid", "bitmap", "gaps", ...
    """

    tensor: str
    role: str
    encoding: str
    bytes: int


def inventory(data: bytes | memoryview) -> list[Line]:
    """Every part of a packed file with its length; header first, then tensor by tensor.

    Raises:
        StorageError: not a packed file, or a damaged one.
    """
    opened = container.read(data)
    header.check_format(opened.metadata)
    container.check_sum(data, opened)
    lines = [Line("", HEADER, "json", opened.header_bytes)]
    for stored in contents(opened, header.from_metadata(opened.metadata)):
        lines.extend(_lines(stored))
    return lines


def _lines(stored: Stored) -> list[Line]:
    encoded = stored.encoded
    parts = [("constraint", each) for each in encoded.constraints]
    if encoded.positions is not None:
        parts.append(("positions", encoded.positions))
    parts.append(("values", encoded.values))
    return [
        Line(stored.name, role, _encoding(part), len(part.data)) for role, part in parts if len(part.data)
    ]


def _encoding(part: Part) -> str:
    return part.record[0]
