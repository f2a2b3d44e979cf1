"""The spectrum chart: rows follow the rank, lines stand where splitting stops paying."""

from __future__ import annotations

from workbench.charts import spectrum
from workbench.charts.spectrum import Spectrum
from workbench.live.still import still

HALVING = [0.5, 0.25, 0.125, 0.0625]


def lines(shown: Spectrum) -> dict[str, int]:
    return {row["line"]: row["rank"] for row in spectrum.rows(shown) if row["kind"] == "line"}


def test_a_row_per_rank_and_one_per_line():
    rows = spectrum.rows(Spectrum("fc1", HALVING, 2, larger_above=3, slower_above=1))
    ranks = [row for row in rows if row["kind"] == "rank"]
    assert [row["rank"] for row in ranks] == [1, 2, 3, 4]
    assert [row["is_kept"] for row in ranks] == [True, True, False, False]
    assert ranks[1]["kept"] == 0.75 and ranks[0]["value"] == 1.0 and ranks[2]["value"] == 0.5
    assert lines(Spectrum("fc1", HALVING, 2, 3, 1)) == {"rank": 2, "larger": 3, "slower": 1}


def test_the_line_follows_the_slider():
    assert lines(Spectrum("fc1", HALVING, 1))["rank"] == 1
    assert lines(Spectrum("fc1", HALVING, 3))["rank"] == 3


def test_a_whole_layer_has_no_rank_line_and_keeps_all():
    whole = Spectrum("fc1", HALVING, None, larger_above=2)
    assert lines(whole) == {"larger": 2}
    assert "left whole" in spectrum.summary(whole)


def test_wide_layers_are_thinned_and_keep_their_last_rank():
    rows = [row for row in spectrum.rows(Spectrum("fc", [1 / 1000] * 1000, 10)) if row["kind"] == "rank"]
    assert len(rows) <= 241 and rows[-1]["rank"] == 1000


def test_the_summary_says_what_is_drawn():
    told = spectrum.summary(Spectrum("conv2", HALVING, 2, 3, None, side="out"))
    assert told == "Spectrum of conv2, out channels: rank 2 of 4 keeps 75.0 %. Larger above 3."


def test_a_limit_below_every_rank_or_beyond_all_is_said_so():
    told = spectrum.summary(Spectrum("fc1", HALVING, 2, larger_above=4, slower_above=0))
    assert told.endswith("keeps 75.0 %. Slower at every rank.")


def test_nothing_to_show_is_a_hint():
    assert [row["kind"] for row in spectrum.rows(None)] == ["hint"]
    assert spectrum.summary(None).startswith("This model has no layer")


def test_it_draws_without_a_front_end():
    picture = still(spectrum.chart(), spectrum.rows(Spectrum("fc1", HALVING, 2, 3)))
    assert "larger above" in picture and "rank 2: 75.0 % kept" in picture
