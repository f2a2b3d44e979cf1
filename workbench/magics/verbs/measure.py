"""`%compress measure small --split test`: claimed, stored and measured numbers of a model or a version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import listed, nearest
from workbench.job import Job
from workbench.magics.arguments import Request
from workbench.magics.errors import CompressError
from workbench.magics.grammar import DATA, SPLITS, Verb
from workbench.magics.offers import offer
from workbench.magics.session import Session, Subject

if TYPE_CHECKING:
    from workbench.job import Steps


def options_of(request: Request, subject: Subject, session: Session) -> dict[str, Any]:
    """What the flags say about measuring.

    Raises:
        CompressError: the split that is asked for has no data; the line has the flags that would name some.
    """
    options: dict[str, Any] = {}
    if split := request.flags.get("--split"):
        if split not in SPLITS:
            raise CompressError(
                f"no split named {split!r}{nearest(split, SPLITS)}; there are {listed(SPLITS)}"
            )
        if getattr(subject.work, split) is None:
            flags = offer(session.names, subject.work) or f"--{split} NAME"
            raise CompressError(f"{subject.name} has no {split} data; name some: {flags}")
        options["split"] = split
    if "--runtimes" in request.flags:
        options["runtimes"] = tuple(each.strip() for each in request.flags["--runtimes"].split(","))
    return options


def _run(request: Request, session: Session) -> None:
    into = session.names.check_free(request.flags["--into"]) if "--into" in request.flags else None
    subject = session.subject(request.model, request.data)
    options = options_of(request, subject, session)
    report = session.run(Job(lambda: _measuring(subject, options), seed=0, threads=subject.work.threads))
    session.put(into, report)
    session.show(report)


def _measuring(subject: Subject, options: dict[str, Any]) -> Steps[Any]:
    from workbench.measurement import measuring

    return measuring(subject.work, subject.version, **options)


VERB = Verb(
    "measure small --split test",
    "accuracy, size and latency of a model or version, with their intervals",
    _run,
    words=("model",),
    flags=(*DATA, "--split", "--runtimes", "--into", "--model"),
)
