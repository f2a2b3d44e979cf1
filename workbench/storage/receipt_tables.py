"""A receipt as two tables, in aligned lines or in HTML: the steps to the file, and its tensors."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.storage.receipt import Receipt


def text(receipt: Receipt) -> str:
    """Both tables for a terminal."""
    return f"{_aligned(_steps(receipt))}\n\n{_aligned(_lines(receipt))}"


def html(receipt: Receipt) -> str:
    """Both tables for a notebook."""
    return f"<div class='wb-receipt'>{_html(_steps(receipt))}{_html(_lines(receipt))}</div>"


def _steps(receipt: Receipt) -> list[tuple[str, ...]]:
    rows = [("", "change", "bytes", "smaller")]
    for index, step in enumerate(receipt.steps):
        change = f"{step.change:+,}".replace("-", "−") if index else ""
        rows.append((step.name, change, f"{step.total:,}", units.times(receipt.original_bytes / step.total)))
    return rows


def _lines(receipt: Receipt) -> list[tuple[str, ...]]:
    rows = [
        ("tensor", "weights", "kept", "encoding", "bits", "index bits", "codebook", "entropy", "bytes"),
    ]
    for line in receipt.lines:
        bound = units.UNKNOWN if line.bound_bytes is None else f"{line.bound_bytes:,}"
        bits, index = f"{line.bits_per_weight:.2f}", f"{line.index_bits:.2f}"
        counts = (f"{line.parameters:,}", f"{line.kept:,}", line.encoding, bits, index)
        rows.append((line.name, *counts, f"{line.book_bytes:,}", bound, f"{line.bytes:,}"))
    total, kept = sum(each.parameters for each in receipt.lines), sum(each.kept for each in receipt.lines)
    rows.append(("header", *[""] * 7, f"{receipt.header_bytes:,}"))
    rows.append(("file", f"{total:,}", f"{kept:,}", *[""] * 5, f"{receipt.stored_bytes:,}"))
    return rows


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def cell(text: str, column: int) -> str:
        return text.ljust(widths[column]) if column == 0 else text.rjust(widths[column])

    lines = ("  ".join(cell(text, column) for column, text in enumerate(row)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _html(rows: list[tuple[str, ...]]) -> str:
    def cells(row: tuple[str, ...], tag: str) -> str:
        first, *others = (escape(each) for each in row)
        right = "".join(f"<{tag} style='text-align:right'>{each}</{tag}>" for each in others)
        return f"<{tag} style='text-align:left'>{first}</{tag}>{right}"

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows[1:])
    head = cells(rows[0], "th")
    return f"<table class='wb-table'><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
