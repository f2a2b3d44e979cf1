"""The chart board as Python sees it; tests imitate the page by the messages it sends."""

from __future__ import annotations

import json
import struct
import threading

import altair as alt
import ipywidgets
import pytest

from workbench.live import bundle, kept, rows
from workbench.live.board import ChartBoard
from workbench.live.selections import IntervalSelection, PointSelection, from_front_end
from workbench.live.still import page, still


@pytest.fixture
def board(monkeypatch):
    monkeypatch.setattr(bundle, "bring_to_page", lambda: None)  # no page here
    chart = alt.Chart(alt.NamedData("rows")).mark_point().encode(x="x:Q")
    made = ChartBoard({"one": chart, "two": chart}, {"one": [{"x": 1}]})
    made.sent = []
    made.send = lambda content, buffers=None: made.sent.append((content, buffers))
    made.states = []
    made.send_state = lambda key=None: made.states.append(key)
    yield made
    made.close()


def page_listens(board):
    board._handle_custom_msg({"kind": "ready"}, [])


def test_specs_are_sent_once(board):
    page_listens(board)
    board.update({"one": [{"x": 2}]})
    assert "specs" not in board.states
    assert set(board.specs) == {"one", "two"}


def test_rows_before_a_page_listens_travel_as_state(board):
    board.update({"one": [{"x": 2}]})
    assert board.sent == []
    assert board.states == ["latest"]
    assert board.get_state()["latest"]["one"]["rows"] == [{"x": 2}]


def test_rows_after_it_listens_travel_as_one_message(board):
    page_listens(board)
    board.sent.clear(), board.states.clear()
    board.update({"one": [{"x": 2}], "two": [{"x": 3}]})
    assert board.states == []
    [(message, buffers)] = board.sent
    assert message["kind"] == "rows" and buffers == []
    assert {name: part["rows"] for name, part in message["charts"].items()} == {
        "one": [{"x": 2}],
        "two": [{"x": 3}],
    }


def test_page_that_loads_again_gets_the_latest(board):
    page_listens(board)
    board.update({"one": [{"x": 5}]})
    assert board.get_state()["latest"]["one"]["rows"] == [{"x": 5}]
    page_listens(board)
    assert board.sent[-1][0]["charts"]["one"]["rows"] == [{"x": 5}]


def test_revisions_rise(board):
    assert [board.update({"one": []}), board.update({"one": []})] == [1, 2]


def test_text_stays_until_another_comes(board):
    board.update({"one": []}, texts={"one": "three marks"})
    board.update({"one": []})
    assert board.latest["one"]["text"] == "three marks"


def test_unknown_chart_is_refused_by_name(board):
    with pytest.raises(KeyError, match="no chart 'three'; it has: one, two"):
        board.update({"three": []})


