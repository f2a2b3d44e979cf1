"""The workbench's own part of the header: a JSON object, compressed where that is shorter.

Plain JSON begins with `{`; the compressed form is `z` and the base85 text of its zlib bytes.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from workbench.errors import StorageError
from workbench.fields import Fields, parse

KEY = "workbench"
FORMAT_KEY = "workbench_format"
FORMAT = 1
_LONGEST = 4_000_000  # characters of JSON after decompression
_LONGEST_COMPRESSED = 300_000  # base85 is decoded at a few MB a second
_COMPRESSED = "z"


def to_metadata(header: Mapping[str, Any]) -> dict[str, str]:
    """The header as safetensors metadata, in the shorter of its two forms."""
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    if len(text) > _LONGEST:
        raise StorageError(f"the header would take {len(text):,} characters, the most is {_LONGEST:,}")
    compressed = _COMPRESSED + base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    quoted = len(json.dumps(text, ensure_ascii=False))
    is_shorter = len(compressed) + 2 < quoted and len(compressed) <= _LONGEST_COMPRESSED
    return {FORMAT_KEY: str(FORMAT), KEY: compressed if is_shorter else text}


def check_format(metadata: Mapping[str, str]) -> None:
    """Refuse files of others and of the future, before anything else is believed.

    Raises:
        StorageError: with what the file is, and what to do.
    """
    if KEY not in metadata:
        raise StorageError(
            "a safetensors file, but not a packed model of the workbench; "
            "read its tensors with safetensors.torch.load_file"
        )
    written = metadata.get(FORMAT_KEY, "")
    if not written.isascii() or not written.isdigit() or len(written) > 6:
        raise StorageError(f"the file does not say its format; this workbench reads format {FORMAT}")
    if int(written) != FORMAT:
        raise StorageError(
            f"the file is written in format {int(written)}, this workbench reads format {FORMAT}; "
            "install a newer workbench to load it"
        )


def from_metadata(metadata: Mapping[str, str]) -> Fields:
    """The header that `to_metadata` wrote.

    Raises:
        StorageError: it is not JSON, too deep, or larger than any real one (a decompression bomb).
    """
    text: str | bytes = metadata[KEY]
    if text.startswith(_COMPRESSED):
        text = _decompressed(text[1:])
    if len(text) > _LONGEST:
        raise StorageError("the workbench's header is larger than any real one")
    return Fields(parse(text, "the workbench's header"), "the workbench's header")


def _decompressed(text: str) -> bytes:
    if len(text) > _LONGEST_COMPRESSED:
        raise StorageError("the workbench's header is larger than any real one")
    try:
        expander = zlib.decompressobj()
        found = expander.decompress(base64.b85decode(text), _LONGEST + 1)
    except (ValueError, zlib.error):
        raise StorageError("the workbench's header is damaged: it cannot be decompressed") from None
    if len(found) <= _LONGEST and not expander.eof:
        raise StorageError("the workbench's header is damaged: its end is missing")
    return found
