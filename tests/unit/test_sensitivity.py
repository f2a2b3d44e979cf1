"""Scans of what hurts: numbers by eye on tiny nets, any technique, stopped and asked again."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from typing import Any

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.candidate import Candidate
from workbench.errors import OptionError, RecipeError, WorkbenchError, WorkloadError
from workbench.exploration import sensitivity as scans
from workbench.exploration.changes import changed_layers
from workbench.exploration.plan import Plan, derived
from workbench.exploration.records import Effect, Sensitivity
from workbench.exploration.samples import Error
from workbench.exploration.sensitivity import scanning
from workbench.job import Job, Progress, Stopped, finish
from workbench.options import describe, option
from workbench.recipe import Recipe
from workbench.technique import Context, Technique, techniques
from workbench.testing import check_touches_only_what_it_may, workload

CALLS: list[tuple[frozenset[str] | None, float]] = []


class Scale(Technique, family="pruning", strengths=(0.5, 1.0)):
    """Take a share of each weight away."""

    share: float = option(0.5, "the share taken away", low=0, high=1)

    def prepare(self, candidate: Candidate, context: Context) -> None:
        CALLS.append((None, -1))

    def apply(self, candidate: Candidate, context: Context, prepared: Any) -> Generator:
        CALLS.append((context.only, self.share))
        copied = candidate.copy()
        with torch.no_grad():
            for name, layer in copied.model.named_modules():
                if context.takes(name) and hasattr(layer, "weight"):
                    layer.weight.mul_(1 - self.share)
        yield Progress(1, 1)
        return copied


@pytest.fixture(autouse=True)
def _no_calls():
    CALLS.clear()


def identities(n: int = 40, classes: int = 4, **options: Any) -> wb.Workload:
    """Two layers that pass a class on as it is; the second layer's bias prefers class 0."""
    net = nn.Sequential(nn.Linear(classes, classes, bias=False), nn.Linear(classes, classes))
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(classes))
        net[1].weight.copy_(torch.eye(classes))
        net[1].bias.copy_(torch.tensor([0.75, *[0.0] * (classes - 1)]))
    targets = torch.arange(n) % classes
    inputs = torch.eye(classes)[targets]
    return wb.Workload(net, validation=(inputs, targets), test=(inputs, targets), **options)


def plain(inputs: torch.Tensor, net: nn.Module) -> wb.Workload:
    targets = torch.zeros(len(inputs), dtype=torch.long)
    return wb.Workload(net, validation=(inputs, targets), test=(inputs, targets))


def test_each_layer_is_judged_alone_on_the_same_samples():
    work = identities()
    scan = wb.sensitivity(work, Scale)
    assert [(each.layer, each.strength) for each in scan] == [("0", 0.5), ("0", 1.0), ("1", 0.5), ("1", 1.0)]
    assert scan.accuracy is not None and scan.accuracy.value == 1 and scan.n == 40
    half = scan[0]  # 0.5 for the right class, 0.75 for class 0: a quarter is still right
    assert half.accuracy is not None and half.accuracy.value == 0.25
    assert half.paired is not None and (half.paired.lost, half.paired.gained) == (30, 0)
    assert half.drop == 0.75 and half.is_seen and not half.also
    # outputs of class 0: (1.75, 0, 0, 0), of the others (0.75, 1, 0, 0); half of the 1 goes
    assert half.output_error == pytest.approx(math.sqrt(0.25 / ((1.75**2 + 3 * (0.75**2 + 1)) / 4)))
    assert {only for only, _ in CALLS if only} == {frozenset({"0"}), frozenset({"1"})}
    assert CALLS.count((None, -1)) == 1  # prepared once for all points


def test_leaving_one_out_compresses_all_the_others():
    work = workload()
    scan = wb.sensitivity(work, Scale, leave="one-out", strengths=1.0)
    layers = {"0", "3", "6", "9"}
    assert {only for only, _ in CALLS if only} == {frozenset(layers - {each}) for each in layers}
    assert [each.layer for each in scan] == ["0", "3", "6", "9"]
    assert "one layer left out" in scan.summary and "best left alone" in scan.summary


def test_bytes_saved_are_those_claimed():
    work = identities()
    (effect,) = wb.sensitivity(work, "PruneWeights", strengths=[0.5], layers="0")
    assert effect.saved_bytes == 8 * 4  # half of 16 float32 weights


