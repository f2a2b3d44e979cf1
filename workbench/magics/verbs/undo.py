"""`%compress undo`: the version before the current one becomes current."""

from __future__ import annotations

from workbench.magics.arguments import Request
from workbench.magics.grammar import Verb
from workbench.magics.session import Session
from workbench.magics.verbs.history import page


def _run(request: Request, session: Session) -> None:
    subject = session.subject(request.model)
    tree = session.tree(subject)
    tree.undo()
    session.show(page(subject, tree))


VERB = Verb(
    "undo net",
    "go back one version; nothing is deleted",
    _run,
    words=("model",),
    flags=("--model",),
)
