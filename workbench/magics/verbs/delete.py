"""`%compress delete v3`: take a version out of the history."""

from __future__ import annotations

from workbench.magics.arguments import Request
from workbench.magics.grammar import Verb
from workbench.magics.page import Page, Words
from workbench.magics.session import Session


def _run(request: Request, session: Session) -> None:
    version = session.version(request.words[0])
    subject = session.subject(request.words[0])
    session.tree(subject).delete(version.id)
    session.show(Page((Words(f"{version.name} is no longer in the history of {subject.work.name}"),)))


VERB = Verb(
    "delete v3",
    "take a version out of the history, by variable, name or id",
    _run,
    words=("version",),
    required=1,
    flags=("--model",),
)
