"""Whether a receipt holds: its model is loaded and judged anew, and compared with what is said of it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.course.leaderboard.board import BOARD, Board
from workbench.course.leaderboard.receipts import Receipt, read, readable
from workbench.errors import WorkbenchError
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.workload import Workload

_APART = 0.005  # accuracies that another processor may give; what lies further apart was not measured


@dataclass(frozen=True)
class Standing:
    """What a receipt turned out to be worth.

    Attributes:
        name: of the student or group; of the file where the receipt cannot be read.
        file: the name of the receipt.
        holds: whether it counts.
        why: what does not hold, in one line; empty where all does.
        bytes: the length of the packed file in it, counted here.
        accuracy: on test data, measured here; None where the model could not be loaded.
        digest: of the packed file: equal for equal files.
        recipe: how the file says it was made; nothing depends on it.
    """

    name: str
    file: str
    holds: bool
    why: str = ""
    bytes: int | None = None
    accuracy: Accuracy | None = None
    digest: str = ""
    recipe: str = ""


def verify(path: str | Path, test: Any = None, board: Board = BOARD) -> Standing:
    """Load the model of a receipt and judge it anew. Nothing is raised, whatever the file holds.

    Args:
        test: inputs and labels that nobody has seen, instead of the test data that the package ships.
    """
    path = Path(path)
    file = readable(path.name)
    try:
        receipt = read(path)
    except (WorkbenchError, UnicodeError) as error:
        return Standing(file, file, False, str(error))
    held = {"bytes": len(receipt.packed), "digest": hashlib.sha256(receipt.packed).hexdigest()}
    try:
        if receipt.board != board.name:
            return Standing(
                receipt.name, file, False, f"is for another leaderboard, {receipt.board!r}", **held
            )
        version = _loaded(receipt.packed, board)
        accuracy = judged(version, board, "test", test)
        why = "; ".join(_doubts(receipt, judged(version, board, "validation"), accuracy, board))
    except WorkbenchError as error:
        return Standing(receipt.name, file, False, f"the model in it cannot be used: {error}", **held)
    except Exception as error:  # a model that was made to break whoever runs it
        return Standing(
            receipt.name, file, False, f"the model in it does not run ({type(error).__name__})", **held
        )
    recipe = readable(str(version.recipe), 300)
    return Standing(receipt.name, file, not why, why, accuracy=accuracy, recipe=recipe, **held)


def judged(packed: Any, board: Board, split: str, data: Any = None) -> Accuracy:
    """How good a packed file (or the version it holds) is on a split of the board's data, or on other data.

    Raises:
        WorkbenchError: it cannot be loaded into the board's net, or does not compute classes.
    """
    from workbench.course import trials

    work = _work(board)
    if data is not None and split == "test":  # validation data are given, too: else a part of `data` would be
        work = type(work)(work.model, validation=work.validation, test=data, classes=work.classes)
    version = _loaded(packed, board) if isinstance(packed, bytes) else packed
    accuracy = trials.judged(work, version, split).accuracy
    if accuracy is None:
        raise WorkbenchError("it does not tell classes")
    return accuracy


def _doubts(receipt: Receipt, seen: Accuracy, accuracy: Accuracy, board: Board) -> list[str]:
    """What of a receipt does not hold, in words."""
    doubts = []
    if receipt.bytes_said != len(receipt.packed):
        doubts.append(f"says {receipt.bytes_said:,} bytes, the file has {len(receipt.packed):,}")
    if not abs(receipt.accuracy_said - seen.value) <= _APART:  # so that NaN is doubted, too
        said = units.share(receipt.accuracy_said)
        doubts.append(f"says {said} right on validation data, measured {units.share(seen.value)}")
    needed = math.ceil(board.accuracy * accuracy.n - 1e-9)
    right = round(accuracy.value * accuracy.n)
    if right < needed:
        doubts.append(f"{right:,} of {accuracy.n:,} test samples right, {needed:,} are needed")
    return doubts


def _loaded(packed: bytes, board: Board) -> Any:
    from workbench.versions import Version

    return Version.of_packed(packed, _work(board).model)


def _work(board: Board) -> Workload:
    from workbench.course.trials import example

    return example(board.example)
