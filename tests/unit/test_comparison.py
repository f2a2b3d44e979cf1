"""Two models side by side: on the same samples, and down to the layer; recipes from the original on."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
import torch
from small import data, measure_quickly, net, workload
from torch import nn

import workbench as wb
from workbench.comparison import comparing, difference, lineage
from workbench.comparison.layers import pairs
from workbench.comparison.side import Side
from workbench.errors import RuntimeUnavailable, VersionError, WorkbenchError
from workbench.job import Job, Progress, Stopped
from workbench.recipe import Recipe
from workbench.versions import tree_for
from workbench.workload import Workload


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_quickly(monkeypatch)


@pytest.fixture
def work() -> Workload:
    """A workload with versions: `sparse`, `more` that goes on from it, and `coarse` beside them."""
    work = workload(net(seed=3))
    tree = tree_for(work)
    for each in tree.versions:
        tree.delete(each)
    sparse = wb.compress(work, "PruneWeights(sparsity=0.5)", name="sparse")
    wb.compress(work, "Quantize(weights=4)", parent=sparse, name="more")
    wb.compress(work, "PruneWeights(sparsity=0.8) | FineTune(epochs=1)", name="coarse")
    return work


def found(work: Workload, before: object = None, after: object = None, **options: object) -> wb.Report:
    return wb.compare(work, before, after, **{"runtimes": (), "seconds": 0.05, **options})


def test_two_versions_are_paired_on_the_same_samples(work):
    both = found(work, "sparse", "coarse")
    a, b = (wb.measure(work, tree_for(work).get(name), runtimes=()).accuracy for name in ("sparse", "coarse"))
    row = both.figure("accuracy")
    assert (row.before, row.after) == (a.value, b.value)
    assert both.paired.n == 48 and both.paired.difference == pytest.approx(b.value - a.value)
    assert row.verdict == ("a difference" if both.paired.is_seen else "no difference seen")
    assert "exact McNemar test" in row.why and "48 validation" in row.title


def test_a_version_is_compared_with_the_original(work):
    both = found(work, None, "coarse")
    assert (both.before, both.after) == ("original", "coarse")
    stored = both.figure("stored")
    assert stored.after == tree_for(work).get("coarse").packed_bytes and stored.verdict == "exact"
    assert both.figure("nonzero").after < both.figure("nonzero").before
    with pytest.raises(KeyError, match="no figure 'colour'; there are: accuracy"):
        both.figure("colour")


def test_the_same_against_itself_shows_no_difference(work):
    both = found(work, "more", "more")
    assert both.paired.lost == both.paired.gained == 0
    assert all(each.is_same and each.error == 0 for each in both.layers)
    assert {each.kind for each in both.steps} == {"same"}


def test_latency_is_timed_in_turns_and_simulated_speed_is_no_time(work):
    both = found(work, "sparse", "more", runtimes=("pytorch",), seconds=0.02)
    row = both.figure("latency:pytorch")
    assert row.before > 0 and "in turns" in row.why
    assert row.after_text == "simulated only" and row.after is None
    assert "in float32" in row.change and row.verdict == ""


def test_a_batch_that_is_asked_for_is_the_one_that_is_timed():
    class Watched(nn.Linear):
        batches: ClassVar[set[int]] = set()

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            self.batches.add(len(inputs))
            return super().forward(inputs)

    work = Workload(nn.Sequential(Watched(6, 3)), input_shape=6)
    both = found(work, None, None, runtimes=("pytorch",), seconds=0.02, batch=7)
    assert 7 in Watched.batches
    assert "batch of 7" in both.figure("latency:pytorch").why


def test_a_runtime_that_there_is_not_is_said_before_anything_is_measured(work):
    with pytest.raises(RuntimeUnavailable, match="did you mean 'pytorch'"):
        next(comparing(work, None, "coarse", runtimes=("pytorsh",)))


def test_what_is_missing_is_said():
    both = found(Workload(net(), input_shape=6), None, net(seed=9))
    assert "no accuracy: this workload has no validation data" in both.notes
    assert both.steps is None and both.paired is None and both.sentence == ""


def test_numbers_have_a_loss_and_metrics_instead_of_a_test():
    targets = torch.linspace(0, 1, 48)[:, None]
    inputs = torch.randn(48, 6, generator=torch.Generator().manual_seed(0))

    def error(outputs: torch.Tensor, targets: torch.Tensor) -> float:
        return float((outputs - targets).abs().mean())

    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1))
    work = Workload(model, validation=(inputs, targets), test=(inputs, targets), metrics={"error": error})
    both = found(work, None, nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1)))
    assert both.paired is None
    assert {"loss", "metric:error"} <= {each.name for each in both.figures}
    assert both.figure("loss").verdict == ""


def test_layers_tell_shape_bits_zeros_rank_and_error(work):
    both = found(work, None, "more")
    first, last = both.layers
    assert (first.name, first.before.shape, first.before.rank) == ("0", (8, 6), 6)
    assert first.before.bits == 32 and first.after.bits < 32
    assert first.before.zeros == 0 and first.after.zeros > 0.3
    assert 0 < first.error < 1 and 0 < last.error < 1
    assert first.before.milliseconds > 0


def test_error_of_a_layer_is_how_far_its_outputs_are(work):
    version = tree_for(work).get("coarse")
    inputs = data()["validation"][0]
    with torch.no_grad():
        old, new = work.baseline[0](inputs), version.model[0](inputs)
    by_hand = float((new - old).norm() / old.norm())
    assert found(work, None, version).layers[0].error == pytest.approx(by_hand, rel=1e-4)


def test_thin_layers_stand_under_the_layer_they_were(work):
    version = wb.compress(work, "Factorize(method='svd', ratio=0.5, where='any')", name="thin")
    both = found(work, None, version)
    assert [each.name for each in both.layers] == ["0", "2"]
    split = [each for each in both.layers if each.after.parts == 2]
    assert split and all(each.after.rank < each.before.rank for each in split)
    weights = both.weights(split[0].name)
    assert (weights.before.parts, weights.after.parts) == (1, 2)


def test_layers_that_one_has_alone_are_listed_beside_nothing(work):
    wider = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4), nn.Linear(4, 3))
    rows = {each.name: each for each in pairs(Side.of(work, None), Side.of(work, wider))}
    assert rows["3"].before is None and rows["3"].after.shape == (3, 4)
    both = found(work, None, wider)
    assert {each.name: each.error for each in both.layers}["2"] is None  # another shape: nothing to compare
    assert math.isfinite({each.name: each.error for each in both.layers}["0"])


def test_weights_lie_in_the_same_bins_and_zeros_are_counted_apart(work):
    both = found(work, None, "sparse")
    pair = both.weights("0")
    for side in (pair.before, pair.after):
        assert sum(side.counts) + side.zeros == side.total == 48
    assert pair.low == -pair.high and pair.after.zeros > 0
    with pytest.raises(WorkbenchError, match="no layer 'zero'; there are: 0, 2"):
        both.weights("zero")


def test_recipes_differ_step_by_step_and_option_by_option():
    before = Recipe.parse("PruneWeights(0.5) | FineTune(epochs=1)")
    after = Recipe.parse("PruneWeights(0.9) | Quantize(weights=4)")
    changes = difference(before, after)
    assert [each.kind for each in changes] == ["changed", "removed", "added"]
    assert changes[0].options == (("sparsity", 0.5, 0.9),)
    assert changes[0].text == "PruneWeights: sparsity 0.5 → 0.9"
    assert [each.kind for each in difference(after, after)] == ["same", "same"]
    assert difference(Recipe(), Recipe()) == ()


def test_a_recipe_is_told_from_the_original_on(work):
    tree = tree_for(work)
    find = lambda id: tree.get(id) if id in tree else None  # noqa: E731
    assert str(lineage.recipe(tree.get("more"), find)) == "PruneWeights(sparsity=0.5) | Quantize(weights=4)"
    assert [each.kind for each in found(work, "sparse", "more").steps] == ["same", "added"]
    start, way = lineage.parting(tree.get("coarse"), tree.get("more"), find)
    assert start is None and [each.name for each in way] == ["sparse", "more"]
    start, way = lineage.parting(tree.get("sparse"), tree.get("more"), find)
    assert start.name == "sparse" and [each.name for each in way] == ["more"]


def test_a_deleted_beginning_is_said(work):
    tree_for(work).delete("sparse")
    both = found(work, None, "more")
    assert any("went on from a version that was deleted" in each for each in both.notes)
    assert tree_for(work).get("more").parent is None
    assert tree_for(work).get("more").made_from is not None


def test_no_such_version_is_one_line(work):
    with pytest.raises(VersionError, match="no version 'coarce'; did you mean 'coarse'"):
        found(work, None, "coarce")


def test_stopped_it_keeps_what_it_has(work):
    steps = comparing(work, None, "coarse", runtimes=())
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    both = end.value.value
    assert both.is_final and both.figure("stored").after > 0 and both.paired is None
    assert "stopped: what is missing was not measured" in both.notes


def test_what_is_known_so_far_comes_with_every_progress(work):
    told: list[Progress] = []
    job = Job(lambda: comparing(work, None, "coarse", runtimes=()))
    job.observe(lambda job: told.append(job.progress))
    job.run()
    first = told[1].record["comparison"]
    assert first.figure("stored").after > 0 and not first.is_final


def test_it_reads_as_text_html_and_rows(work):
    both = found(work, None, "coarse")
    assert "stored size" in str(both) and "McNemar" in str(both)
    assert both._repr_html_().count("<table") == 2
    assert {row["name"] for row in both.table()} >= {"accuracy", "stored"}
    assert np.isfinite(both.table()[0]["after"])
