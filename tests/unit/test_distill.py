"""Distill: who teaches whom what, under which constraints; what is said, refused, stopped and resumed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from workbench.algorithms.distillation.matching import pairs
from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.errors import OptionError, RecipeError, WorkloadError
from workbench.job import Job, Stopped, finish
from workbench.options import Reference
from workbench.preview import Previewer
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.techniques.distill import Distill
from workbench.testing import workload
from workbench.workload import Workload


def run(work, recipe, names=None, seed=0, start=None):
    """The candidate a recipe makes, and the records of its last step."""
    candidate = start or work.candidate()
    for step in Recipe.of(recipe):
        context = Context(work, seed=seed, names=names or {})
        records = []

        def watched(step=step, candidate=candidate, context=context, records=records):
            steps = step.apply(candidate, context, prepared(step, candidate, context))
            while True:
                try:
                    progress = next(steps)
                except StopIteration as end:
                    return end.value
                records.append(progress.record)
                yield progress

        candidate = Job(watched, seed=seed).run()
    return candidate, [each for each in records if each]


def small(seed=0, out=3):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, out)
    )


def test_every_term_has_a_curve():
    _, records = run(workload(), "Distill(epochs=1, weights={'attention': 1, 'features': 1, 'relations': 1})")
    losses = [each for each in records if "loss" in each]
    assert losses and all(
        {"soft_targets", "attention", "features", "relations", "labels"} <= each.keys() for each in losses
    )


def test_the_loss_is_the_weighted_sum_of_its_terms():
    weights = {"soft_targets": 2.0, "outputs": 0.5, "labels": 0.25}
    _, records = run(workload(), Distill("fresh", epochs=1, weights=weights))
    for each in (each for each in records if "loss" in each):
        assert each["loss"] == pytest.approx(sum(weights[name] * each[name] for name in weights), rel=1e-5)


def test_notes_say_what_was_learned_from_which_layers_and_how_the_teacher_was_asked():
    result, _ = run(workload(), "Distill('half-width', loss='features', epochs=2)")
    told = "\n".join(result.notes)
    assert "the student is a Sequential of" in told
    assert "learned from features × 1, labels × 1" in told
    assert "layers paired, teacher → student: 2 (6×4×4) → 2 (3×4×4), 4 (8×2×2) → 4 (4×2×2)" in told
    assert "48 samples were computed once and kept in memory" in told


def test_by_default_the_pruned_model_learns_from_the_original_and_keeps_its_zeros():
    work = workload()
    result, _ = run(work, "PruneWeights(sparsity=0.5) | Distill(epochs=2, learning_rate=0.01)")
    masks = {name: result.constraints.of(name, Mask) for name in result.constraints}
    assert masks and all(bool((result.model.get_parameter(n)[~m.keep] == 0).all()) for n, m in masks.items())
    before, _ = run(work, "PruneWeights(sparsity=0.5)")
    assert not torch.equal(before.model[0].weight, result.model[0].weight)


def test_after_rounding_it_is_quantization_aware_distillation():
    result, _ = run(workload(), "Quantize(weights=4) | Distill(epochs=1)")
    grids = [result.constraints.of(name, Grid) for name in result.constraints]
    assert any(grids)
    for name in result.constraints:
        weight = result.model.get_parameter(name).detach()
        assert torch.equal(result.constraints.constrain(name, weight), weight)


def test_schedules_of_pruning_run_inside_distillation():
    result, _ = run(workload(), "PruneWeights(sparsity=0.5, schedule='cubic') | Distill(epochs=2)")
    zeros = sum(int((each == 0).sum()) for each in result.model.parameters() if each.ndim > 1)
    assert zeros >= 0.4 * sum(each.numel() for each in result.model.parameters() if each.ndim > 1)
    assert not result.schedules


def test_a_new_student_ends_the_constraints_aloud():
    result, _ = run(workload(), "PruneWeights(sparsity=0.5) | Distill('half-width', epochs=1)")
    assert not result.constraints
    assert any("ended: the student is a new net" in note for note in result.notes)


def test_several_teachers_are_averaged():
    work, nets = workload(), [small(1), small(2)]
    from workbench.algorithms.distillation.teachers import Teachers

    inputs, _ = work.train.first()
    told = Teachers([Candidate.of(each) for each in nets], work, ["1"])(inputs)
    with torch.no_grad():
        assert torch.allclose(told.outputs, (nets[0](inputs) + nets[1](inputs)) / 2, atol=1e-6)
        assert torch.allclose(told.features["1"], nets[0][:2](inputs), atol=1e-6)
    result, _ = run(work, Distill("half-width", teacher=Reference("both"), epochs=1), {"both": nets})
    assert "2 teachers averaged" in result.notes


def test_born_again_students_teach_one_another_and_epochs_count_on():
    step = Distill(algorithm="born-again", generations=3, epochs=2)
    result, records = run(workload(), step)
    epochs = [each["epoch"] for each in records if "epoch" in each]
    assert epochs == sorted(epochs) and epochs[-1] == 6
    assert "3 of 3 generations" in result.notes


def test_heads_are_thrown_away():
    work = workload()
    result, records = run(work, Distill(algorithm="heads", epochs=1))
    assert result.model.state_dict().keys() == work.baseline.state_dict().keys()
    assert {"labels", "heads_labels", "heads_soft_targets"} <= records[2].keys() | records[3].keys()
    assert any(note.startswith("heads on 2 (6×4×4)") for note in result.notes)


def test_pairs_by_name_are_teachers_first():
    work = workload()
    found = pairs(work.baseline, small(), work, ("3:0", "6:3"))
    assert [(each.teacher.path, each.student.path) for each in found] == [("3", "0"), ("6", "3")]
    assert [each.name for each in found] == ["3:0", "6:3"]


def test_pairs_of_equal_nets_are_each_layer_with_itself():
    work = workload()
    found = pairs(work.baseline, work.baseline, work)
    assert [(each.teacher.path, each.student.path) for each in found] == [("2", "2"), ("4", "4"), ("8", "8")]


def test_pairs_follow_size_and_depth():
    work = workload()
    found = pairs(work.baseline, small(), work)
    assert [(each.teacher.path, each.student.path) for each in found] == [("2", "1"), ("8", "4")]


@pytest.mark.parametrize(
    ("layers", "error", "line"),
    [
        (("convv",), RecipeError, "the teacher has no layer 'convv' that runs"),
        (("0:nine",), RecipeError, "the student has no layer 'nine' that runs"),
        (("0:1:2",), RecipeError, "'0:1:2' is no pair"),
        (("0:6",), WorkloadError, "no adaptor fits 0 (6×4×4) of the teacher to 6 (16) of the student"),
    ],
)
def test_pairs_that_cannot_be_are_refused(layers, error, line):
    with pytest.raises(error) as raised:
        run(workload(), Distill(loss="features", layers=layers, epochs=1))
    assert line in str(raised.value) and "\n" not in str(raised.value)


def test_attention_needs_maps():
    with pytest.raises(WorkloadError, match="attention needs layers that give maps"):
        run(workload(), Distill(loss="attention", layers=("6",), epochs=1))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"temperature": 0}, "temperature must lie above 0"),
        ({"temperature": -1}, "temperature must lie above 0"),
        ({"loss": "soft_target"}, "did you mean 'soft_targets'"),
        ({"weights": {"label": 1}}, "weights has no 'label'; did you mean 'labels'"),
        ({"weights": {"labels": -1}}, "weights must be at least 0"),
        ({"teacher": "net2"}, "write teacher=net2, no quotes"),
    ],
)
def test_options_that_cannot_be_are_refused(options, line):
    with pytest.raises(OptionError, match=line):
        Distill(**options)


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(WorkloadError, match="every term has weight 0"):
        run(workload(), Distill(epochs=1, weights={"soft_targets": 0, "labels": 0}))


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (nn.Linear, "student=net2 is a class; give a net of it"),
        (7, "student=net2 must be a net or a version"),
        ([], "student=net2 is an empty list"),
        ([small(), small()], "student=net2 holds 2 nets"),
        (nn.Linear(3, 3), "student=net2: the model does not take the data"),
    ],
)
def test_variables_that_hold_no_student_are_refused(value, line):
    with pytest.raises((RecipeError, WorkloadError), match=line):
        run(workload(), Distill(Reference("net2"), epochs=1), {"net2": value})


def test_a_name_that_is_not_defined_is_refused_before_anything_runs():
    with pytest.raises(RecipeError, match=r"the recipe names 'net3'.*did you mean 'net2'"):
        Context(workload(), names={"net2": small()}).resolve(Reference("net3"))


def test_an_untrained_teacher_is_said():
    result, _ = run(workload(), "Distill(epochs=1)")
    assert any("the teacher is at chance" in note and "train it first" in note for note in result.notes)


def test_soft_targets_need_classes_and_outputs_do_not():
    torch.manual_seed(0)
    inputs = torch.randn(40, 3)
    data = inputs, inputs.sum(1, keepdim=True)
    work = Workload(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1)), data, data, data)
    with pytest.raises(WorkloadError, match=r"soft_targets needs .* scores .* loss='outputs'"):
        run(work, "Distill(epochs=1)")
    _, records = run(work, "Distill('half-width', loss='outputs', epochs=2)")
    assert "validation_loss" in records[-1]


def test_inputs_that_change_are_never_answered_from_the_cache():
    base = workload()
    generator = torch.Generator().manual_seed(0)

    class Noisy:
        def __iter__(self):
            for inputs, targets in base.train:
                yield inputs + 0.1 * torch.randn(inputs.shape, generator=generator), targets

    work = Workload(base.model, Noisy(), base.validation, base.test)
    result, _ = run(work, "Distill(epochs=12)")
    assert any("the teacher ran in every batch: inputs differ" in note for note in result.notes)


def test_cached_or_not_gives_the_same_student():
    results = [
        run(workload(), Distill("half-width", epochs=3, cache=where))[0]
        for where in ("memory", "off", "file")
    ]
    first, *others = [list(each.model.parameters()) for each in results]
    for other in others:
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(first, other, strict=True))


def test_a_stopped_run_goes_on_from_the_student_it_has():
    work, step = workload(), Distill("half-width", epochs=3, learning_rate=0.01)
    steps = step.apply(work.candidate(), Context(work, seed=1), None)
    for progress in steps:
        if progress.record.get("epoch", 0) >= 2:
            break
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    half = end.value.value
    assert half.model[0].out_channels == 3
    steps = step.apply(half, Context(work, seed=2), None)
    for _ in range(2):
        next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    again = end.value.value
    assert "the student goes on from the weights it has" in again.notes
    assert torch.equal(again.model[0].weight, half.model[0].weight)


def test_patience_ends_early():
    work = workload()
    step = Distill(epochs=40, patience=2, learning_rate=1e-9)
    epochs = [p.record.get("epoch", 0) for p in step.apply(work.candidate(), Context(work), None)]
    assert max(epochs) <= 3


def test_a_preview_shows_the_student_without_an_accuracy():
    work = workload()
    *_, last = Previewer(work).previewing(Recipe.parse("Distill('half-width')"))
    assert last.is_final and last.accuracy is None and last.is_new_net
    assert last.parameters == sum(
        each.numel() for each in run(work, "Distill('half-width', epochs=1)")[0].model.parameters()
    )
    assert last.macs and "press Run for its accuracy" in last.note
    timed = finish(Previewer(work).timing(Recipe.parse("Distill('half-width')")))
    assert timed.median_ms > 0 and timed.baseline_ms > 0


def test_the_strip_of_a_students_preview_asks_for_run_and_shows_the_rest():
    from workbench.panels.state.figures import Known, of_preview

    recipe = Recipe.parse("Distill('half-width')")
    previewer = Previewer(workload())
    first, *_ = previewer.previewing(recipe)
    last = replace(first, latency=finish(previewer.timing(recipe)))
    for preview in (first, last):
        figures = {each.title: each for each in of_preview(preview, Known(has_data=True)).figures}
        assert figures["accuracy"].detail == "press Run: it is not trained yet"
        assert ("PyTorch" in figures["latency"].detail) == (preview is last)


def test_a_preview_of_the_model_itself_shows_it_before_training():
    *_, last = Previewer(workload()).previewing(Recipe.parse("PruneWeights(0.5) | Distill()"))
    assert last.accuracy is not None and not last.is_new_net and last.is_before_training


def test_nothing_of_the_original_is_touched():
    work = workload()
    before = {name: each.clone() for name, each in work.model.state_dict().items()}
    finish(Distill("fresh", loss="features", epochs=1).apply(work.candidate(), Context(work), None))
    assert all(torch.equal(each, before[name]) for name, each in work.model.state_dict().items())
    assert not any(each._forward_hooks for each in work.baseline.modules())
