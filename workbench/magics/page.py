"""Something to read: text in a terminal, HTML in a notebook, from the same few blocks."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 100  # characters of a line of text


@dataclass(frozen=True)
class Title:
    """A line that says what follows."""

    text: str

    def as_text(self) -> str:
        return self.text

    def as_html(self) -> str:
        return f'<div style="font-weight:600;margin-top:.6em">{escape(self.text)}</div>'


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str

    def as_text(self) -> str:
        return textwrap.fill(self.text, WIDTH)

    def as_html(self) -> str:
        return f"<div>{escape(self.text)}</div>"


@dataclass(frozen=True)
class Code:
    """Lines to copy."""

    text: str

    def as_text(self) -> str:
        return self.text

    def as_html(self) -> str:
        style = "white-space:pre-wrap;margin:.2em 0;user-select:all"
        return f'<pre style="{style}"><code>{escape(self.text)}</code></pre>'


@dataclass(frozen=True)
class Table:
    """Rows of texts; columns named in `code` are set as code, those in `numbers` to the right."""

    header: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    code: frozenset[int] = frozenset({0})
    numbers: frozenset[int] = frozenset()

    def as_text(self) -> str:
        lines = [self.header, *self.rows] if any(self.header) else list(self.rows)
        widths = [max(len(str(line[index])) for line in lines) for index in range(len(self.header))]
        return "\n".join(self._line(line, widths).rstrip() for line in lines)

    def as_html(self) -> str:
        head = "".join(self._cell(text, index, "th") for index, text in enumerate(self.header))
        body = "".join(
            f"<tr>{''.join(self._cell(text, index, 'td') for index, text in enumerate(row))}</tr>"
            for row in self.rows
        )
        thead = f"<thead><tr>{head}</tr></thead>" if any(self.header) else ""
        return f'<table style="margin:.2em 0">{thead}<tbody>{body}</tbody></table>'

    def _line(self, line: Sequence[str], widths: list[int]) -> str:
        padded = (
            text.rjust(width) if index in self.numbers else text.ljust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        return "  " + "  ".join(padded)

    def _cell(self, text: str, index: int, tag: str) -> str:
        align = "right" if index in self.numbers else "left"
        inner = escape(text)
        inner = f"<code>{inner}</code>" if index in self.code and tag == "td" and text else inner
        return f'<{tag} style="text-align:{align}">{inner}</{tag}>'


@dataclass(frozen=True)
class Picture:
    """A chart: drawn where it is shown, told in words elsewhere. `draw` gives the text of an SVG picture."""

    draw: Callable[[], str]
    text: str

    def as_text(self) -> str:
        return textwrap.fill(self.text, WIDTH)

    def as_html(self) -> str:
        return f'<div role="img" aria-label="{escape(self.text)}">{self.draw()}</div>'


@dataclass(frozen=True)
class Page:
    """Blocks in order; shows itself in a notebook and in a terminal."""

    blocks: tuple[Title | Words | Code | Table | Picture, ...]

    def __str__(self) -> str:
        texts: list[str] = []
        for index, block in enumerate(self.blocks):
            gap = "\n" if index and isinstance(block, Title) else ""
            texts.append(gap + block.as_text())
        return "\n".join(texts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(block.as_html() for block in self.blocks)
