"""What panels say on paper: the still form in a saved notebook, and the report for a colleague."""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
from html import unescape
from html.parser import HTMLParser

import nbformat
import pytest
import small
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import workbench as wb
from workbench.errors import StorageError
from workbench.measurement import everything
from workbench.panels import Compare, Sensitivity, Workbench, readable
from workbench.panels.paper import blocks, report, still
from workbench.panels.paper.blocks import Picture, Table, Words
from workbench.versions import VersionTree

# what GitHub's rendering of notebooks leaves, of what is used here
LEFT = {"div", "h3", "p", "pre", "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure"}
LEFT |= {"figcaption", "img"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    measuring = everything.measuring

    def fast(*args, **options):
        return measuring(*args, **{**options, "runtimes": ("pytorch",), "seconds": 0.02})

    monkeypatch.setattr("workbench.measurement.measuring", fast, raising=False)


@pytest.fixture
def painted(monkeypatch):
    """What was asked to be drawn; drawing itself takes a child process and seconds."""
    asked = []

    def drawn(drawings):
        asked.extend(drawings)
        return [
            b"<svg/>" if each.form == "svg" else b"\x89PNG of " + str(i).encode()
            for i, each in enumerate(drawings)
        ]

    monkeypatch.setattr(still, "drawn", drawn)
    monkeypatch.setattr(report, "drawn", drawn)
    return asked


@pytest.fixture
def panel():
    work = small.workload(name=f"net {HOSTILE}")
    made = Workbench(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={})
    made.wait()
    yield made
    made.close()


def run(panel, recipe):
    panel.recipe = recipe
    panel.run()
    panel.wait()
    assert panel.error == ""
    return panel.selected


class Tags(HTMLParser):
    """The tags of a text, those left open, and every attribute by tag."""

    VOID = frozenset({"img", "meta", "source"})

    def __init__(self, text):
        super().__init__()
        self.seen, self.open, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.attributes.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attributes for each, attributes in self.attributes if each == tag]


# --- the still form


def test_still_form_is_a_table_and_a_picture_that_sanitizers_leave(panel, painted):
    version = run(panel, "PruneWeights(sparsity=0.6)")
    html = panel.still().html
    tags = Tags(html)
    assert set(tags.seen) <= LEFT and tags.open == []
    assert all(each["src"].startswith("data:image/png;base64,") and each["alt"] for each in tags.all("img"))
    assert len(tags.all("img")) == 2  # trade-off and layers; nothing was trained
    assert html.count("<caption>") == html.count("<table>") == 2
    assert {each["scope"] for each in tags.all("th")} == {"col", "row"}
    assert version.name in html and "PruneWeights(sparsity=0.6)" in html and "on 48 validation" in html
    assert HOSTILE not in html and "&lt;script&gt;" in html


def test_same_panel_gives_the_same_still_form(panel, painted):
    assert panel.still() == panel.still()
    assert [dict(each.spec) for each in painted[:2]] == [dict(each.spec) for each in painted[2:]]


def test_estimates_keep_their_mark_on_paper(panel, painted):
    assert "≈" in panel.still().html
    run(panel, "PruneWeights(sparsity=0.6)")
    assert "≈" not in re.sub(r'alt="[^"]*"', "", panel.still().html)


def test_still_form_stays_small_whatever_is_drawn(panel, monkeypatch):
    monkeypatch.setattr(still, "drawn", lambda drawings: [b"\x89PNG" + bytes(still.LARGEST)] * len(drawings))
    html = panel.still().html
    assert len(html) <= still.LARGEST and "<img" not in html
    assert "Layers, bytes, claimed" in html  # in words


def test_long_tables_are_cut_and_too_many_blocks_are_left_out(painted):
    rows = tuple((f"layer {number}", "x" * 40) for number in range(500))
    made = still.made([Table("layers", ("layer", "what"), rows)] * 30)
    assert len(made.html) <= still.LARGEST
    assert "layers: the first 40 of 500 rows" in made.html
    assert "There is more in panel.report()" in made.html


