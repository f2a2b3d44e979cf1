"""`%compress undo`: the version before the current one becomes current."""

from __future__ import annotations

from workbench.magics.arguments import Request
from workbench.magics.errors import CompressError
from workbench.magics.grammar import Verb
from workbench.magics.session import Session
from workbench.magics.verbs.history import page


def _run(request: Request, session: Session) -> None:
    subject = session.subject(request.model)
    tree = session.tree(subject)
    if not tree.can_undo:
        raise CompressError("nothing to undo: %compress history shows the versions there are")
    tree.undo()
    session.show(page(subject.work.name, tree))


VERB = Verb(
    "undo net",
    "go back one version; nothing is deleted",
    _run,
    words=("model",),
    flags=("--model",),
)
