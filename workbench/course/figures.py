"""`figure(...)`: a picture in a lesson, with words for those who do not see it and its figures as a table."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

_MOST = 40  # rows of the table beside a picture
_ORDINALS = {2: "second", 3: "third"}
_TITLE = "The figures of the picture above as a table"
_OF_RUN = "The figures of this run; another processor may round otherwise"  # tests/notebooks/sanitize.cfg


def figure(
    picture: Any,
    words: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, str] | Sequence[str] | None = None,
    width: int = 640,
) -> None:
    """Show a picture and, folded below it, the same as a table.

    Args:
        picture: an Altair chart with its data, its dictionary, or the text of an SVG (as `still` gives it).
        words: what the picture shows, for a screen reader: say what one should see, not what kind it is.
        rows: what is drawn, a dictionary each.
        columns: which keys of the rows are shown and how they are called; all of them where none are named.
            Rows that do not have all of them (lines, hints) are left out.
        width: of the picture on the page, in pixels.
    """
    from workbench.live.still import png
    from workbench.magics import here
    from workbench.magics.display import show

    table = Figures.of(rows, columns)
    if here.shell() is None:
        print(f"{words}\n{table}")
        return
    show(_Picture(png(picture), words, width))
    show(table)


def table(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str] | Sequence[str] | None = None
) -> None:
    """Show figures that training made: an image more or less on another processor; the rest is `figure`'s."""
    from workbench.magics import here
    from workbench.magics.display import show

    made = replace(Figures.of(rows, columns), name=_OF_RUN)
    print(made) if here.shell() is None else show(made)


@dataclass(frozen=True)
class Figures:
    """A table that folds: rows of texts under a header.

    Attributes:
        stride: 1, or of long tables: which rows are shown, every second, third, ... one and the last.
        name: what it is a table of; one that is not beside a picture is unfolded.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    stride: int = 1
    name: str = _TITLE

    @classmethod
    def of(
        cls, rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str] | Sequence[str] | None = None
    ) -> Figures:
        """The table of some rows; of many rows every second, third, ... one and the last, and it says so."""
        rows = list(rows)
        shown = list(dict.fromkeys(key for row in rows for key in row)) if columns is None else columns
        names = shown if isinstance(columns, Mapping) else {key: key for key in shown}
        kept = [row for row in rows if columns is None or all(key in row for key in names)]
        stride = -(-len(kept) // _MOST) or 1
        thinned = [row for place, row in enumerate(kept) if place % stride == 0 or place == len(kept) - 1]
        texts = tuple(tuple(_text(row.get(key)) for key in names) for row in thinned)
        return cls(tuple(names.values()), texts, stride)

    @property
    def title(self) -> str:
        if self.stride == 1:
            return self.name
        return f"{self.name} (every {_ORDINALS.get(self.stride, f'{self.stride}th')} row and the last)"

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = (
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.header, *self.rows)
        )
        return "\n".join([f"{self.title}:", *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        is_open = "" if self.name == _TITLE else " open"
        return f'<details class="workbench-figures"{is_open}><summary>{self.title}</summary>{table}</details>'


@dataclass(frozen=True)
class _Picture:
    """A PNG with its words; as HTML, since JupyterLab gives an image in an output no alternative text."""

    data: bytes
    words: str
    width: int

    def __repr__(self) -> str:
        return "a picture; what it shows in words is its alternative text, its figures stand below it"

    def _repr_html_(self) -> str:
        source = f"data:image/png;base64,{base64.b64encode(self.data).decode()}"
        return (
            f'<img class="workbench-picture" alt="{escape(self.words)}" width="{self.width}" src="{source}">'
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value + 0.0:.4g}"  # a negative zero is zero
    return str(value)