def test_updates_from_many_threads_lose_nothing(board):
    page_listens(board)
    board.sent.clear()
    threads = [
        threading.Thread(target=lambda: [board.update({"one": [{"x": 1}]}) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    revisions = [message["charts"]["one"]["revision"] for message, _ in board.sent]
    assert revisions == list(range(1, 201))


def test_what_json_cannot_hold_becomes_none(board):
    import numpy as np

    board.update({"one": [{"x": float("nan"), "y": float("inf"), "n": np.int64(3), "f": np.float32(0.5)}]})
    assert board.shown("one") == [{"x": None, "y": None, "n": 3, "f": 0.5}]
    json.dumps(board.shown("one"), allow_nan=False)


def test_large_sets_travel_as_binary_columns(board):
    page_listens(board)
    many = [{"x": i / 2, "n": 10**15 + i, "name": f"v{i}", "gap": None if i else 1} for i in range(200)]
    board.update({"one": many})
    message, buffers = board.sent[-1]
    part = message["charts"]["one"]
    assert part["length"] == 200 and "rows" not in part
    assert part["others"] == {"name": [f"v{i}" for i in range(200)]}
    numbers = {name: struct.unpack("200d", buffers[at]) for name, at in part["numbers"].items()}
    assert numbers["x"][3] == 1.5
    assert numbers["n"][199] == 10**15 + 199  # exact
    assert numbers["gap"][0] == 1 and numbers["gap"][1] != numbers["gap"][1]


def test_small_sets_travel_as_they_are():
    parts, buffers = rows.packed({"one": [{"x": 1}] * (rows.COLUMNS_FROM - 1)})
    assert len(parts["one"]["rows"]) == rows.COLUMNS_FROM - 1 and buffers == []


def test_click_comes_back_as_a_frozen_record(board):
    heard = []
    board.on_selection(heard.append)
    board.selections = {"one": {"pick": {"points": [{"id": "7"}], "turn": 1}}}
    assert heard == [PointSelection("one", "pick", ({"id": "7"},))]
    assert heard[0].of("id") == ("7",)
    assert board.selection("one", "pick") == heard[0]
    assert board.selection("one", "box") is None


def test_same_mark_clicked_twice_is_heard_twice(board):
    heard = []
    board.on_selection(heard.append)
    for turn in (1, 2):
        board.selections = {"one": {"pick": {"points": [{"id": "7"}], "turn": turn}}}
    assert len(heard) == 2


def test_only_what_changed_is_told(board):
    heard = []
    board.selections = {"one": {"pick": {"points": [], "turn": 1}}}
    board.on_selection(heard.append)
    board.selections = {
        "one": {"pick": {"points": [], "turn": 1}},
        "two": {"box": {"ranges": {"x": [3, 1]}, "turn": 2}},
    }
    assert heard == [IntervalSelection("two", "box", {"x": (1, 3)})]


def test_rectangle_holds_what_lies_inside():
    box = IntervalSelection("one", "box", {"x": (1, 3)})
    assert box.holds({"x": 2}) and not box.holds({"x": 4}) and not box.holds({})
    assert not IntervalSelection("one", "box", {}).holds({"x": 2})


def test_nonsense_from_the_page_is_refused():
    with pytest.raises(ValueError, match="neither points nor ranges"):
        from_front_end("one", "pick", {"points": "all"})


def test_place_shows_a_chart_of_its_board(board):
    place = board.place("two")
    assert (place.board, place.chart) == (board.board, "two")
    place.close()


def test_another_chart_takes_a_place_with_its_rows(board):
    page_listens(board)
    board.replace("one", alt.Chart(alt.NamedData("rows")).mark_bar().encode(y="y:Q"), [{"y": 1}])
    assert board.specs["one"]["mark"]["type"] == "bar"
    assert board.sent[-1][0]["charts"]["one"]["rows"] == [{"y": 1}]


def test_libraries_come_to_the_page_once(monkeypatch, tmp_path):
    monkeypatch.setattr(bundle, "_on_page", None)
    monkeypatch.setattr(bundle, "cached_at", lambda: tmp_path / "bundle.js")
    (tmp_path / "bundle.js").write_text("export default {};")
    first = bundle.bring_to_page()
    assert bundle.bring_to_page() is first
    first.close()
    second = bundle.bring_to_page()
    assert second is not first
    second.close()


def test_libraries_are_made_in_a_child_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = bundle.text()
    assert len(made) > 500_000 and "workbench.live.1" in made
    assert bundle.cached_at().read_text(encoding="utf-8") == made
    bundle.cached_at().write_text("kept")
    assert bundle.text() == "kept"


def test_home_that_cannot_be_written_is_no_obstacle(tmp_path):
    (tmp_path / "file").write_text("")
    assert kept.keep(tmp_path / "file" / "bundle.js", "text") == "text"
    assert kept.read(tmp_path / "file" / "bundle.js") is None


def test_spec_is_made_once_for_the_same_sources(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return alt.Chart(alt.NamedData("rows")).mark_point().encode(x="x:Q")

    assert kept.spec("one", make) == kept.spec("one", make)
    assert len(made) == 1
    monkeypatch.setattr(kept, "_sources", lambda: "other sources")
    kept.spec("one", make)
    assert len(made) == 2


def test_scripts_share_one_registry():
    line = 'const page = (globalThis[Symbol.for("workbench.live.1")] ??= { waiting: new Map() });'
    here = bundle.Path(bundle.__file__).parent
    for text in (bundle._SNIPPET, (here / "board.js").read_text(), (here / "place.js").read_text()):
        assert line in text


def test_still_is_the_same_text_twice():
    chart = alt.Chart(alt.NamedData("rows")).mark_point().encode(x="x:Q")
    assert still(chart, [{"x": 1}]) == still(chart, [{"x": 1}])


def test_page_of_stills_reads_as_pictures_and_words():
    chart = alt.Chart(alt.NamedData("rows")).mark_point().encode(x="x:Q")
    text = page({"Size & shape": (chart, [{"x": 1}], "One mark.")})
    assert "Size &amp; shape" in text and "<svg" in text and "One mark." in text


def test_board_leaves_no_widget_behind(monkeypatch):
    monkeypatch.setattr(bundle, "bring_to_page", lambda: None)
    before = set(ipywidgets.widget._instances)
    board = ChartBoard({"one": {"mark": "point"}})
    place = board.place("one")
    for widget in (place, board):
        widget.layout.close()
        widget.close()
    assert set(ipywidgets.widget._instances) == before
