"""The notebook this runs in: its shell, its variables, and what the magics remember of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import magics
from workbench.magics.namespace import Namespace

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from workbench.magics.session import Session


def shell() -> InteractiveShell | None:
    """The running IPython; None in a plain Python."""
    from IPython import get_ipython

    return get_ipython()


def names() -> Namespace:
    """The notebook's variables as they are now; none in a plain Python."""
    found = shell()
    return Namespace(found.user_ns, found.user_ns_hidden) if found is not None else Namespace({})


def session() -> Session | None:
    """What the magics remember; None where they are not loaded."""
    found = shell()
    return magics.session_of(found) if found is not None else None


def load() -> bool:
    """Load the magics where they are not loaded yet; whether they are now."""
    found = shell()
    if found is not None and magics.session_of(found) is None:
        found.extension_manager.load_extension("workbench")
    return session() is not None
