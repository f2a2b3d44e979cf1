"""`%compress` and `%%compress`: the workbench in a line or a cell of a notebook.

The only folder that imports IPython. Loading it imports neither torch nor a front end.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from workbench.magics.session import Session

NAME = "compress"
_SESSIONS: weakref.WeakKeyDictionary[InteractiveShell, Session] = weakref.WeakKeyDictionary()
_MATCHER = "workbench.compress"


def load(shell: InteractiveShell) -> None:
    """Add the magic and its completion to a shell."""
    from IPython.core.magic import no_var_expand

    from workbench import versions
    from workbench.magics.completion import matcher
    from workbench.magics.compress import magic
    from workbench.magics.session import Session

    session = Session(shell)
    # no_var_expand: IPython would read the braces of {'fc1': 0.5} and the $ of a file name as its own
    shell.register_magic_function(no_var_expand(magic(session)), "line_cell", NAME)
    _forget_matcher(shell)
    shell.Completer.custom_matchers.append(matcher(_MATCHER, lambda: session.names))
    versions.keep_in(Path.cwd() / ".workbench")  # beside the notebook: a kernel starts in its folder
    _SESSIONS[shell] = session


def unload(shell: InteractiveShell) -> None:
    """Take both away again."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop(NAME, None)
    _forget_matcher(shell)
    _SESSIONS.pop(shell, None)


def session_of(shell: InteractiveShell) -> Session | None:
    """What the magics remember of a notebook; None where they are not loaded."""
    return _SESSIONS.get(shell)


def _forget_matcher(shell: InteractiveShell) -> None:
    kept = [
        each
        for each in shell.Completer.custom_matchers
        if getattr(each, "matcher_identifier", None) != _MATCHER
    ]
    shell.Completer.custom_matchers[:] = kept