def test_the_layer_that_hurts_most_comes_first():
    work = identities()
    scan = wb.sensitivity(work, Scale)
    # without the first layer only the bias is left and class 0 wins; without the second one too; half of the
    # first loses class 0's rivals, half of the second leaves them 0.5 against 0.75
    errors = {each.layer: each.output_error for each in scan if each.strength == 1.0}
    assert scan.ranked[0] == max(errors, key=lambda layer: errors[layer])
    assert scan.summary.startswith("Scale in one layer at a time, 40 validation samples")


def test_the_same_question_is_answered_at_once_and_more_is_added():
    work = identities()
    first = wb.sensitivity(work, Scale)
    CALLS.clear()
    assert wb.sensitivity(work, Scale(share=0.3)) == first and not CALLS  # the share is what is varied
    more = wb.sensitivity(work, Scale, strengths=[0.5, 0.9, 1.0])
    assert [share for _, share in CALLS if share >= 0] == [0.9, 0.9]
    assert len(more) == 6
    wb.sensitivity(work, Scale, seed=1)
    assert len([1 for _, share in CALLS if share >= 0]) == 6  # another draw is another question


def test_samples_are_drawn_once_by_the_seed():
    work = identities(200)
    one, again = (wb.sensitivity(work, Scale, samples=50, strengths=0.5) for _ in range(2))
    assert one == again and one.n == 50
    other = wb.sensitivity(work, Scale, samples=50, strengths=0.5, seed=3)
    assert other.n == 50


def test_small_batches_are_joined():
    net = nn.Sequential(nn.Linear(2, 3))
    seen = []
    net.register_forward_hook(lambda *given: seen.append(len(given[1][0])))
    batches = [(torch.randn(10, 2), torch.arange(10) % 3) for _ in range(30)]
    work = wb.Workload(
        nn.Sequential(nn.Linear(2, 3)),
        validation=batches,
        test=batches,
        forward=lambda model, x: seen.append(len(x)) or model(x),
    )
    seen.clear()
    wb.sensitivity(work, "PruneWeights", strengths=0.5, samples=300)
    assert seen == [250, 50, 250, 50]  # the untouched model, then the one point


def test_any_workload_without_classes_is_judged_by_its_loss():
    net = nn.Sequential(nn.Linear(3, 2))
    inputs, targets = torch.randn(30, 3), torch.randn(30, 2)
    work = wb.Workload(net, validation=(inputs, targets), test=(inputs, targets))
    scan = wb.sensitivity(work, Scale)
    assert all(each.accuracy is None and each.paired is None for each in scan)
    assert all(math.isfinite(each.loss_change) for each in scan)
    assert "loss" in repr(scan) and Sensitivity.from_dict(json.loads(json.dumps(scan.to_dict()))) == scan


def test_records_come_back_from_json_and_show_themselves():
    scan = wb.sensitivity(identities(), Scale)
    assert Sensitivity.from_dict(json.loads(json.dumps(scan.to_dict()))) == scan
    assert repr(scan).count("\n") == 5 and "<table>" in scan._repr_html_()
    assert {"layer", "share", "accuracy", "difference", "output_error"} <= scan.table()[0].keys()
    assert Effect.from_dict(scan[0].to_dict()) == scan[0]


def test_a_stop_keeps_what_was_scanned_and_the_next_scan_goes_on():
    work = identities()
    steps = scanning(work, Scale)
    while not (progress := next(steps)).record.get("scan"):
        pass
    while len(progress.record.get("scan", ())) < 2:
        progress = next(steps)
    scan = _stopped(steps)
    assert scan.is_partial and len(scan) == 2
    assert {each.strength for each in scan} == {1.0}  # the strongest in every layer first
    assert "stopped at 2 of 4" in scan.summary
    CALLS.clear()
    whole = wb.sensitivity(work, Scale)
    assert not whole.is_partial and len(whole) == 4 and len([1 for only, _ in CALLS if only]) == 2


def test_a_stop_at_any_step_keeps_whole_points_only():
    for count in range(1, 40):
        steps = scanning(identities(), Scale)
        try:
            for _ in range(count):
                next(steps)
        except StopIteration:
            assert count > 10
            return
        try:
            scan = _stopped(steps)
        except Stopped:
            continue  # before the first point
        assert 1 <= len(scan) <= 4 and not any(each.problem for each in scan)
    pytest.fail("the scan never ended")


