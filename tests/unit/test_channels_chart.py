"""The picture of what was removed: a cell for each channel that stays, none where it went."""

from __future__ import annotations

import structures

from workbench.charts import channels
from workbench.charts.channels import CELLS, Strip
from workbench.live.still import still
from workbench.techniques.prune_channels import PruneChannels
from workbench.workload import Workload

STRIPS = [Strip("conv1", [True, False, True, True]), Strip("fc", [True] * 10, "neurons", "it makes outputs")]


def cells(strips: list[Strip], layer: str) -> list[tuple[float, float]]:
    return [
        (row["left"], row["kept"])
        for row in channels.rows(strips)
        if row["kind"] == "cell" and row["layer"] == layer
    ]


def test_a_cell_per_channel_that_stays_and_a_text_per_layer():
    assert cells(STRIPS, "conv1") == [(0.0, 1.0), (0.5, 1.0), (0.75, 1.0)]
    texts = [row["text"] for row in channels.rows(STRIPS) if row["kind"] == "layer"]
    assert texts == ["3 of 4 channels", "10, locked"]


def test_many_channels_share_cells_by_how_many_stay():
    many = [Strip("wide", [index % 2 == 0 for index in range(4 * CELLS)])]
    found = cells(many, "wide")
    assert len(found) == CELLS and {kept for _, kept in found} == {0.5}


def test_the_summary_says_what_is_drawn_and_nothing_is_a_hint():
    assert channels.summary(STRIPS) == "What is left: conv1 3 of 4 channels; fc 10, locked."
    assert [row["kind"] for row in channels.rows([])] == ["hint"] and channels.summary([]).endswith("go.")


def test_a_step_says_what_it_would_leave_and_the_picture_draws_without_a_front_end():
    work = Workload(structures.net("row"), input_shape=(3, 8, 8))
    found = PruneChannels(0.5).remains(work)
    assert [(each.name, sum(each.kept), len(each.kept)) for each in found] == [
        ("0", 4, 8),
        ("3", 5, 10),
        ("7", 6, 12),
        ("9", 4, 4),
    ]
    first = found[0]
    gone = {worth for worth, stays in zip(first.worth, first.kept, strict=True) if not stays}
    assert gone == set(sorted(first.worth)[:4])
    strips = [Strip(each.name, each.kept, each.word, each.locked) for each in found]
    drawn = still(channels.chart(len(strips)), channels.rows(strips))
    assert "4 of 8 channels" in drawn and "4, locked" in drawn
