"""`%compress load small.safetensors --model net --into small`: a packed file back into a version."""

from __future__ import annotations

from pathlib import Path

from workbench.magics.arguments import Request
from workbench.magics.errors import CompressError
from workbench.magics.grammar import DATA, Verb
from workbench.magics.session import Session


def _run(request: Request, session: Session) -> None:
    from workbench.storage import load

    missing = next((flag for flag in ("--model", "--into") if flag not in request.flags), None)
    if missing:
        what = "the model it was made from" if missing == "--model" else "a name for the version"
        raise CompressError(f"load needs {missing}, {what}: %compress {VERB.usage}")
    into = session.names.check_free(request.flags["--into"])
    subject = session.subject(request.flags["--model"], request.data)
    version = load(Path(request.words[0]).expanduser(), subject.work.model)
    version = session.tree(subject).add(version)
    session.put(into, version)
    session.show(version)


VERB = Verb(
    "load small.safetensors --model net --into small",
    "read a packed file; the model gives the structure, nothing is unpickled",
    _run,
    words=("file",),
    required=1,
    flags=("--model", "--into", *DATA),
)