def test_picture_that_cannot_be_drawn_is_told_in_words(panel, monkeypatch):
    def fails(drawings):
        raise OSError("no memory left")

    monkeypatch.setattr(still, "drawn", fails)
    html = panel.still().html
    assert "could not be drawn: no memory left" in html and "<table>" in html


def test_sensitivity_reads_as_a_table(painted):
    panel = Sensitivity(small.workload(), "Quantize", names={})
    html = panel.still().html
    assert "Nothing was scanned yet" in html and "Layers to be scanned" in html
    panel.start()
    panel.wait()
    html = panel.still().html
    assert html.count('<th scope="row">') == len(panel.scan.effects)
    assert "<img" in html
    panel.close()


def test_comparison_reads_as_tables(panel, painted):
    run(panel, "PruneWeights(sparsity=0.6)")
    compare = Compare(panel.work, None, "v1", tree=panel.session.tree, names={})
    compare.wait()
    html = compare.still().html
    assert html.count("<caption>") == html.count("<table>") >= 2
    assert all(each.name in html for each in compare.comparison.layers)
    compare.close()


class Page:
    """Stands for the front end: what a kernel publishes to it, the latest by display id."""

    def __init__(self):
        self.outputs, self.updates = [], []

    def publish(self, data, metadata, transient=None, update=False):
        (self.updates if update else self.outputs).append((data, transient))


@pytest.fixture
def front(monkeypatch, painted):
    page = Page()
    monkeypatch.setattr(readable, "_publisher", lambda panel: page)
    monkeypatch.setattr(still, "FIRST", 0.0)
    monkeypatch.setattr(still, "REST", 0.05)
    return page


def test_panel_is_displayed_as_a_widget_and_an_output_that_is_filled_later(panel, front):
    panel._ipython_display_()
    (widget, _), (empty, named) = front.outputs
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert empty["text/html"] == still.EMPTY and named["display_id"]


def test_saved_form_follows_the_panel(panel, front, monkeypatch):
    seen = threading.Condition()
    publish = front.publish

    def told(*args, **options):
        with seen:
            publish(*args, **options)
            seen.notify_all()

    front.publish = told
    panel._ipython_display_()
    named = front.outputs[1][1]

    def shows(text):
        return lambda: any(text in data["text/html"] for data, _ in front.updates)

    with seen:
        assert seen.wait_for(shows("<img"), 30)
        assert "<img" not in front.updates[0][0]["text/html"]  # tables first
    panel.recipe = "Quantize(weights=4)"
    with seen:
        assert seen.wait_for(shows("Quantize(weights=4)"), 30)
    assert all(each == named for _, each in front.updates)


def test_nothing_is_said_again_that_was_said(monkeypatch):
    monkeypatch.setattr(still, "FIRST", 1000.0)
    told, published = [[Words("one")]], []
    keeper = still.Keeper(lambda: told[0], lambda: False, published.append, pytest.fail)
    for words in ("one", "one", "two", "two", "one"):
        told[0] = [Words(words)]
        keeper._say(with_pictures=True)
    keeper.close()
    keeper.join(10)
    assert [re.findall("<p>(.*)</p>", each) for each in published] == [["one"], ["two"], ["one"]]


def test_first_words_do_not_take_the_place_of_pictures(monkeypatch):
    monkeypatch.setattr(still, "FIRST", 1000.0)
    published = []
    keeper = still.Keeper(lambda: [Words("one")], lambda: False, published.append, pytest.fail)
    keeper.refresh()
    keeper._say(with_pictures=False)  # as its thread does, when a cell that asked for the still form is done
    keeper.close()
    keeper.join(10)
    assert len(published) == 1


def test_what_goes_wrong_in_the_thread_is_said_and_the_next_change_is_drawn(monkeypatch):
    monkeypatch.setattr(still, "FIRST", 0.0)
    monkeypatch.setattr(still, "REST", 0.0)
    seen, failed = threading.Event(), []

    def told():
        if not failed:
            raise RuntimeError("a view broke")
        return [Words("whole again")]

    keeper = still.Keeper(told, lambda: False, lambda html: seen.set(), failed.append)
    assert seen.wait(10) and str(failed[0]) == "a view broke"
    keeper.close()
    keeper.join(10)


