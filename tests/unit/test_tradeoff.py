"""The trade-off's rows: the front, the limits, what is pointed out; a thousand versions are quick."""

from __future__ import annotations

import time

import pytest

from workbench.charts import pareto, tradeoff, tradeoff_rows
from workbench.charts.tradeoff import Point, Shown
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.found import Found
from workbench.measurement.quantities import ACCURACY, MACS, STORED, UNITS, metric


def point(id: str, right: int, stored: float | None, kind="version", **found) -> Point:
    accuracy = Accuracy.of(right, 100, "validation") if right is not None else None
    return Point(id, f"v{id}", kind, ("pruning",), Found(accuracy, stored=stored, **found))


BASELINE = Point("o", "baseline", "baseline", (), Found(Accuracy.of(99, 100, "validation"), stored=1000))
SMALL, MIDDLE, WORSE = point("1", 80, 100), point("2", 95, 300), point("3", 90, 400)
ALL = [BASELINE, SMALL, MIDDLE, WORSE]


def of_kind(rows: list[dict], kind: str) -> list[dict]:
    return [row for row in rows if row["kind"] == kind]


def test_front_is_what_no_other_beats():
    marks = tradeoff_rows.versions([SMALL, MIDDLE, WORSE], Shown())
    assert [row["id"] for row in tradeoff_rows.on_front(marks, Shown())] == ["1", "2"]
    swapped = Shown(ACCURACY, STORED)
    marks = tradeoff_rows.versions([SMALL, MIDDLE, WORSE], swapped)
    assert [row["id"] for row in tradeoff_rows.on_front(marks, swapped)] == ["1", "2"]


@pytest.mark.parametrize("ways", [(False, True), (True, True), (False, False), (True, False)])
def test_every_mark_is_beaten_by_one_on_the_front_or_is_on_it(ways):
    import random

    draw = random.Random(0)
    marks = [{"x": draw.randrange(9), "y": draw.randrange(9)} for _ in range(60)]
    kept = pareto.front(marks, ways)

    def at_least(a, b):
        return all((a[k] >= b[k]) if up else (a[k] <= b[k]) for k, up in zip("xy", ways, strict=True))

    assert all(any(at_least(best, mark) for best in kept) for mark in marks)
    assert not any(at_least(a, b) for a in kept for b in kept if a is not b)


def test_line_of_the_front_promises_nothing_between_two_versions():
    front = [{"x": 1, "y": 1}, {"x": 3, "y": 2}]
    assert pareto.steps(front, (False, True)) == [(1, 1), (3, 1), (3, 2)]  # cost across, gain upward
    falling = [{"x": 1, "y": 2}, {"x": 3, "y": 1}]
    assert pareto.steps(falling, (True, True)) == [(1, 2), (1, 1), (3, 1)]  # two gains


def test_previews_are_not_on_the_front():
    preview = point("p", 100, 50, "preview")
    front = of_kind(tradeoff.rows([*ALL, preview]), "front")
    assert (front[0]["x"], front[0]["y"]) == (100, 0.8)


def test_region_is_what_the_limits_on_the_axes_leave():
    shown = Shown(limits={"stored": 350, "accuracy": 0.9, "macs": 5})
    [region] = of_kind(tradeoff.rows(ALL, shown), "region")
    assert (region["x2"], region["y"], region["y2"]) == (350, 0.9, pytest.approx(1.018))
    assert region["x"] < 100 and region["region"] == "≤ 350 B, ≥ 90.0 %"
    assert of_kind(tradeoff.rows(ALL, Shown(limits={"macs": 5})), "region") == []
    assert of_kind(tradeoff.rows(ALL), "region") == []


def test_region_lies_on_the_right_side_of_swapped_axes():
    shown = Shown(ACCURACY, STORED, limits={"stored": 350, "accuracy": 0.9})
    [region] = of_kind(tradeoff.rows(ALL, shown), "region")
    assert (region["x"], region["x2"], region["y2"]) == (0.9, pytest.approx(1.018), 350)


