"""Versions as rows of the file, and back: scalars in columns, recipe, report and stages as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from workbench.recipe import Recipe
from workbench.versions.version import Version

if TYPE_CHECKING:
    from workbench.workload import Workload


def row(version: Version) -> dict[str, Any]:
    """A version's columns, but for its weights."""
    record = {
        "recipe": version.recipe.to_records(),
        "seed": version.seed,
        "report": version.report.to_dict() if version.report is not None else None,
        "stages": [each.to_dict() for each in version.stages],
        "is_stopped": version.is_stopped,
        "note": version.note,
        "made_from": version.made_from,
    }
    return {
        "id": version.id,
        "parent": version.parent,
        "name": version.name,
        "created": version.created,
        "is_pinned": int(version.is_pinned),
        "record": json.dumps(record, default=_plain),
    }


def restored(columns: tuple[Any, ...], work: Workload, fetch: Callable[[], bytes]) -> Version:
    """The version of a row, its weights still in the file.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, WorkbenchError: the row cannot be read here.
    """
    from workbench.run import Stage

    id, parent, name, created, is_pinned, record, packed_bytes = columns
    data = json.loads(record)
    return Version(
        id=id,
        parent=parent,
        name=name,
        recipe=Recipe.from_records(data["recipe"]),
        seed=data["seed"],
        fingerprint=work.fingerprint,
        report=_report(data["report"]),
        packed_bytes=packed_bytes,
        fetch=fetch,
        base=work.baseline,
        work=work,
        stages=tuple(Stage.from_dict(each) for each in data["stages"]),
        is_stopped=bool(data["is_stopped"]),
        created=created,
        note=str(data["note"]),
        is_pinned=bool(is_pinned),
        made_from=data.get("made_from", parent),  # older files: nothing that matters was deleted
    )


def _report(data: Any) -> Any:
    if data is None:
        return None
    from workbench.measurement.report import Report

    return Report.from_dict(data)


def _plain(value: Any) -> Any:
    """A NumPy or torch number as a Python one."""
    return value.item() if hasattr(value, "item") else str(value)
