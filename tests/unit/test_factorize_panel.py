"""The panel of factorization: the line follows the slider, limits are measured when the hand rests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench import examples
from workbench.panels.factorization import Factorization
from workbench.versions import VersionTree


@pytest.fixture(scope="module")  # it measures the baseline once; every test sets its own recipe
def panel() -> Iterator[Factorization]:
    work = examples.load("digits")
    shown = Factorization(work, tree=VersionTree(None, work))
    shown.wait()
    yield shown
    shown.close()


def ranks(panel: Factorization) -> dict[str, int | None]:
    return {each.name: each.rank for each in panel.spectra if each.side in ("", "out")}


def drawn(panel: Factorization, line: str) -> float:
    return next(row["rank"] for row in panel.spectrum.board.shown("spectrum") if row.get("line") == line)


def test_it_begins_with_factorize_and_shows_every_layer_that_can_be_split(panel):
    assert str(panel.recipe) == "Factorize(ratio=0.25)"
    assert list(ranks(panel)) == ["conv1", "conv2", "fc1", "fc2"]
    assert ranks(panel)["fc2"] is None  # too small to be worth it


def test_the_line_follows_the_slider(panel):
    panel.recipe = "Factorize(ratio=0.5, method='svd')"
    panel.wait()
    assert ranks(panel)["fc1"] == 32 and drawn(panel, "rank") == 32
    panel.recipe = "Factorize(ratio=0.125, method='svd')"
    panel.wait()
    assert ranks(panel)["fc1"] == 8 and drawn(panel, "rank") == 8


def test_limits_of_size_and_of_time_are_there_for_each_layer(panel):
    assert all(0 < each.larger_above <= each.full for each in panel.spectra)
    assert all(each.slower_above is not None for each in panel.spectra)
    assert "larger above" in panel.spectrum._table.value


def test_without_a_step_that_factorizes_it_says_what_to_add(panel):
    panel.recipe = "PruneWeights(sparsity=0.5)"
    panel.wait()
    assert panel.spectra == () and "Add Factorize" in panel.spectrum._table.value


def test_a_rank_that_is_refused_is_one_line(panel):
    panel.recipe = "Factorize(ratio=0.25, ranks={'fc1': 900})"
    panel.wait()
    assert "fc1 cannot have rank 900" in panel.error and "\n" not in panel.error


def test_constraints_before_it_change_what_is_split(panel):
    panel.recipe = "PruneWeights(sparsity=0.9) | Factorize(ratio=0.25)"
    panel.wait()
    assert panel.spectra and panel.error == ""