def _stopped(steps: Any) -> Sensitivity:
    try:
        steps.throw(Stopped())
    except StopIteration as end:
        return end.value
    raise AssertionError("a scan that was stopped goes on")


def test_progress_rises_and_tells_the_scan_so_far():
    seen: list[Progress] = []
    job = scans.job(identities(), Scale)
    steps = scanning(identities(), Scale)
    for progress in steps:
        seen.append(progress)
    shares = [each.fraction for each in seen if each.fraction is not None]
    assert shares == sorted(shares)
    assert [len(each.record["scan"]) for each in seen if "scan" in each.record] == [0, 1, 2, 3, 4]
    assert len(job.run()) == 4


class Broken(Scale, family="pruning"):
    """Fail in the second layer; make NaN in the third."""

    def apply(self, candidate: Candidate, context: Context, prepared: Any) -> Generator:
        made = yield from super().apply(candidate, context, prepared)
        if context.takes("3"):
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\nmore")
        if context.takes("6"):
            with torch.no_grad():
                made.model[6].weight.fill_(math.nan)
        return made


def test_what_fails_in_one_layer_is_its_record_and_the_others_go_on():
    scan = wb.sensitivity(workload(), Broken, strengths=0.5)
    assert [bool(each.problem) for each in scan] == [False, True, True, False]
    assert scan[1].problem == "RuntimeError: mat1 and mat2 shapes cannot be multiplied"
    assert scan[2].problem.startswith("the model gives NaN")
    assert set(scan.ranked[:2]) == {"0", "9"}
    assert "mat1 and mat2" in repr(scan)


def test_a_layer_that_is_left_as_it_is_is_not_judged_again():
    scan = wb.sensitivity(identities(), wb.TieLayers)
    assert all(each.is_untouched and each.output_error == 0 for each in scan)
    assert "no layer was changed" in scan.summary and "left as it is" in repr(scan)


@pytest.mark.parametrize(
    ("technique", "options", "error", "line"),
    [
        (wb.FineTune, {}, RecipeError, "FineTune trains, and a scan does not"),
        ("FineTune(epochs=1)", {}, RecipeError, "FineTune trains, and a scan does not"),
        (wb.Quantize() | wb.FineTune(), {}, RecipeError, "a scan takes one technique, got 2"),
        ("PruneWieghts", {}, RecipeError, "no technique named 'PruneWieghts'; did you mean 'PruneWeights'"),
        (Scale, {"layers": ["10"]}, RecipeError, r"no layer named '10'.*\(there are: 0, 1\)"),
        (Scale, {"layers": []}, RecipeError, "layers names no layer"),
        (Scale, {"strengths": [1.5]}, OptionError, "share must lie between 0 and 1, got 1.5"),
        (Scale, {"strengths": []}, RecipeError, "strengths names no value of share"),
        (Scale, {"leave": "two-out"}, RecipeError, "leave must be 'all-others', 'one-out', got 'two-out'"),
        (Scale, {"samples": 0}, RecipeError, "samples must be a whole number above 0, got 0"),
    ],
)
def test_what_cannot_be_scanned_is_refused_in_one_line(technique, options, error, line):
    with pytest.raises(error, match=line) as caught:
        wb.sensitivity(identities(), technique, **options)
    assert "\n" not in str(caught.value)


