"""`%compress sensitivity net Quantize`: which layer hurts, one at a time, as a table and a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.magics.arguments import Request
from workbench.magics.errors import CompressError
from workbench.magics.grammar import DATA, Verb
from workbench.magics.offers import offer
from workbench.magics.page import Page, Picture, Table, Title, Words
from workbench.magics.session import Session

if TYPE_CHECKING:
    from workbench.exploration.records import Sensitivity

_TECHNIQUE = "PruneWeights"  # where none is named


def page(scan: Sensitivity) -> Page:
    """A scan as something to read."""
    from workbench.charts import sensitivity
    from workbench.live.still import still

    header, *rows = scan.lines()
    notes = dict.fromkeys(note for each in scan for note in each.notes)
    return Page(
        (
            Title(scan.summary),
            Picture(lambda: still(*sensitivity.still(scan)), sensitivity.summary(scan)),
            Table(header, rows, numbers=frozenset({5})),
            *(Words(note) for note in notes),
        )
    )


def _run(request: Request, session: Session) -> None:
    from workbench.exploration.sensitivity import job

    into = session.names.check_free(request.flags["--into"]) if "--into" in request.flags else None
    options = _options(request)
    subject = session.subject(request.model, request.data)
    if subject.version is not None:
        options["start"] = subject.version.candidate
    if subject.work.validation is None:
        flags = offer(session.names, subject.work) or "--validation NAME"
        raise CompressError(f"{subject.name} has no validation data to judge by; name some: {flags}")
    technique = request.words[1] if len(request.words) > 1 else _TECHNIQUE
    scan = session.run(job(subject.work, technique, names=session.names.variables, **options))
    session.put(into, scan)
    session.show(page(scan))


def _options(request: Request) -> dict[str, Any]:
    """What the flags say."""
    options: dict[str, Any] = {}
    if text := request.flags.get("--layers"):
        options["layers"] = [each.strip() for each in text.split(",")]
    if text := request.flags.get("--strengths"):
        options["strengths"] = [_number(each.strip()) for each in text.split(",")]
    if "--samples" in request.flags:
        options["samples"] = request.number("--samples", 0)
    if "--seed" in request.flags:
        options["seed"] = request.number("--seed", 0)
    if leave := request.flags.get("--leave"):
        options["leave"] = leave
    return options


def _number(text: str) -> float | int | str:
    """`4` and `0.5` as numbers; a choice as its text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


VERB = Verb(
    "sensitivity net Quantize",
    "which layer hurts: a technique in one layer at a time, at a few strengths",
    _run,
    words=("model", "step"),
    flags=(*DATA, "--strengths", "--layers", "--leave", "--samples", "--seed", "--into", "--model"),
)
