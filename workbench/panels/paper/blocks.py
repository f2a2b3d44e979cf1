"""The blocks a still form and a report are made of, and the HTML of each.

The HTML keeps what sanitizers leave: headings, tables with captions and row headers, and pictures as data in
an `img` with its text. GitHub takes scripts, style sheets and inline SVG away.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_TYPES = {b"\x89PNG": "image/png", b"<svg": "image/svg+xml"}


@dataclass(frozen=True)
class Title:
    """A heading; `level` is below that of the block before where it is a part of it."""

    text: str
    level: int = 2

    def html(self, draw: Draw) -> str:
        """As HTML."""
        return f"<h{self.level}>{escape(self.text)}</h{self.level}>"


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str

    def html(self, draw: Draw) -> str:
        """As HTML."""
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    text: str

    def html(self, draw: Draw) -> str:
        """As HTML."""
        # a box that scrolls must be reachable by keyboard
        return f'<pre tabindex="0"><code>{escape(self.text)}</code></pre>'


@dataclass(frozen=True)
class Table:
    """Rows of texts under a caption; the first cell of each row names it. `code`: columns set as code."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    code: frozenset[int] = frozenset()

    def html(self, draw: Draw) -> str:
        """As HTML."""
        head = "".join(f'<th scope="col">{escape(each)}</th>' for each in self.header)
        body = "\n".join(f"<tr>{''.join(map(self._cell, range(len(row)), row))}</tr>" for row in self.rows)
        return (
            f"<table><caption>{escape(self.caption)}</caption>\n"
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        )

    def _cell(self, column: int, text: str) -> str:
        inner = f"<code>{escape(text)}</code>" if column in self.code and text else escape(text)
        return f'<th scope="row">{inner}</th>' if column == 0 else f"<td>{inner}</td>"


@dataclass(frozen=True)
class Picture:
    """A chart of a board with its rows, and what it shows in words."""

    title: str
    spec: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    text: str

    def html(self, draw: Draw) -> str:
        """As HTML: the picture, or the words alone where it is not drawn."""
        return draw(self) or f"<p>{escape(self.text)}</p>"


Block = Title | Words | Code | Table | Picture
Draw = Callable[[Picture], str]


def undrawn(picture: Picture) -> str:
    """Leaves a picture to its words."""
    return ""


def html(blocks: Sequence[Block], draw: Draw = undrawn) -> str:
    """Blocks below each other."""
    return "\n".join(each.html(draw) for each in blocks)


def image(picture: Picture, light: bytes, dark: bytes | None = None) -> str:
    """A drawn picture (PNG or SVG); the dark one is shown where a reader's system asks for dark."""
    source = "" if dark is None else _source(dark)
    shown = f'<img src="{_uri(light)}" alt="{escape(picture.text)}">'
    shown = f"<picture>{source}{shown}</picture>" if source else shown
    return f"<figure>{shown}<figcaption>{escape(picture.title)}</figcaption></figure>"


def _source(dark: bytes) -> str:
    return f'<source media="(prefers-color-scheme: dark)" srcset="{_uri(dark)}">'


def _uri(data: bytes) -> str:
    kind = _TYPES[data[:4]]
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
