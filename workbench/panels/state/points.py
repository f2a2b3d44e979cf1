"""Versions, previews and the baseline as the records that charts draw."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts.layers import Layer
from workbench.charts.tradeoff import Point
from workbench.measurement.by_layer import Pair, full_rank, pairs
from workbench.measurement.found import Found, Timed
from workbench.panels.state.picking import found_of

if TYPE_CHECKING:
    from workbench.measurement.compute import LayerRecord
    from workbench.panels.state.figures import Known
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
    """What is known of the baseline by itself."""
    timed = {name: Timed.of(each) for name, each in known.latency.items()}
    return Found(
        known.accuracy,
        known.metrics,
        stored=known.stored,
        claimed=known.claimed,
        macs=known.macs,
        parameters=known.parameters,
        peak_memory=known.memory,
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
    """What each layer has now beside what it had; the thin layers one was split into count as that one."""
    found = pairs(original, now)
    if not any(pair.before and pair.now for pair in found):  # another net: nothing to compare it with
        found = [pair for pair in found if pair.now is not None]
    return [_layer(pair) for pair in found]


def _layer(pair: Pair) -> Layer:
    had, now = pair.before, pair.now
    one = now or had
    assert one is not None
    return Layer(
        name=pair.name,
        kind=one.kind,
        original_bytes=had.claimed_bytes if had else 0,
        kept_bytes=now.claimed_bytes if now else 0,
        parameters=now.parameters if now else 0,
        nonzero=now.nonzero if now else 0,
        bits=now.bits if now else None,
        shape=one.shape,
        parts=pair.parts,
        original_parameters=had.parameters if had else None,
        original_zeros=1 - had.nonzero / max(had.parameters, 1) if had else None,
        original_bits=had.bits if had else None,
        original_rank=full_rank(had.shape) if had else None,
        macs=now.macs if now else 0 if had and had.macs is not None else None,
        original_macs=had.macs if had else None,
        ranks=pair.ranks,
        full_rank=full_rank(now.shape) if now else None,
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
