"""What the left-hand panel shows: the models in the kernel, and the versions made so far, as plain JSON.

No variable is changed, compared or printed, and none but models is looked into: a thousand variables cost
some milliseconds. Lines to insert are written here, where they can be parsed again (see `spelling`), so that
the front end never makes code of a name.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from workbench.labextension import spelling
from workbench.magics import here
from workbench.magics.namespace import Namespace, is_model, is_version, is_workload
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.magics.session import Session
    from workbench.measurement.report import Report
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

MOST = 200  # models, and versions of a model; more would be no list to read
PATIENCE = 0.1  # seconds for counting parameters; models after that are listed without


def listing() -> dict[str, Any]:
    """The models and versions of this kernel.

    Returns:
        `models`: records of `name`, `kind` ("model" or "workload"), `class`, `parameters` and `bytes` (None
        where there was no time to count), both also as `texts`, and `word` and `line` (how `%compress` is
        told the name, None where it cannot be).
        `families`: for each workload with versions its `name`, its `word`, a `warning` where they are not on
        disk, and its `versions`, oldest first, each with `id`, `recipe`, `accuracy`, `bytes`, `speedup`,
        `word`, `line` (that opens the studio on it) and `code` (that makes it again).
        `left_out`: how many models were too many. `are_magics_loaded`.
    """
    names, session = here.names(), here.session()
    subjects = _subjects(names)
    models = {name: value for name, value in subjects.items() if not is_version(value)}
    begun = time.monotonic()
    return {
        "models": [_model(name, value, begun) for name, value in list(models.items())[:MOST]],
        "families": _families(subjects, session),
        "left_out": max(0, len(models) - MOST),
        "are_magics_loaded": session is not None,
    }


def find(id: str) -> tuple[VersionTree, Version]:
    """The tree and the version of an id that a listing gave.

    Raises:
        VersionError: it is gone.
    """
    from workbench.errors import VersionError
    from workbench.versions import trees

    for tree in trees():
        for version in tree.versions:
            if version.id == id:
                return tree, version
    raise VersionError("this version is no longer there; it was deleted, or the kernel was restarted")


def _subjects(names: Namespace) -> dict[str, Any]:
    """Models, workloads and versions by name; an object that does not let itself be asked is none."""
    found = {}
    for name, value in names.own():
        try:
            if (
                is_workload(value)
                or is_version(value)
                or (is_model(value) and next(value.parameters(), None) is not None)
            ):
                found[name] = value
        except Exception:  # whatever a stranger's object raises when it is looked at
            continue
    return found


def _model(name: str, value: Any, begun: float) -> dict[str, Any]:
    model = value.model if is_workload(value) else value
    count, size = _counted(model) if time.monotonic() - begun < PATIENCE else (None, None)
    return {
        "name": name,
        "kind": "workload" if is_workload(value) else "model",
        "class": type(model).__name__,
        "parameters": count,
        "bytes": size,
        "texts": {"parameters": units.count(count), "bytes": units.size(size)},
        "word": spelling.word(name),
        "line": spelling.line(name),
    }


def _counted(model: Any) -> tuple[int | None, int | None]:
    """Parameters, and the bytes of parameters and buffers in memory; None of a model that cannot tell."""
    try:
        parameters = list(model.parameters())
        held = [*parameters, *model.buffers()]
        return sum(each.numel() for each in parameters), sum(each.numel() * each.itemsize for each in held)
    except Exception:  # lazy parameters have no size yet
        return None, None


def _families(subjects: Mapping[str, Any], session: Session | None) -> list[dict[str, Any]]:
    from workbench.versions import trees

    kept = [tree for tree in trees() if len(tree)]
    names = Counter(version.name for tree in kept for version in tree.versions)
    # a variable would be found before a version of its name, and one of two of a name: then the id is written
    unclear = {name for name, count in names.items() if count > 1} | set(here.names().variables)
    held = {value.id: name for name, value in subjects.items() if is_version(value)}
    return [_family(tree, subjects, session, held, unclear) for tree in kept]


def _family(
    tree: VersionTree,
    subjects: Mapping[str, Any],
    session: Session | None,
    held: Mapping[str, str],
    unclear: Collection[str],
) -> dict[str, Any]:
    name = _name_of(tree.work, subjects)
    head, versions = tree.head, tree.versions
    known = {each.id: each for each in versions}
    code = _code_of_work(tree.work, name, session)
    records = []
    for version in versions[-MOST:]:
        known_as = held.get(version.id) or (version.id if version.name in unclear else version.name)
        word = spelling.word(known_as)
        spelt = {"word": word or version.id, "line": spelling.line(known_as if word else version.id)}
        line = {"code": _code(version, known.get(version.parent or ""), code, tree.work)}
        records.append({**_version(version, head), **spelt, **line})
    return {
        "name": name or tree.work.name,
        "word": spelling.word(name) if name else None,
        "versions": records,
        "warning": tree.warning,
    }


def _version(version: Version, head: Version | None) -> dict[str, Any]:
    report = version.report
    accuracy = report.accuracy.value if report is not None and report.accuracy is not None else None
    speedup = _speedup(report)
    return {
        "id": version.id,
        "name": version.name,
        "recipe": str(version.recipe),
        "accuracy": accuracy,
        "bytes": version.packed_bytes,
        "speedup": speedup,
        "texts": {
            "accuracy": units.share(accuracy),
            "bytes": units.size(version.packed_bytes),
            "speedup": units.times(speedup),
        },
        "is_head": head is not None and head.id == version.id,
        "is_stopped": version.is_stopped,
    }


def _speedup(report: Report | None) -> float | None:
    """On the runtime that is preferred, else on the first that was timed."""
    from workbench.preferences import preferred

    latency = report.latency if report is not None else {}
    timed = latency.get(preferred().runtime) or next(iter(latency.values()), None)
    return timed.speedup if timed is not None else None


def _name_of(work: Workload, subjects: Mapping[str, Any]) -> str | None:
    """What a workload, or the model in it, is called in this notebook; None where it has no name."""
    workloads = {name: value for name, value in subjects.items() if is_workload(value)}
    for name, value in workloads.items():
        # a fingerprint that was not asked for yet would cost a walk over all weights
        if value is work or vars(value).get("fingerprint") == work.fingerprint:
            return name
    return next((name for name, value in subjects.items() if value is work.model), None)


def _code_of_work(work: Workload, name: str | None, session: Session | None) -> str | None:
    """The Python that makes a workload; None where it has no name to say it with."""
    code = session.code_of(work) if session is not None else None
    if code is None and name is not None and name.isidentifier():
        code = name if is_workload(here.names().variables.get(name)) else f"wb.Workload({name})"
    return code


def _code(version: Version, parent: Version | None, code: str | None, work: Workload) -> str | None:
    """The Python that makes a version again; None where its workload has no name."""
    from workbench.magics.run import code_of
    from workbench.magics.session import Subject

    if code is None:
        return None
    parent_code = f"wb.tree_for({code}).get({parent.name!r})" if parent is not None else ""
    line = code_of(Subject("", work, code, parent, parent_code), version.recipe, seed=version.seed)
    return f"import workbench as wb\n\n{line}"
