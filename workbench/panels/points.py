"""Versions, previews and the baseline as the records that charts draw."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts.layers import Layer
from workbench.charts.tradeoff import Point
from workbench.measurement.found import Found, Timed
from workbench.panels.picking import found_of

if TYPE_CHECKING:
    from workbench.measurement.compute import LayerRecord
    from workbench.panels.figures import Known
    from workbench.preview import Preview
    from workbench.recipe import Recipe
    from workbench.versions import Version

ORIGINAL, PREVIEW = "original", "preview"
_LOOKED_AT = 5  # the newest versions' reports say what is not known of the baseline by itself


def of_baseline(known: Known, versions: Sequence[Version]) -> Point:
    """The pinned square: what is known by itself, and what the versions' reports say beside theirs."""
    told = (Found.of_baseline(each.report) for each in reversed(versions[-_LOOKED_AT:]) if each.report)
    found = functools.reduce(Found.or_else, told, found_of_known(known))
    return Point(ORIGINAL, "baseline", "baseline", (), found)


def found_of_known(known: Known) -> Found:
    """What a panel has found of the baseline so far."""
    timed = {name: Timed.of(each) for name, each in known.latency.items()}
    return Found(
        known.accuracy,
        stored=known.stored,
        claimed=known.claimed,
        macs=known.macs,
        parameters=known.parameters,
        latency=timed,
    )


def of_preview(preview: Preview) -> Point:
    """The hollow mark."""
    return Point(
        PREVIEW,
        "≈ before training" if preview.is_before_training else "≈ preview",
        "preview",
        _families(preview.previewed),
        Found.of_preview(preview),
        str(preview.previewed),
    )


def of_version(version: Version) -> Point:
    """A solid mark."""
    families = _families(version.recipe)
    return Point(version.id, version.name, "version", families, found_of(version), str(version.recipe))


def layers(original: Iterable[LayerRecord], now: Iterable[LayerRecord]) -> list[Layer]:
    """What each layer keeps beside what it had; the thin layers one was split into count as that one."""
    had = {record.name: record.claimed_bytes for record in original}
    parts: dict[str, list[LayerRecord]] = {}
    for record in now:
        parts.setdefault(_origin(record.name, had), []).append(record)
    return [_layer(name, had.get(name, 0), records) for name, records in parts.items()]


def _origin(name: str, known: Mapping[str, Any]) -> str:
    """The layer of the original that a layer is, or is a part of: `fc1` for `fc1.0`; else its own name."""
    outer = name
    while outer and outer not in known:
        outer = outer.rpartition(".")[0]
    return outer or name


def _layer(name: str, had: float, records: Sequence[LayerRecord]) -> Layer:
    largest = max(records, key=lambda record: record.parameters)
    parameters = sum(record.parameters for record in records)
    return Layer(
        name=name,
        kind=largest.kind if len(records) == 1 else f"{len(records)} thin layers",
        original_bytes=had,
        kept_bytes=sum(record.claimed_bytes for record in records),
        parameters=parameters,
        nonzero=sum(record.nonzero for record in records),
        bits=sum(record.bits * record.parameters for record in records) / max(parameters, 1),
        shape=largest.shape,
        parts=len(records),
    )


def curve(histories: Iterable[Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The training records of several steps as one, epochs counted on from step to step."""
    joined: list[dict[str, Any]] = []
    passed = 0.0
    for history in histories:
        records = [record for record in history if "epoch" in record]
        joined += [{**record, "epoch": record["epoch"] + passed} for record in records]
        passed += max((record["epoch"] for record in records), default=0.0)
    return joined


def _families(recipe: Recipe) -> tuple[str, ...]:
    return tuple(step.family for step in recipe)
