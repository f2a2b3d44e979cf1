"""A report as text and as HTML: claimed, stored and measured in columns of their own."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from workbench.measurement import units
from workbench.measurement.rows import Row, rows

if TYPE_CHECKING:
    from workbench.measurement.report import Report

KINDS = ("claimed", "stored", "measured")


def text(report: Report) -> str:
    """The report in aligned lines."""
    lines = [("", *KINDS, "baseline", "change"), *grid(report)]
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    body = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(each.rstrip() for each in [_heading(report), "", *body, "", *_remarks(report)])


def html(report: Report) -> str:
    """The report as a table that takes its colors from JupyterLab's theme."""
    head = "".join(f"<th>{each}</th>" for each in ("", *KINDS, "baseline", "change"))
    body = "".join(_line(cells) for cells in grid(report))
    said = f"<p class='wb-said'>{escape(report.sentence)}</p>" if report.sentence else ""
    notes = "".join(f"<li>{escape(each)}</li>" for each in _notes(report))
    return (
        f"<div class='wb-report'>{_STYLE}<div class='wb-title'>{escape(_heading(report))}</div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{said}<ul>{notes}</ul></div>"
    )


def grid(report: Report) -> list[tuple[str, ...]]:
    """Cells for people: figure, claimed, stored, measured, baseline, change; one line for each figure."""
    lines: dict[str, Row] = {}
    cells: dict[str, dict[str, str]] = {}
    for row in rows(report):
        lines[row.figure] = row  # of a size, the stored one decides what it is compared with
        cells.setdefault(row.figure, {})[row.kind] = row.text
    return [
        (figure, *(cells[figure].get(kind, "") for kind in KINDS), row.before, row.change)
        for figure, row in lines.items()
    ]


def _heading(report: Report) -> str:
    return (
        f"{report.name} · {report.accuracy.n:,} {report.accuracy.split}" if report.accuracy else report.name
    )


def _remarks(report: Report) -> list[str]:
    return [*([report.sentence] if report.sentence else []), *_notes(report)]


def _notes(report: Report) -> list[str]:
    notes = [*report.notes]
    if report.latency:
        any_latency = next(iter(report.latency.values()))
        threads = f"{any_latency.threads} thread{'s' if any_latency.threads > 1 else ''}"
        rounds = min(each.rounds for each in report.latency.values())
        notes.append(
            f"latency of a batch of {any_latency.batch} on {threads}: median (quartiles); "
            f"the ratio with its 95 % interval over {rounds} rounds or more"
        )
    return [*notes, units.SIZE_NOTE]


def _line(cells: tuple[str, ...]) -> str:
    figure, *values = map(escape, cells)
    return f"<tr><th>{figure}</th>{''.join(f'<td>{each}</td>' for each in values)}</tr>"


# the fallbacks follow the page's own text color, so that it can be read on any ground
_STYLE = (
    "<style>"
    ".wb-report{color:var(--jp-ui-font-color1,inherit);"
    "font-family:var(--jp-ui-font-family,system-ui,sans-serif);"
    "font-size:var(--jp-ui-font-size1,13px);max-width:64em}"
    ".wb-report .wb-title{font-weight:600;margin-bottom:.4em}"
    ".wb-report table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0;"
    "color:inherit;font-size:inherit}"
    ".wb-report th,.wb-report td{text-align:right;padding:.2em .8em;white-space:nowrap;background:none;"
    "border:0;border-bottom:1px solid var(--jp-border-color2,rgba(128,128,128,.35))}"
    ".wb-report tbody th,.wb-report td:last-child,.wb-report thead th:last-child{text-align:left}"
    ".wb-report td:last-child{white-space:normal;min-width:11em}"
    ".wb-report th{font-weight:500;color:var(--jp-ui-font-color2,inherit)}"
    ".wb-report td:nth-child(5),.wb-report thead th:nth-child(5)"
    "{border-left:1px solid var(--jp-border-color2,rgba(128,128,128,.35))}"
    ".wb-report .wb-said{margin:.6em 0 .3em}"
    ".wb-report ul{margin:0;padding-left:1.2em;color:var(--jp-ui-font-color2,inherit);"
    "font-size:var(--jp-ui-font-size0,11px)}"
    "</style>"
)
