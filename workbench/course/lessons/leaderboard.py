"""The exercise of the leaderboard: a receipt that a teacher will find to hold."""

from __future__ import annotations

from pathlib import Path

from workbench.course.answers import AFile
from workbench.course.exercise import exercise, expect


@exercise("leaderboard", AFile(".json"))
def smallest_file(path: Path) -> str:
    """How small can the file of LeNet-300-100 be with at least 97 % right?"""
    from workbench.course.leaderboard import BOARD, read
    from workbench.course.leaderboard.verifying import judged

    receipt = read(path)
    expect(receipt.board == BOARD.name, f"this receipt is for another leaderboard, {receipt.board!r}")
    found = judged(receipt.packed, BOARD, "validation")  # test data are for the teacher's one look
    expect(receipt.bytes_said == len(receipt.packed), "the receipt was changed: its file has another length")
    right, needed = 100 * found.value, 100 * BOARD.accuracy
    expect(
        right >= needed, f"{right:.1f} % of the validation samples are right, and {needed:g} % are asked for"
    )
    return "it will be judged on test data, which had no say in your choices: leave some margin"
