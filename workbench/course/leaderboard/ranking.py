"""The standings: a folder of receipts, verified one by one and ranked, with what does not hold and why."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.course.leaderboard.board import BOARD, Board, CourseError
from workbench.course.leaderboard.receipts import SUFFIX
from workbench.course.leaderboard.verifying import Standing, verify
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.magics.page import Page


@dataclass(frozen=True)
class Standings:
    """What holds, best first, and what does not.

    Attributes:
        ranked: one standing for each name, the smallest file first; of equal sizes the more accurate.
        surpassed: receipts that hold, of names that have handed in a smaller one.
        refused: receipts that do not hold.
    """

    board: Board
    ranked: tuple[Standing, ...]
    surpassed: tuple[Standing, ...]
    refused: tuple[Standing, ...]

    def __len__(self) -> int:
        return len(self.ranked)

    def __iter__(self) -> Iterator[Standing]:
        return iter(self.ranked)

    def __str__(self) -> str:
        return str(self._page())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self._page()._repr_html_()

    def csv(self) -> str:
        """All receipts as a table for a spreadsheet, one line each."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(("place", "name", "bytes", "accuracy", "low", "high", "n", "why", "file", "recipe"))
        places = {id(each): place for place, each in enumerate(self.ranked, 1)}
        for each in (*self.ranked, *self.surpassed, *self.refused):
            found = each.accuracy
            figures = (found.value, found.low, found.high, found.n) if found is not None else ("",) * 4
            row = (
                places.get(id(each), ""),
                each.name,
                each.bytes,
                *figures,
                each.why,
                each.file,
                each.recipe,
            )
            lines.writerow(_harmless(cell) for cell in row)
        return text.getvalue()

    def _page(self) -> Page:
        from workbench.magics.page import Page, Table, Title, Words

        blocks: list[Any] = [Title(f"Leaderboard: {self.board.rule}")]
        if self.ranked:
            header = ("place", "name", "bytes", "right on test data", "recipe")
            rows = [self._row(place, each) for place, each in enumerate(self.ranked, 1)]
            blocks.append(Table(header, rows, code=frozenset({4}), numbers=frozenset({0, 2})))
        else:
            blocks.append(Words("No receipt here holds."))
        if self.surpassed:
            names = ", ".join(sorted({each.name for each in self.surpassed}))
            blocks.append(Words(f"Larger files of the same names are left out: {names}."))
        if self.refused:
            blocks.append(Title("These do not hold"))
            reasons = [(each.name, each.file, each.why) for each in self.refused]
            blocks.append(Table(("name", "file", "why"), reasons, code=frozenset({1})))
        return Page(tuple(blocks))

    def _row(self, place: int, each: Standing) -> tuple[str, ...]:
        twice = Counter(standing.digest for standing in self.ranked)[each.digest] > 1
        name = f"{each.name} (the same file as another)" if twice else each.name
        found = each.accuracy
        right = units.share_range(found.value, found.low, found.high) if found is not None else units.UNKNOWN
        return str(place), name, f"{each.bytes:,}", right, each.recipe


def standings(folder: str | Path, test: Any = None, board: Board = BOARD) -> Standings:
    """Verify every receipt in a folder and its subfolders, and rank those that hold.

    Args:
        folder: where the receipts are; other files, and JSON files that are no receipts, may lie there too.
        test: inputs and labels that no student has seen, instead of the test data that the package ships.

    Raises:
        CourseError: there is no such folder.
    """
    place = Path(folder)
    if not place.is_dir():
        raise CourseError(f"there is no folder {str(folder)!r}; put the receipts of your students in one")
    paths = sorted(path for path in place.rglob(f"*{SUFFIX}") if _is_handed_in(path.relative_to(place)))
    found = [verify(path, test, board) for path in paths if path.is_file()]
    held = sorted((each for each in found if each.holds), key=_merit)
    best = {each.name: each for each in reversed(held)}
    return Standings(
        board,
        ranked=tuple(each for each in held if best[each.name] is each),
        surpassed=tuple(each for each in held if best[each.name] is not each),
        refused=tuple(each for each in found if not each.holds),
    )


def _is_handed_in(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts)


def _merit(standing: Standing) -> tuple[float, float, str]:
    accuracy = standing.accuracy.value if standing.accuracy is not None else 0.0
    return standing.bytes or 0, -accuracy, standing.name


def _harmless(cell: Any) -> Any:
    """A text that a spreadsheet would take for a formula, as a text."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell
