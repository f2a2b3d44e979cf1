"""The receipt: it adds up to the file, step by step and tensor by tensor, whatever the recipe."""

from __future__ import annotations

import itertools

import pytest
import torch
from small import net, workload
from torch import nn

import workbench as wb
from workbench.charts import receipt as chart
from workbench.job import finish
from workbench.measurement.size import claimed_bytes
from workbench.recipe import Recipe
from workbench.run import Stage
from workbench.storage import pack
from workbench.storage.receipt import Receipt, receipt
from workbench.technique import Context, prepared
from workbench.versions import Version

RECIPES = (
    "PruneWeights(sparsity=0.5)",
    "Quantize(weights=4)",
    "ShareWeights(clusters=4)",
    "ShareWeights(clusters=16, scope='model', biases=True)",
    "PruneWeights(sparsity=0.9) | ShareWeights(clusters=4)",
    "PruneWeights(sparsity=0.6) | Quantize(weights=3, granularity='tensor')",
    "PruneWeights(sparsity=1.0) | ShareWeights(clusters=4)",
    "TieLayers(similarity=-1.0) | ShareWeights(clusters=4)",
)


def version(text: str, hidden: int = 40) -> Version:
    """What `wb.compress` makes, without the measuring, which takes seconds."""
    work = workload(
        net(nn.ReLU(), nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), hidden=hidden)
    )
    candidate, recipe, stages = work.candidate(), Recipe.parse(text), []
    for step in recipe:
        context = Context(work)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
        stages.append(Stage(str(step), 0.0, "", 0, 0, claimed_bytes(candidate)))
    packed = pack(candidate, recipe=recipe, original=work.baseline)
    return Version.new(work, recipe=recipe, seed=0, packed=packed, stages=tuple(stages), candidate=candidate)


@pytest.mark.parametrize("level", ["packed", "coded"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_it_adds_up_to_the_files_length(recipe, level):
    made = version(recipe)
    found = receipt(made, level)
    length = len(made.packed_as(level))
    assert found.stored_bytes == length
    assert found.steps[-1].total == length
    assert sum(step.change for step in found.steps) == length
    assert sum(line.bytes for line in found.lines) + found.header_bytes == length


@pytest.fixture(scope="module")
def pruned_and_shared() -> tuple[Version, Receipt]:
    made = version("PruneWeights(sparsity=0.9) | ShareWeights(clusters=4)")
    return made, receipt(made, "coded")


def test_steps_are_those_of_the_recipe_then_index_codes_and_header(pruned_and_shared):
    names = [step.name for step in pruned_and_shared[1].steps]
    assert names[:3] == ["original file", "PruneWeights(sparsity=0.9)", "ShareWeights(clusters=4)"]
    assert names[3:] == ["where the kept weights lie", "writing the codes", "header"]


def test_lines_tell_what_can_be_counted_in_the_model(pruned_and_shared):
    made, found = pruned_and_shared
    lines = {line.name: line for line in found.lines}
    for name, tensor in made.model.state_dict().items():
        assert lines[name].parameters == tensor.numel()
    for name in ("0.weight", "2.weight"):
        kept = int(torch.count_nonzero(made.model.get_parameter(name)))
        assert lines[name].kept == kept
        assert lines[name].index_bytes > 0
    assert lines["2.weight"].book_bytes == 2 * 4
    assert lines["2.bias"].encoding == "dense"
    assert lines["2.bias"].bits_per_weight == 32


def test_no_line_is_below_its_entropy_by_more_than_a_byte(pruned_and_shared):
    for line in pruned_and_shared[1].lines:
        if line.bound_bytes is not None and line.parameters > 1000:
            assert line.value_bytes + line.index_bytes >= line.bound_bytes - 1


def test_a_loaded_file_has_a_receipt_too(pruned_and_shared, tmp_path):
    made, found = pruned_and_shared
    wb.save(made, tmp_path / "small.safetensors", level="coded")
    loaded = wb.load(tmp_path / "small.safetensors", made.base)
    again = wb.receipt(loaded)
    assert again.lines == found.lines
    assert again.steps[-1].total == (tmp_path / "small.safetensors").stat().st_size
    assert again.steps[1].name == str(made.recipe)


def test_it_is_written_as_text_html_and_a_table(pruned_and_shared):
    found = pruned_and_shared[1]
    assert f"{found.stored_bytes:,}" in found.text()
    assert found._repr_html_().count("<table") == 2
    assert [row["bytes"] for row in found.table()] == [line.bytes for line in found.lines]


def test_the_waterfall_goes_from_the_original_to_the_file(pruned_and_shared):
    found = pruned_and_shared[1]
    drawn = chart.rows(found.steps)
    assert drawn[0]["high"] == found.original_bytes
    assert drawn[-1]["high"] == found.stored_bytes
    # each bar begins where the last one ended; the file's own bar begins at the left
    for before, after in itertools.pairwise(drawn[:-1]):
        ended = before["low"] if before["way"] == "less" else before["high"]
        assert ended in (after["low"], after["high"])
    assert [row["position"] for row in drawn] == list(range(len(drawn)))
    assert chart.chart().to_dict()["layer"]
    assert str(found.steps[-1].total)[0] in chart.summary(found.steps)


def test_the_waterfall_says_what_to_do_where_there_is_nothing():
    assert chart.rows([])[0]["kind"] == "hint"
