"""One self-contained HTML file a colleague can open: versions, pictures, recipes, where it was measured.

No scripts and nothing from elsewhere; light and dark as the reader's system asks. Accuracy is told on the
validation data, which versions were chosen by, and for the version worked from on the test data too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.charts import layers as layers_chart
from workbench.charts import theme, tradeoff
from workbench.errors import WorkbenchError
from workbench.errors import told as in_words
from workbench.job import finish
from workbench.live import kept
from workbench.live.still import Drawing, drawn
from workbench.measurement import units
from workbench.panels.paper import blocks, environment, told
from workbench.panels.paper.blocks import Block, Code, Picture, Table, Title, Words
from workbench.panels.state import points
from workbench.panels.state.figures import Known
from workbench.runtimes import title as runtime_title

if TYPE_CHECKING:
    from workbench.charts.layers import Layer
    from workbench.data import Batches
    from workbench.measurement.pairing import Paired
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

SUFFIX = ".html"
_WIDTH = 860
_KINDS = ("claimed", "stored", "measured")
_HERE = Path(__file__).parent


def write(
    path: str | Path,
    work: Workload,
    tree: VersionTree,
    known: Known | None = None,
    more: Sequence[Block] = (),
) -> Path:
    """Write the report, whole or not at all; the path it was written to.

    Args:
        known: what is known of the baseline; found out where it is not given.
        more: blocks of a panel's own, behind the versions.

    Raises:
        StorageError: it cannot be written; one line, and a file that was there is as it was.
    """
    from workbench.storage import files

    target = files.target(Path(path).expanduser(), SUFFIX)
    more = [Title("What the panel shows besides"), *more] if more else []
    files.write(target, page(f"{work.name}, compressed", [*told_of(work, tree, known), *more]).encode())
    return target


def told_of(work: Workload, tree: VersionTree, known: Known | None = None) -> Iterator[Block]:
    """The report as blocks."""
    known = known if known is not None and known.stored is not None else _found(work, known)
    yield Words(f"Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. {_data(work)}")
    yield from _overview(work, tree.versions, known)
    yield from _tradeoff(tree, known)
    if (chosen := tree.head or next(reversed(tree.versions), None)) is not None:
        yield from _chosen(work, chosen)
        yield from _layers(work, chosen)
        yield from _again(work, tree.versions)
        yield Title("Every figure")
        for each in tree.versions:
            yield from _every_figure(each)
    yield Title("Environment")
    yield environment.table(work)
    yield Words(units.SIZE_NOTE)


def page(heading: str, told: Sequence[Block]) -> str:
    """A whole HTML document of blocks."""
    found = [each for each in told if isinstance(each, Picture)]
    wanted = [
        Drawing(each.spec, each.rows, "svg", palette, _WIDTH)
        for each in found
        for palette in (theme.LIGHT, theme.DARK)
    ]
    try:
        images = iter(drawn(wanted))
        shown = {id(each): blocks.image(each, next(images), next(images)) for each in found}
    except OSError as error:
        told = [*told, Words(f"The pictures could not be drawn: {error}")]
        shown = {}
    body = "\n".join(_framed(each, each.html(lambda picture: shown.get(id(picture), ""))) for each in told)
    style = (_HERE / "report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(heading)}</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(heading)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _framed(block: Block, html: str) -> str:
    """A table may be wider than the page: it scrolls in a box of its own, by keyboard too."""
    if not isinstance(block, Table):
        return html
    name = escape(block.caption)
    return f'<div class="wide" role="region" tabindex="0" aria-label="{name}">{html}</div>'


def _found(work: Workload, known: Known | None) -> Known:
    from workbench.measurement import baselines

    of_baseline = baselines.known(work)
    size = of_baseline.size
    return (known or Known()).told(
        stored=size.stored, claimed=size.claimed, parameters=of_baseline.parameters
    )


def _data(work: Workload) -> str:
    splits = {name: getattr(work, name) for name in ("train", "validation", "test")}
    there = [f"{_count(split)} {name}" for name, split in splits.items() if split is not None]
    said = f"Samples: {', '.join(there)}." if there else "No data, so no accuracy."
    return " ".join([said, *(f"{note}." for note in work.notes)])


def _count(split: Batches) -> str:
    """Streamed data do not say how many they are."""
    return units.exact(split.n) if split.n is not None else "an unknown number of"


def _overview(work: Workload, versions: Sequence[Version], known: Known) -> Iterator[Block]:
    yield Title("Versions")
    if not versions:
        yield Words("No version was made yet.")
    runtime = _runtime(versions)
    rows = tuple(told.version_rows(versions, known, runtime))
    caption = (
        f"Versions beside the baseline; intervals of accuracy are 95 %, latency on {runtime_title(runtime)}"
    )
    yield Table(caption, told.HEADER, rows, frozenset({told.RECIPE}))
    if versions:
        yield Words(
            "Claimed is what arithmetic says, stored the length of the file, measured what was timed or "
            "counted on data. Versions were chosen by the validation data."
        )


def _runtime(versions: Sequence[Version]) -> str:
    """The runtime that timed the most versions."""
    timed = [name for each in versions if each.report for name in each.report.latency]
    return max(dict.fromkeys(timed), key=timed.count, default="pytorch")


def _tradeoff(tree: VersionTree, known: Known) -> Iterator[Block]:
    versions, head = tree.versions, tree.head
    marks = [points.of_baseline(known, versions), *map(points.of_version, versions)]
    shown = tradeoff.Shown(head=head.id if head is not None else None)
    yield Title("Trade-off")
    spec = kept.spec("tradeoff", tradeoff.chart)
    yield Picture(
        "Accuracy against stored bytes, with 95 % intervals; the table above has the same figures",
        spec,
        tradeoff.rows(marks, shown),
        tradeoff.summary(marks, shown),
    )


def _chosen(work: Workload, version: Version) -> Iterator[Block]:
    """The version worked from: what it says, and how it does on the test data."""
    yield Title(f"The version worked from: {version.name}")
    for text in (version.note, version.standing, version.report.sentence if version.report else ""):
        if text:
            yield Words(text)
    if work.test is None:
        yield Words("No test data were given, so there is no accuracy on data kept apart from choosing.")
        return
    try:
        yield _on_test(work, version)
    except Exception as error:  # whatever a loader raises: the rest of the page is there
        yield Words(f"It could not be judged on the test data: {in_words(error)}")


def _on_test(work: Workload, version: Version) -> Block:
    from workbench.measurement import evaluating, paired
    from workbench.measurement.baselines import evaluating_baseline

    before, after = finish(evaluating_baseline(work, "test")), finish(evaluating(work, version, "test"))
    if before.accuracy is None or after.accuracy is None:
        return Words(f"Loss on {after.n:,} test samples {after.loss:.4g}, the original's {before.loss:.4g}.")
    try:
        told_of_pair = _pair(paired(before, after))
    except WorkbenchError as error:
        told_of_pair = ("", f"no paired test: {error}")
    rows = (
        ("original", str(before.accuracy), "", ""),
        (version.name, str(after.accuracy), *told_of_pair),
    )
    header = ("model", "accuracy", "difference", "exact McNemar test on the same samples")
    return Table("On the test data, which previews, limits and searches never see", header, rows)


def _pair(pair: Paired) -> tuple[str, str]:
    seen = "a difference is seen" if pair.is_seen else "no difference is seen"
    spread = f"95 % interval {units.points(pair.low)} to {units.points(pair.high)}"
    return (
        f"{units.points(pair.difference)} points, {spread}",
        f"{seen}: lost {pair.lost:,}, gained {pair.gained:,}, p = {pair.p_value:.2g}",
    )


def _layers(work: Workload, version: Version) -> Iterator[Block]:
    from workbench.measurement.compute import layers

    yield Title(f"Layers of {version.name}")
    try:
        found = points.layers(layers(work.candidate(), work), layers(version.candidate, work))
    except WorkbenchError as error:
        yield Words(f"The layers cannot be shown: {error}")
        return
    bars = [each for each in found if each.parameters]
    rows, text = layers_chart.rows(bars), layers_chart.summary(bars)
    yield Picture("Bytes kept per layer, claimed", kept.spec("layers", layers_chart.chart), rows, text)
    header = ("layer", "kind", "shape", "parameters", "not zero", "bits", "had, claimed", "keeps, claimed")
    yield Table(f"Layers of {version.name}", header, tuple(map(_layer, bars)))


def _layer(layer: Layer) -> tuple[str, ...]:
    return (
        layer.name,
        layer.kind,
        " × ".join(map(str, layer.shape)),
        f"{layer.parameters:,}",
        f"{layer.nonzero:,}",
        "32" if layer.bits is None else f"{layer.bits:.3g}",
        units.size(layer.original_bytes),
        units.size(layer.kept_bytes),
    )


def _again(work: Workload, versions: Sequence[Version]) -> Iterator[Block]:
    """The lines that make each version again."""
    names = {each.id: each.name for each in versions}
    lines = ["import workbench as wb", "work = ...  # the model and the data of this report", "made = {}"]
    for each in versions:
        if not len(each.recipe):
            lines.append(f"# {each.name}: its recipe is not known")
            continue
        if each.made_from and each.made_from not in names:
            lines.append(f"# {each.name}: {each.recipe} on a version that is gone")
            continue
        after = f", parent=made[{names[each.made_from]!r}]" if each.made_from else ""
        stopped = "  # was stopped before its end" if each.is_stopped else ""
        lines.append(
            f"made[{each.name!r}] = wb.compress(work, {str(each.recipe)!r}, seed={each.seed}{after}){stopped}"
        )
    yield Title("Making them again")
    yield Code("\n".join(lines))


def _every_figure(version: Version) -> Iterator[Block]:
    from workbench.measurement.rendering import grid

    yield Title(version.name, 3)
    yield Code(f"{version.recipe}")
    if (report := version.report) is None:
        yield Words("It was loaded from a file and not measured.")
        return
    header = ("figure", *_KINDS, "baseline", "change")
    yield Table(f"{version.name}: claimed, stored and measured", header, tuple(grid(report)))
    for text in (report.sentence, *report.notes):
        if text:
            yield Words(text)
