"""`%compress redo`: the version after the current one becomes current."""

from __future__ import annotations

from workbench.magics.arguments import Request
from workbench.magics.grammar import Verb
from workbench.magics.session import Session
from workbench.magics.verbs.history import page


def _run(request: Request, session: Session) -> None:
    subject = session.subject(request.model)
    tree = session.tree(subject)
    tree.redo()
    session.show(page(subject, tree))


VERB = Verb(
    "redo net",
    "go forward again after an undo",
    _run,
    words=("model",),
    flags=("--model",),
)
