"""Which samples flipped, how surely, class by class; and the step that flipped them, checked."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import torch
from small import blobs, measure_quickly, net, workload
from torch import nn

import workbench as wb
from workbench.comparison import flipping, pictures, staging
from workbench.comparison.classes import by_class
from workbench.comparison.flipped import probabilities
from workbench.errors import WorkbenchError
from workbench.job import Stopped, finish
from workbench.measurement.accuracy import Evaluation
from workbench.versions import tree_for
from workbench.workload import Workload

RECIPE = "PruneWeights(sparsity=0.8) | FineTune(epochs=2, learning_rate=0.05) | Quantize(weights=2)"


class Says(nn.Module):
    """Gives the scores it was given, row by row: the inputs are the row's number."""

    def __init__(self, scores: list[list[float]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(scores))

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.weight[numbers[:, 0].long()]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_quickly(monkeypatch)


@pytest.fixture
def spoken() -> tuple[Workload, Says]:
    """Four samples of labels 0, 0, 1, 2; two models whose words are known."""
    before = Says([[4.0, 0, 0], [0, 4.0, 0], [4.0, 0, 0], [0, 4.0, 0]])  # 0 1 0 1
    after = Says([[0, 1.0, 0], [9.0, 0, 0], [0, 0, 5.0], [0, 4.0, 0]])  # 1 0 2 1
    test = (torch.arange(4.0)[:, None], torch.tensor([0, 0, 1, 2]))
    return Workload(before, test=test, validation=test, classes=("a", "b", "c")), after


@pytest.fixture
def trained() -> Workload:
    """A workload of its own tree, so that names are free."""
    work = workload(net(seed=5))
    tree = tree_for(work)
    for each in tree.versions:
        tree.delete(each)
    return work


def test_flips_are_broken_mended_or_wrong_otherwise_the_surest_first(spoken):
    work, other = spoken
    flips = wb.flips(work, None, other)
    assert [(each.index, each.kind) for each in flips.flips] == [
        (1, "mended"),
        (2, "otherwise"),
        (0, "broken"),
    ]
    assert (flips.split, flips.n, flips.paired.lost, flips.paired.gained) == ("test", 4, 1, 1)
    first = flips.flips[0]
    assert (first.label, first.before, first.after) == (0, 1, 0)
    shares = torch.tensor([9.0, 0, 0]).softmax(0)
    assert first.sureness == pytest.approx(float(shares[0] - shares[1]))
    assert first.after_share == pytest.approx(float(shares[0]))
    assert flips.of("broken", label=0)[0].index == 0 and flips.of(label=2) == ()
    assert (
        flips.sentence
    ) == "3 of 4 test samples flipped from original to Says: 1 broken, 1 mended, 1 changed but wrong."
    assert flips.table()[0]["label"] == "a"


def test_inputs_of_the_flips_are_those_samples(spoken):
    work, other = spoken
    inputs = wb.flips(work, None, other).inputs
    assert {index: float(each[0]) for index, each in inputs.items()} == {0: 0.0, 1: 1.0, 2: 2.0}


def test_flips_over_many_batches_keep_their_places():
    inputs, targets = blobs(1000)
    work = Workload(net(), test=(inputs, targets), validation=blobs(30))
    other = net(seed=1)
    flips = wb.flips(work, None, other)
    with torch.no_grad():
        was, now = work.baseline(inputs).argmax(1), other.eval()(inputs).argmax(1)
    assert sorted(each.index for each in flips.flips) == (was != now).nonzero()[:, 0].tolist()
    assert all(torch.equal(flips.inputs[each.index], inputs[each.index]) for each in flips.flips[:50])


def test_validation_is_used_where_there_is_no_test(spoken):
    work, other = spoken
    work.test = None
    flips = wb.flips(work, None, other)
    assert flips.split == "validation" and "validation samples" in flips.sentence


def test_numbers_do_not_flip_and_the_line_says_what_is_needed():
    inputs = torch.randn(8, 6)
    work = Workload(nn.Linear(6, 1), test=(inputs, inputs[:, :1]), validation=(inputs, inputs[:, :1]))
    with pytest.raises(WorkbenchError, match="predicts numbers: the inspector needs a classifier"):
        wb.flips(work, None, nn.Linear(6, 1))
    with pytest.raises(WorkbenchError, match="no test or validation data"):
        bare = Workload(net(), train=blobs(12))
        bare.test = bare.validation = None
        wb.flips(bare)


def test_half_the_samples_are_none(spoken):
    work, other = spoken
    steps = flipping(work, None, other)
    next(steps)
    with pytest.raises(Stopped):
        steps.throw(Stopped())


def test_outputs_that_are_shares_already_are_left_as_they_are():
    shares = torch.tensor([[0.2, 0.8], [0.5, 0.5]])
    assert torch.equal(probabilities(shares), shares)
    assert torch.allclose(probabilities(torch.tensor([[0.0, 2.0]])).sum(1), torch.ones(1))


def test_classes_tell_precision_and_recall_with_how_many():
    def said(predictions: list[int]) -> Evaluation:
        return Evaluation("test", 5, np.array(predictions), np.array([0, 0, 1, 1, 1]), 0.0)

    first, second = by_class(said([0, 0, 1, 1, 0]), said([0, 1, 1, 1, 1]), ("cat", "dog"))
    assert (first.name, first.n, first.recall_before.value, first.recall_after.value) == ("cat", 2, 1.0, 0.5)
    assert (first.precision_before.value, first.precision_before.n) == (2 / 3, 3)
    assert (second.recall_before.value, second.recall_after.value) == (2 / 3, 1.0)
    assert (first.broken, first.mended, second.broken, second.mended) == (1, 0, 0, 1)
    assert first.recall_after.low < 0.5 < first.recall_after.high
    never = by_class(said([0, 0, 0, 0, 0]), said([0, 0, 0, 0, 0]))[1]
    assert never.precision_before.value is None and never.recall_before.value == 0


# --- the step


def test_the_step_that_flipped_is_found_and_checked(trained):
    version = wb.compress(trained, RECIPE, seed=4)
    stages = wb.flip_stages(trained, version)
    assert stages.is_checked and stages.differing == 0
    assert [each.name for each in stages.stages] == ["1 PruneWeights", "2 FineTune", "3 Quantize"]
    assert "Checked" in stages.sentence and "48 test samples" in stages.sentence
    flips = wb.flips(trained, None, version)
    assert flips.flips, "the recipe is harsh enough to flip something"
    trail = [stages.start, *(each.evaluation for each in stages.stages)]
    for flip in flips.flips:
        stage = stages.of(flip.index, flip.after)
        said = [int(each.predictions[flip.index]) for each in trail]
        assert said[stage.number] == flip.after != said[stage.number - 1]
        assert set(said[stage.number :]) == {flip.after}


def test_counts_of_the_steps_add_up_to_the_change(trained):
    version = wb.compress(trained, RECIPE, seed=4)
    stages = wb.flip_stages(trained, version)
    gained = sum(each.mended - each.broken for each in stages.stages)
    right = [int(each.correct.sum()) for each in (stages.start, stages.stages[-1].evaluation)]
    assert right[0] + gained == right[1]


def test_steps_of_a_branch_begin_where_it_does(trained):
    first = wb.compress(trained, "PruneWeights(sparsity=0.8)", seed=1)
    second = wb.compress(trained, "FineTune(epochs=1, learning_rate=0.1)", seed=2, parent=first)
    from_first = wb.flip_stages(trained, second, before=first)
    assert from_first.began == first.name and len(from_first.stages) == 1 and from_first.is_checked
    whole = wb.flip_stages(trained, second)
    assert [each.version for each in whole.stages] == [first.name, second.name] and whole.is_checked


def test_a_run_that_was_stopped_is_not_passed_off_as_the_same(trained):
    version = wb.compress(trained, RECIPE, seed=4)
    stopped = version.changed(is_stopped=True, recipe=wb.Recipe.parse("PruneWeights(sparsity=0.99)"))
    stages = wb.flip_stages(trained, stopped)
    assert not stages.is_checked and stages.differing > 0
    assert "Not the same" in stages.sentence
    assert any("stopped before its recipe's end" in each for each in stages.notes)
    differing = np.flatnonzero(stages.stages[-1].evaluation.predictions != stages.stored.predictions)
    assert stages.of(int(differing[0])) is None


def test_stopped_it_keeps_the_steps_that_were_done(trained):
    version = wb.compress(trained, RECIPE, seed=4)
    steps = staging(trained, version)
    progress = next(steps)
    while "step 2" not in progress.message:
        progress = next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    stages = end.value.value
    assert len(stages.stages) == 1 and stages.differing is None and not stages.is_checked
    assert stages.sentence.startswith("Not checked: stopped after step 1")


def test_the_global_random_numbers_are_the_callers_own(trained):
    version = wb.compress(trained, RECIPE, seed=4)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    finish(staging(trained, version))
    assert torch.equal(torch.rand(3), expected)


def test_only_versions_have_steps(trained):
    with pytest.raises(WorkbenchError, match="is no version"):
        finish(staging(trained, None))


# --- pictures


def decoded(data: bytes) -> tuple[int, int, int, bytes]:
    """Width, height, colour type and pixels of a PNG this module wrote."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, _, colour = struct.unpack(">IIBB", data[16:26])
    start = data.index(b"IDAT") + 4
    length = struct.unpack(">I", data[start - 8 : start - 4])[0]
    assert struct.unpack(">I", data[start + length : start + length + 4])[0] == zlib.crc32(
        data[start - 4 : start + length]
    )
    return width, height, colour, zlib.decompress(data[start : start + length])


def test_an_image_becomes_a_png_of_its_own_pixels():
    sample = torch.zeros(1, 4, 5)
    sample[0, 1, 2] = 1.0
    width, height, colour, raw = decoded(pictures.png(sample))
    assert (width, height, colour) == (5, 4, 0)
    rows = [raw[1 + 6 * y : 6 + 6 * y] for y in range(4)]
    assert rows[1] == bytes([0, 0, 255, 0, 0]) and rows[0] == bytes(5)


def test_three_channels_are_colours_and_large_ones_are_averaged_down():
    width, height, colour, raw = decoded(pictures.png(torch.ones(3, 200, 100)))
    assert (width, height, colour) == (32, 64, 2)
    assert set(raw[1 : 1 + 3 * 32]) == {255}


def test_normalized_values_are_stretched_and_bytes_are_not():
    *_, raw = decoded(pictures.png(torch.tensor([[[-2.0, 2.0, 0.0, 0.0]] * 4])))
    assert list(raw[1:5]) == [0, 255, 128, 128]
    *_, raw = decoded(pictures.png(torch.full((1, 4, 4), 100.0)))
    assert raw[1] == 100


def test_what_is_no_picture_is_told_in_numbers():
    assert not pictures.is_picture(torch.zeros(6)) and not pictures.is_picture(torch.zeros(5, 8, 8))
    assert pictures.is_picture(torch.zeros(3, 8, 8))
    assert pictures.text(torch.tensor([0.5, -1.0])) == "0.5, −1"
    assert pictures.text(torch.zeros(100)).endswith("(100 numbers)")
    assert pictures.text({"ids": torch.tensor([3, 4])}) == "ids: 3, 4"