def test_closing_ends_the_thread(panel, front):
    panel._ipython_display_()
    keeper = panel._keeper
    panel.close()
    keeper.join(10)
    assert not keeper._thread.is_alive()


def test_without_a_kernel_a_panel_displays_itself_as_one_line(panel):
    with pytest.raises(NotImplementedError):  # IPython then goes on to repr
        panel._ipython_display_()
    assert repr(panel).startswith("<Workbench of")


@pytest.mark.slow
def test_notebook_that_was_run_reads_without_a_kernel(tmp_path):
    """Real kernel, real pictures, and nbconvert's own page of the result."""
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    cells = (
        "import workbench as wb\nwork = wb.examples.load('digits')",
        "panel = wb.Workbench(work, 'PruneWeights(sparsity=0.8)')\npanel",
        "panel.wait()\npanel.still();",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(each) for each in cells])
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    NotebookClient(
        notebook, timeout=300, store_widget_state=False, resources={"metadata": {"path": str(tmp_path)}}
    ).execute(env=environment)
    widget, kept = notebook.cells[1].outputs
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert kept.data["text/html"].count("data:image/png") == 2
    assert len(kept.data["text/html"]) <= still.LARGEST
    page, _ = HTMLExporter().from_notebook_node(notebook)
    shown = page[page.index('class="wb-still"') :]
    assert "<table" in shown and "data:image/png" in shown and "Loading widget" not in page


# --- the report


def test_report_is_one_whole_page_without_anything_from_elsewhere(panel, painted, tmp_path):
    first = run(panel, "PruneWeights(sparsity=0.6)")
    second = run(panel, "Quantize(weights=4)")
    path = panel.report(tmp_path / "report.html")
    html = path.read_text(encoding="utf-8")
    tags = Tags(html)
    assert tags.open == [] and html.startswith("<!DOCTYPE html>")
    assert not {"script", "link", "iframe", "object"} & set(tags.seen)
    assert not re.search(r"https?://", html) and "@import" not in html and "url(" not in html
    assert HOSTILE not in html
    for version in (first, second):
        assert f"made[&#x27;{version.name}&#x27;] = wb.compress(work, &#x27;{version.recipe}&#x27;" in html
    assert "on 48 validation" in html and "on 48 test" in html
    assert all(word in html for word in ("claimed", "stored", "measured", "McNemar"))


