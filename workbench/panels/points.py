"""Versions, previews and the baseline as the records that charts draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.charts.layers import Layer
from workbench.charts.tradeoff import Point
from workbench.measurement.by_layer import Pair, full_rank, pairs

if TYPE_CHECKING:
    from workbench.measurement.accuracy import Accuracy
    from workbench.measurement.compute import LayerRecord
    from workbench.panels.figures import Known
    from workbench.preview import Preview
    from workbench.recipe import Recipe
    from workbench.versions import Version

ORIGINAL, PREVIEW = "original", "preview"


def of_baseline(known: Known, runtime: str, versions: Sequence[Version]) -> Point:
    """The pinned square."""
    timed = [
        v.report.latency[runtime].baseline_ms for v in versions if v.report and runtime in v.report.latency
    ]
    latency = known.median_ms(runtime) or (timed[-1] if timed else None)
    return Point(
        ORIGINAL, "baseline", "baseline", (), *_interval(known.accuracy), size=known.stored, latency=latency
    )


def of_preview(preview: Preview) -> Point:
    """The hollow mark."""
    return Point(
        PREVIEW,
        "≈ before training" if preview.is_before_training else "≈ preview",
        "preview",
        _families(preview.previewed),
        *_interval(preview.accuracy),
        size=preview.estimated_bytes,
        recipe=str(preview.previewed),
    )


def of_version(version: Version, runtime: str, is_selected: bool) -> Point:
    """A solid mark."""
    report = version.report
    latency = report.latency.get(runtime) if report else None
    return Point(
        version.id,
        version.name,
        "version",
        _families(version.recipe),
        *_interval(report.accuracy if report else None),
        size=version.packed_bytes,
        latency=latency.median_ms if latency else None,
        recipe=str(version.recipe),
        is_selected=is_selected,
    )


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


def _interval(accuracy: Accuracy | None) -> tuple[float | None, float | None, float | None, int | None]:
    if accuracy is None:
        return None, None, None, None
    return accuracy.value, accuracy.low, accuracy.high, accuracy.n