def test_rings_lie_below_the_marks_so_that_they_catch_no_click_on_a_neighbour():
    layers = [str(each) for each in tradeoff.chart().to_dict()["layer"]]
    rings = [place for place, each in enumerate(layers) if "=== 'ring'" in each]
    marks = [place for place, each in enumerate(layers) if "? 36 : 100" in each]
    assert len(rings) == 2 and len(marks) == 1 and max(rings) < marks[0]


def test_what_is_pointed_out_is_ringed_and_named():
    many = [point(str(i), 50 + i % 40, 100 + i) for i in range(60)]
    shown = Shown(head="7", picked={"8", "9"}, best="10")
    rows = tradeoff.rows([BASELINE, *many], shown)
    rings = {row["id"]: row["ring"] for row in of_kind(rows, "ring")}
    assert rings == {"7": "head", "8": "picked", "9": "picked", "10": "best"}
    named = {row["label"] for row in of_kind(rows, "label")}
    assert named <= {"baseline", "v7", "v8", "v9", "★ v10"} and "baseline" in named


def test_what_does_not_keep_the_limits_steps_back():
    rows = tradeoff.rows(ALL, Shown(fits={"1": True, "2": False}))
    assert {row["id"]: row["fits"] for row in of_kind(rows, "version")} == {"1": "yes", "2": "no", "3": ""}


def test_of_many_versions_only_those_selected_have_interval_lines():
    few = tradeoff.rows(ALL)
    assert all("low" in row for row in of_kind(few, "version"))
    many = [point(str(i), 90, 100 + i) for i in range(tradeoff_rows.MOST_LINES + 1)]
    assert not any("low" in row for row in of_kind(tradeoff.rows(many), "version"))


def test_versions_without_a_place_are_counted_and_said():
    rows = tradeoff.rows([BASELINE, SMALL, MIDDLE], Shown(MACS))
    assert of_kind(rows, "version") == []
    assert of_kind(rows, "hint")[0]["hint"] == "2 of 2 versions not drawn: not counted: no example input"
    notes = of_kind(tradeoff.rows([BASELINE, SMALL, point("4", 90, 50, macs=9)], Shown(MACS)), "note")
    assert notes == [{"kind": "note", "note": "1 of 2 versions not drawn: not counted: no example input"}]


def test_summary_names_the_front_and_the_best():
    said = tradeoff.summary(ALL, Shown(head="2", best="1", limits={"stored": 350.0}))
    assert "3 versions. Not beaten in both: v1, v2. Best within the limits: v1." in said
    assert "Selected v2: accuracy 95.0 %" in said


@pytest.mark.parametrize("x", [STORED, metric("rmse")], ids=["log", "linear"])
def test_filled_template_is_the_chart_itself(x):
    y = metric('odd "name" \\ of a metric')
    own, made = tradeoff.chart(x, y).to_dict(), tradeoff.filled(tradeoff.template(x, y).to_dict(), x, y)
    for spec in (own, made):  # Altair counts its views on
        spec["params"] = [each for each in spec["params"] if "views" not in each]
        for layer in spec["layer"]:
            layer.pop("name", None)
    assert made == own


def test_every_unit_has_axes_that_draw():
    from workbench.live.still import still

    assert all(each in tradeoff.axes.LABELS for each in UNITS)
    shown = Shown(metric("a"), MACS)
    rows = tradeoff.rows([point("1", 80, 100, metrics={"a": -2.0}, macs=3e5)], shown)
    picture = still(tradeoff.chart(shown.x, shown.y), rows)
    assert "MACs (log scale)" in picture and "NaN" not in picture


def test_a_slider_moves_while_a_thousand_versions_rest():
    versions = [point(str(i), 50 + i % 50, 100 + i) for i in range(1000)]
    shown = Shown(head="7", picked={str(i) for i in range(100)})
    marks = tradeoff_rows.versions(versions, shown)
    began = time.process_time()
    for _ in range(5):
        moving = tradeoff_rows.moving([BASELINE, point("p", 90, 500, "preview")], marks, shown)
    took = (time.process_time() - began) / 5
    assert len(moving) < 250  # what travels with every move
    assert took < 0.1
