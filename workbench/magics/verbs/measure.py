"""`%compress measure small --split test`: claimed, stored and measured numbers of a model or a version."""

from __future__ import annotations

from typing import Any

from workbench.job import Job
from workbench.magics.arguments import Request
from workbench.magics.grammar import DATA, Verb
from workbench.magics.session import Session, Subject


def report_of(subject: Subject, request: Request, session: Session, version: Any = None) -> Any:
    """A fresh report on a model or version, by the flags of the line."""
    from workbench.measurement import measuring

    options: dict[str, Any] = {"split": request.flags.get("--split", "validation")}
    if "--runtimes" in request.flags:
        options["runtimes"] = tuple(each.strip() for each in request.flags["--runtimes"].split(","))
    work = subject.work
    return session.run(Job(lambda: measuring(work, version, **options), seed=0, threads=work.threads))


def _run(request: Request, session: Session) -> None:
    into = session.names.check_free(request.flags["--into"]) if "--into" in request.flags else None
    subject = session.subject(request.model, request.data)
    report = report_of(subject, request, session, subject.version)
    session.put(into, report)
    session.show(report)


VERB = Verb(
    "measure small --split test",
    "accuracy, size and latency of a model or version, with their intervals",
    _run,
    words=("model",),
    flags=(*DATA, "--split", "--runtimes", "--into", "--model"),
)
