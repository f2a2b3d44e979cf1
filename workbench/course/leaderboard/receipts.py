"""A receipt: one JSON file with a packed model in it, and what its maker says of it."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.course.leaderboard.board import BOARD, Board, CourseError
from workbench.errors import StorageError
from workbench.fields import Fields, parse

if TYPE_CHECKING:
    from workbench.versions import Version

FORMAT = 1
SUFFIX = ".json"
LARGEST = 20_000_000  # bytes of a receipt; ten times the net it is about
_LONGEST_NAME = 60  # characters


@dataclass(frozen=True)
class Receipt:
    """What a receipt holds. Only `packed` counts: the rest is what its maker says.

    Attributes:
        name: of the student or group.
        board: the leaderboard it is for.
        bytes_said: the length of the packed file.
        accuracy_said: on validation data.
        packed: the packed file itself.
    """

    name: str
    board: str
    bytes_said: int
    accuracy_said: float
    packed: bytes


def hand_in(version: Version, name: str, folder: str | Path = ".", board: Board = BOARD) -> Path:
    """Write the receipt of a version, `receipt-ada-lovelace.json`, to be sent to the teacher; where it is.

    The file inside is the smallest form of the version. How good it is on validation data is measured first.

    Raises:
        CourseError: it is not a version of the board's net, or too far from the accuracy to count.
        StorageError: the folder cannot be written.
    """
    from workbench.course.leaderboard.verifying import judged
    from workbench.storage import files

    title = readable(name)
    if not title:
        raise CourseError("a receipt needs a name, like hand_in(version, 'Ada Lovelace')")
    if not hasattr(version, "packed_as"):
        raise CourseError(f"hand_in takes a version, as wb.compress gives it; got {type(version).__name__}")
    packed = version.packed_as("coded")
    accuracy = judged(packed, board, "validation")
    if accuracy.high < board.accuracy:  # nobody is kept from trying what chance may allow
        raise CourseError(
            f"{100 * accuracy.value:.1f} % right on validation data; the leaderboard asks for {board.rule}; "
            "prune less, round less, or train longer"
        )
    said = {"bytes": len(packed), "accuracy": accuracy.value, "recipe": str(version.recipe)}
    content = {"workbench_receipt": FORMAT, "board": board.name, "name": title, "said": said}
    content["file"] = base64.b64encode(packed).decode("ascii")
    path = files.target(Path(folder) / f"receipt-{_slug(title)}{SUFFIX}", SUFFIX)
    files.write(path, json.dumps(content, indent=1, ensure_ascii=False).encode("utf-8"))
    return path


def read(path: str | Path) -> Receipt:
    """The receipt in a file; the model in it is not loaded.

    Raises:
        StorageError, CourseError: it is none, or not of this format; one line.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise CourseError(
                f"a receipt has at most {LARGEST:,} bytes, this file has {path.stat().st_size:,}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"cannot be read: {error.strerror or error}") from error
    fields = Fields(parse(data, "the receipt"), "the receipt")
    if "workbench_receipt" not in fields:
        raise CourseError("this is no receipt of the leaderboard")
    if fields.integer("workbench_receipt") != FORMAT:
        raise CourseError(
            f"a receipt of format {fields.integer('workbench_receipt')}; this workbench reads {FORMAT}"
        )
    said = fields.object("said")
    accuracy = said.given.get("accuracy")
    if type(accuracy) not in (int, float):
        raise StorageError("the receipt says no accuracy")
    return Receipt(
        name=readable(fields.text("name")) or "without a name",
        board=fields.text("board", longest=100),
        bytes_said=said.integer("bytes"),
        accuracy_said=float(accuracy),
        packed=_decoded(fields.text("file", longest=LARGEST)),
    )


def readable(given: object, longest: int = _LONGEST_NAME) -> str:
    """A stranger's text as one short line without control characters, which a terminal would obey."""
    text = unicodedata.normalize("NFC", given[: 10 * longest]) if isinstance(given, str) else ""
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split())[:longest].strip()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise StorageError("the model in the receipt is not whole: its text is no base64") from None


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "of-a-group"