def test_version_that_goes_on_from_another_is_made_again_from_it(panel, painted, tmp_path):
    import workbench as wb

    first = run(panel, "PruneWeights(sparsity=0.6)")
    wb.compress(panel.work, "Quantize(weights=4)", parent=first, tree=panel.session.tree, runtimes=())
    html = unescape(panel.report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "made['v2'] = wb.compress(work, 'Quantize(weights=4)', seed=0, parent=made['v1'])" in html
    assert (
        "<code>v1 | Quantize(weights=4)</code>" in html and "v1 | Quantize(weights=4)" in panel.still().html
    )
    panel.session.tree.delete(first)
    html = unescape(panel.report(tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "# v2: Quantize(weights=4) on a version that is gone" in html


def test_report_is_light_and_dark_and_can_be_read_aloud(panel, painted, tmp_path):
    run(panel, "PruneWeights(sparsity=0.6)")
    html = panel.report(tmp_path / "report.html").read_text(encoding="utf-8")
    tags = Tags(html)
    assert "prefers-color-scheme: dark" in html
    assert len(tags.all("source")) == len(tags.all("img")) == 2
    assert all(each["alt"] for each in tags.all("img"))
    assert html.count("<caption>") == html.count("<table>")
    assert tags.all("html") == [{"lang": "en"}]
    assert {each.palette["paper"] for each in painted} == {"#ffffff", "#111111"}


def test_report_names_neither_host_nor_paths(panel, painted, tmp_path):
    import platform
    from pathlib import Path

    html = panel.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert str(tmp_path) not in html and str(Path.home()) not in html and sys.prefix not in html
    if len(platform.node()) > 4:
        assert platform.node() not in html
    assert "torch" in html and platform.python_version() in html


def test_report_that_cannot_be_written_leaves_what_was_there(panel, painted, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(StorageError, match=r"must end in \.html"):
        panel.report(tmp_path / "report.txt")
    with pytest.raises(StorageError, match="there is no folder"):
        panel.report(tmp_path / "no" / "report.html")

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.storage.files._write_through", full)
    with pytest.raises(StorageError, match="No space left on device"):
        panel.report(path)
    assert path.read_text() == "before" and [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_report_without_versions_or_data_says_so(painted, tmp_path):
    from workbench.workload import Workload

    bare = Workload(small.net())
    html = report.write(tmp_path / "report.html", bare, VersionTree(None, bare)).read_text(encoding="utf-8")
    assert "No version was made yet" in html and "No data, so no accuracy" in html


def test_report_of_streamed_data_says_that_their_number_is_not_known(painted, tmp_path):
    class Streamed(IterableDataset):
        def __iter__(self):
            return zip(*small.blobs(12), strict=True)

    work = small.workload(train=DataLoader(Streamed(), batch_size=4))
    html = report.write(tmp_path / "report.html", work, VersionTree(None, work)).read_text(encoding="utf-8")
    assert "Samples: an unknown number of train, 48 validation, 48 test." in html


def test_report_tells_both_accuracies_where_test_data_come_in_another_order(painted, tmp_path):
    data = small.data()
    shuffled = DataLoader(TensorDataset(*data["test"]), batch_size=16, shuffle=True)
    work = small.workload(test=shuffled)
    tree = VersionTree(None, work)
    wb.compress(work, "PruneWeights(sparsity=0.5)", tree=tree, runtimes=())
    html = report.write(tmp_path / "report.html", work, tree).read_text(encoding="utf-8")
    heading = "On the test data, which previews, limits and searches never see"
    table = html.partition(heading)[2].partition("</table>")[0]
    assert table.count("on 48 test") == 2


def test_report_is_written_where_the_test_data_fail(painted, tmp_path):
    class Gone(Dataset):
        def __len__(self):
            return 48

        def __getitem__(self, index):
            raise OSError("the disk went away")

    work = small.workload(test=DataLoader(Gone(), batch_size=16))
    tree = VersionTree(None, work)
    wb.compress(work, "PruneWeights(sparsity=0.5)", tree=tree, runtimes=())
    html = report.write(tmp_path / "report.html", work, tree).read_text(encoding="utf-8")
    assert "It could not be judged on the test data: OSError: the disk went away" in html


def test_report_keeps_the_rights_of_a_new_file(panel, painted, tmp_path):
    path = panel.report(tmp_path / "report.html")
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600


# --- blocks


def test_picture_that_is_not_drawn_is_its_words():
    picture = Picture("title", {}, [], "what <it> shows")
    assert blocks.html([picture]) == "<p>what &lt;it&gt; shows</p>"
    drawn = blocks.image(picture, b"\x89PNG", b"<svg/>")
    assert 'alt="what &lt;it&gt; shows"' in drawn and 'media="(prefers-color-scheme: dark)"' in drawn


def test_table_names_its_columns_and_rows():
    html = blocks.html([Table("t", ("a", "b"), (("x", "y"),), frozenset({1})), Words("w")])
    assert '<th scope="col">a</th>' in html and '<th scope="row">x</th><td><code>y</code></td>' in html


@pytest.mark.slow
def test_pictures_are_drawn_by_a_child_in_both_palettes():
    from workbench.charts import theme, tradeoff
    from workbench.live.still import Drawing, drawn

    spec = tradeoff.chart().to_dict()
    rows = tradeoff.rows([])
    light, dark, png = drawn(
        [
            Drawing(spec, rows, "svg"),
            Drawing(spec, rows, "svg", theme.DARK),
            Drawing(spec, rows),
        ]
    )
    assert light.startswith(b"<svg") and png.startswith(b"\x89PNG") and len(png) < 20_000
    assert theme.DARK["paper"].encode() in dark and theme.DARK["paper"].encode() not in light
    with pytest.raises(OSError):
        drawn([Drawing({"mark": {}}, [], "svg")])