def test_without_validation_data_the_line_says_how_to_give_them():
    work = wb.Workload(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(WorkloadError, match=r"has no validation data; give them: Workload\(net, validation="):
        wb.sensitivity(work, Scale)


def test_a_model_that_gives_nan_is_refused():
    class Divides(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 2)

        def forward(self, x):
            return self.fc(x) * (x.sum() / x.sum())

    work = plain(torch.zeros(8, 2), Divides())
    with pytest.raises(WorkbenchError, match="the model gives NaN"):
        wb.sensitivity(work, Scale)


def test_a_model_of_one_layer_can_be_scanned_but_not_left_out():
    work = plain(torch.randn(8, 2), nn.Sequential(nn.Linear(2, 2)))
    assert len(wb.sensitivity(work, Scale)) == 2
    with pytest.raises(WorkloadError, match="has one layer with weights, 0: leaving it out leaves none"):
        wb.sensitivity(work, Scale, leave="one-out")
    bare = plain(torch.randn(8, 2), nn.Sequential(nn.ReLU()))
    with pytest.raises(WorkloadError, match="has no layers with weights"):
        wb.sensitivity(bare, Scale)


def test_strengths_come_from_the_range_where_a_technique_names_none():
    class Loud(Technique, family="quantization"):
        """Vary by a range."""

        level: float = option(0.5, "how much", low=0, high=1)

    class Steps(Technique, family="quantization"):
        """Vary by whole steps on a log scale."""

        count: int = option(16, "how many", low=2, high=512, log=True)

    class Kind(Technique, family="quantization"):
        """Vary by choice."""

        kind: str = option("a", "which", choices=("a", "b"))

    class Bare(Technique, family="quantization"):
        """Has nothing to vary."""

    first = {cls: next(iter(describe(cls)), None) for cls in (Loud, Steps, Kind)}
    assert derived(first[Loud]) == (0.25, 0.5, 0.75)
    assert derived(first[Steps]) == (8, 32, 128)
    assert derived(first[Kind]) == ("a", "b")
    plan = Plan.of(workload().model, Bare, None, None, "all-others")
    assert plan.strengths == (None,) and plan.option is None
    with pytest.raises(RecipeError, match="Bare has no option that goes from weak to strong"):
        Plan.of(workload().model, Bare, [1], None, "all-others")


@pytest.mark.slow
def test_every_technique_of_ours_that_does_not_train_can_be_scanned():
    work = workload()
    for name, cls in techniques().items():
        if not cls.trains and not cls().needs_training():
            plan = Plan.of(work.model, name, None, None, "all-others")
            scan = wb.sensitivity(work, name, strengths=None if plan.option is None else plan.strengths[-1])
            assert len(scan) == 4, name


@pytest.mark.parametrize(
    "text",
    [
        "ShareWeights(clusters=4, scope='model')",
        "ShareWeights(clusters=4, scope='group', biases=True)",
        "Factorize(ratio=0.5, worth=0.0, where='any')",
        "Factorize(ratio=0.5, by='energy', worth=0.0)",
        "TieLayers(similarity=-1.0)",
        "Quantize(weights=4, granularity='tensor')",
        "Quantize(weights=8, activations=8)",
        "PruneWeights(sparsity=0.5, scope='layer')",
        "PruneWeights(sparsity=0.5, criterion='taylor')",
        "PruneChannels(ratio=0.5, scope='global')",
    ],
)
def test_other_settings_touch_only_what_they_may_too(text):
    (step,) = Recipe.parse(text)
    check_touches_only_what_it_may(step)


def test_a_version_can_be_scanned_from_where_it_stands():
    work = workload()
    start, step = work.candidate(), wb.PruneWeights(sparsity=0.99)
    pruned = finish(step.apply(start, Context(work), step.prepare(start, Context(work))))
    scan = wb.sensitivity(work, "Quantize", strengths=4, start=pruned)
    assert len(scan) == 4 and all(each.saved_bytes < 100 for each in scan)  # few weights are left
    assert scan.loss != wb.sensitivity(work, "Quantize", strengths=4).loss


def test_changed_layers_are_named_by_what_the_first_model_calls_them():
    work = workload()
    before = work.candidate()
    assert changed_layers(before, before) == frozenset()
    assert changed_layers(before, before.copy()) == frozenset()
    step = wb.Factorize(0.3, worth=0.0)
    made = Job(lambda: step.apply(before, Context(work), step.prepare(before, Context(work))), seed=0).run()
    assert changed_layers(before, made) <= {"0", "3", "6", "9"}
    assert changed_layers(before, made)


def test_the_output_error_is_relative():
    error = Error([torch.tensor([3.0, 4.0]), (torch.zeros(2), torch.tensor([0, 1]))])
    error(torch.tensor([3.0, 4.5]))
    error((torch.zeros(2), torch.tensor([1, 1])))  # whole numbers are no outputs to compare
    assert error.relative == pytest.approx(0.1)
    nothing = Error([torch.zeros(2)])
    nothing(torch.zeros(2))
    assert nothing.relative == 0


def test_a_recipe_of_one_step_is_a_technique():
    work = identities()
    assert wb.sensitivity(work, Recipe((Scale(),))) == wb.sensitivity(work, Scale())
