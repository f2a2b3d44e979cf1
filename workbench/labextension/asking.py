"""`ask`: the one function through which the front end speaks with a kernel.

Question and answer are JSON. A question is an object whose `do` says what is wanted:

| do | more fields | the answer's fields |
|---|---|---|
| `list` | `listen` | those of `listing.listing()`; with `listen`, `telling` begins |
| `prepare` | `settings`, `load_magics` | `are_magics_loaded` |
| `save` | `id`, `path`, `replace` | `said`, or `exists` where a file would be replaced |
| `close` | `place` | `closed`, how many panels |

Every question carries the `front_end`'s version, and every answer this package's `version` and whether they
`differ`. What a person did wrong is `error`, one line. Names and ids are looked up, never evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from workbench._version import __version__
from workbench.errors import WorkbenchError

_UNKNOWN = "the front end asks what this package does not know; update the older of them"


class Answer(dict[str, Any]):
    """An answer that a kernel sends as JSON."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"application/json": dict(self)}


def ask(question: str) -> Answer:
    """The answer to a question of the front end; never raises for what a person or a front end did wrong."""
    try:
        fields = json.loads(question)
        act = _ACTS[fields["do"]]
    except (ValueError, KeyError, TypeError):
        return Answer({"error": _UNKNOWN, **_versions("")})
    try:
        told = act(fields)
    except (WorkbenchError, OSError) as error:
        told = {"error": str(error).split("\n")[0]}
    return Answer({**told, **_versions(fields.get("front_end", ""))})


def _versions(front_end: str) -> dict[str, Any]:
    return {"version": __version__, "differ": front_end != __version__}


def _list(fields: Mapping[str, Any]) -> dict[str, Any]:
    from workbench.labextension import listing, telling

    if fields.get("listen"):
        telling.begin()
    return listing.listing()


def _prepare(fields: Mapping[str, Any]) -> dict[str, Any]:
    from workbench.magics import here
    from workbench.preferences import Preferences, prefer

    chosen = fields.get("settings", {})
    prefer(Preferences(chosen.get("runtime") or "pytorch", chosen.get("threads") or None))
    if fields.get("load_magics"):
        here.load()
    return {"are_magics_loaded": here.session() is not None}


def _save(fields: Mapping[str, Any]) -> dict[str, Any]:
    from workbench.labextension import listing
    from workbench.panels.state import saving

    _, version = listing.find(str(fields.get("id")))
    path = saving.target(str(fields.get("path", "")), version)
    if path.exists() and not fields.get("replace"):
        return {"exists": str(path)}
    return {"said": saving.write(version, path)}


def _close(fields: Mapping[str, Any]) -> dict[str, Any]:
    from workbench.panels import open_panels

    return {"closed": open_panels.close_of(str(fields.get("place")))}


_ACTS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "list": _list,
    "prepare": _prepare,
    "save": _save,
    "close": _close,
}
