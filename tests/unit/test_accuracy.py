"""Accuracy comes with n and an interval, a difference with a paired test, bad data with one clear line."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import WorkbenchError, WorkloadError
from workbench.job import Stopped, finish
from workbench.measurement.accuracy import Accuracy, Evaluation, evaluate, evaluating
from workbench.measurement.intervals import mcnemar, median_interval, paired_difference, wilson
from workbench.measurement.metrics import macro
from workbench.measurement.pairing import paired
from workbench.workload import Workload


class Echo(nn.Module):
    """Three logits that say the class its input names, so that every prediction is known by eye."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return nn.functional.one_hot(x[:, 0].long(), 3).float() * self.scale


def echoes(said: list[int], meant: list[int], batch: int = 2, **options) -> Workload:
    inputs, targets = torch.tensor(said, dtype=torch.float32)[:, None], torch.tensor(meant)
    batches = list(zip(inputs.split(batch), targets.split(batch), strict=True))
    return Workload(Echo(), validation=batches, test=batches, **options)


def evaluation(predictions: list[int], targets: list[int]) -> Evaluation:
    return Evaluation("test", len(targets), np.array(predictions), np.array(targets), 0.0)


def test_accuracy_counts_right_predictions_and_says_on_what() -> None:
    found = finish(evaluating(echoes([0, 1, 2, 0], [0, 1, 1, 0]), split="validation"))
    assert (found.accuracy.value, found.accuracy.n, found.accuracy.split) == (0.75, 4, "validation")
    assert found.predictions.tolist() == [0, 1, 2, 0]
    assert found.predictions.dtype == np.int64
    assert found.correct.tolist() == [True, True, False, True]
    assert not found.is_partial


def test_evaluate_is_evaluating_run_to_its_end() -> None:
    work = echoes([0, 1, 1, 2], [0, 1, 2, 2])
    found = evaluate(work)
    assert found.correct.tolist() == [True, True, False, True]
    assert (found.split, found.accuracy) == ("validation", finish(evaluating(work)).accuracy)
    assert repr(found).startswith("<Evaluation: 75.0 % (30.1–95.4) on 4 validation, loss 0.")
    part = evaluate(work, limit=2)
    assert part.n == 2 and "on 2 validation" in repr(part) and repr(part).endswith("stopped before the end>")


def test_loss_is_the_mean_over_samples_not_over_batches() -> None:
    uneven = finish(evaluating(echoes([0, 1, 2], [0, 1, 1], batch=2)))
    even = finish(evaluating(echoes([0, 1, 2], [0, 1, 1], batch=3)))
    assert uneven.loss == pytest.approx(even.loss)


def test_progress_carries_the_running_accuracy() -> None:
    running = [each for each in evaluating(echoes([0, 1, 2, 0], [0, 1, 1, 0]))]
    assert [each.done for each in running] == [2, 4]
    assert [each.total for each in running] == [4, 4]
    assert [each.record["accuracy"].value for each in running] == [1.0, 0.75]
    assert running[0].record["accuracy"].low < 1.0
    assert running[0].record["accuracy"].f1 is None


def test_macro_figures_average_over_the_classes() -> None:
    precision, recall, f1 = macro(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert precision == pytest.approx((1 + 1 / 2) / 2)
    assert recall == pytest.approx((2 / 3 + 1) / 2)
    assert f1 == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_a_class_never_predicted_counts_as_zero() -> None:
    assert macro(np.array([0, 2]), np.array([0, 0])) == pytest.approx((1 / 4, 1 / 2, 1 / 3))


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    # the first three from the table in Newcombe 1998, "Two-sided confidence intervals for the single
    # proportion: comparison of seven methods"
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)],
)
def test_wilson_interval(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("lost", "gained", "p"), [(0, 0, 1.0), (5, 0, 2 / 32), (0, 6, 2 / 64), (1, 5, 2 * 7 / 64), (4, 4, 1.0)]
)
def test_exact_mcnemar(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(p)


def test_mcnemar_of_thousands_of_flips_neither_underflows_nor_overflows() -> None:
    assert 0 < mcnemar(5000, 5100) < 1
    assert mcnemar(10_000, 0) == pytest.approx(0, abs=1e-300)


def test_paired_difference_covers_the_truth_19_times_in_20() -> None:
    chance = random.Random(0)
    truth = 0.03 - 0.05
    hits, trials, n = 0, 2000, 400
    for _ in range(trials):
        drawn = chance.choices(("both", "lost", "gained", "neither"), (0.90, 0.05, 0.03, 0.02), k=n)
        low, high = paired_difference(*(drawn.count(each) for each in ("both", "lost", "gained", "neither")))
        hits += low <= truth <= high
    # three standard errors of a share of 0.95 over 2,000 trials are 0.015
    assert 0.935 <= hits / trials <= 0.975


def test_median_interval_covers_the_median_also_of_values_that_drift() -> None:
    chance = random.Random(1)
    hits = 0
    for _ in range(400):
        value, values = chance.gauss(0, 1), []
        for _ in range(150):
            value = 0.6 * value + 0.8 * chance.gauss(0, 1)
            values.append(value)
        low, high = median_interval(values)
        hits += low <= 0 <= high
    assert hits / 400 >= 0.90


def test_pairing_counts_what_was_lost_and_gained() -> None:
    targets = [0] * 10
    before = evaluation([0] * 8 + [1, 1], targets)
    after = evaluation([1, 1, 1] + [0] * 6 + [1], targets)
    found = paired(before, after)
    assert (found.n, found.lost, found.gained) == (10, 3, 1)
    assert found.difference == pytest.approx(-0.2)
    assert found.low < -0.2 < found.high
    assert found.p_value == pytest.approx(2 * 5 / 16)
    assert not found.is_seen


def test_a_model_paired_with_itself_shows_no_difference() -> None:
    same = evaluation([0, 1, 1], [0, 1, 0])
    found = paired(same, same)
    assert (found.difference, found.p_value) == (0, 1)
    assert found.low < 0 < found.high


def test_pairing_other_samples_is_refused() -> None:
    with pytest.raises(WorkbenchError, match="same samples in the same order"):
        paired(evaluation([0, 1], [0, 1]), evaluation([0, 1], [1, 0]))


def test_stop_returns_what_was_seen() -> None:
    steps = evaluating(echoes([0, 1, 2, 0], [0, 1, 1, 0]))
    next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    found = end.value.value
    assert (found.n, found.accuracy.value, found.is_partial) == (2, 1.0, True)


def test_limit_cuts_within_a_batch() -> None:
    found = finish(evaluating(echoes([0, 1, 2, 0], [0, 1, 1, 0]), limit=3))
    assert (found.n, found.is_partial) == (3, True)
    assert found.accuracy.value == pytest.approx(2 / 3)


def test_the_first_of_an_evaluation_pairs_with_one_that_was_stopped() -> None:
    whole = finish(evaluating(echoes([0, 1, 2, 0], [0, 1, 1, 0])))
    part = finish(evaluating(echoes([0, 1, 2, 0], [0, 1, 1, 0]), limit=2))
    assert paired(whole.first(2), part).n == 2


def test_evaluating_leaves_mode_gradients_and_the_users_model_alone() -> None:
    work = echoes([0, 1], [0, 1])
    theirs = Echo().train()
    finish(evaluating(work, theirs))
    assert theirs.training
    assert torch.is_grad_enabled()
    steps = evaluating(work)
    next(steps)
    assert torch.is_grad_enabled()  # also between two steps


def test_a_model_that_keeps_what_it_computed_can_be_trained_later() -> None:
    class Keeps(Echo):
        kept = None

        def forward(self, x):
            if self.kept is None:
                self.kept = torch.ones(3) * 2
            return super().forward(x) * self.kept

    inputs = [(torch.zeros(2, 1), torch.tensor([0, 1]))]
    work = Workload(Keeps(), validation=inputs, test=inputs)
    candidate = work.candidate()
    finish(evaluating(work, candidate))
    candidate.model(torch.zeros(2, 1)).sum().backward()
    assert candidate.model.scale.grad is not None


def test_own_metrics_see_everything_at_once() -> None:
    def share_of_class_one(outputs, targets) -> float:
        assert len(outputs) == len(targets) == 4
        return (outputs.argmax(1) == 1).float().mean()

    work = echoes([0, 1, 1, 1], [0, 1, 1, 0], metrics={"ones": share_of_class_one})
    assert finish(evaluating(work)).metrics == {"ones": 0.75}


class Fed:
    """What a torchmetrics object looks like from outside."""

    def __init__(self) -> None:
        self.seen = 99.0

    def reset(self) -> None:
        self.seen = 0.0

    def update(self, outputs, targets) -> None:
        self.seen += len(targets)

    def compute(self):
        return torch.tensor(self.seen)


def test_metrics_that_are_fed_start_anew_each_time() -> None:
    theirs = Fed()
    work = echoes([0, 1, 2], [0, 1, 1], metrics={"seen": theirs})
    assert [finish(evaluating(work)).metrics["seen"] for _ in range(2)] == [3.0, 3.0]
    assert theirs.seen == 99.0


def test_a_metric_that_fails_is_named() -> None:
    work = echoes([0, 1], [0, 1], metrics={"odd": lambda outputs, targets: 1 / 0})
    with pytest.raises(WorkbenchError, match="the metric 'odd' failed: division by zero"):
        finish(evaluating(work))


def test_a_metric_that_gives_no_number_is_named() -> None:
    work = echoes([0, 1], [0, 1], metrics={"odd": lambda outputs, targets: outputs})
    with pytest.raises(WorkbenchError, match="'odd' must give one number, got Tensor"):
        finish(evaluating(work))


def test_a_regression_has_metrics_and_no_accuracy() -> None:
    data = (torch.arange(4.0)[:, None], torch.arange(4.0)[:, None] + 1)
    work = Workload(
        nn.Linear(1, 1), validation=data, test=data, metrics={"mae": lambda o, t: (o - t).abs().mean()}
    )
    steps = evaluating(work)
    assert "loss" in next(steps).record
    found = finish(steps)
    assert found.accuracy is None
    assert found.predictions is None
    assert math.isfinite(found.metrics["mae"])
    with pytest.raises(WorkbenchError, match="predicts numbers"):
        paired(found, found)


def test_nan_outputs_get_one_line() -> None:
    work = echoes([0, 1], [0, 1])
    broken = work.candidate()
    with torch.no_grad():
        broken.model.scale.fill_(float("nan"))
    with pytest.raises(WorkbenchError, match="the model gives NaN") as caught:
        finish(evaluating(work, broken))
    assert "\n" not in str(caught.value)


def test_labels_out_of_range_get_one_line() -> None:
    work = echoes([0, 1], [0, 1], loss=lambda outputs, targets: outputs.sum())
    work.validation = type(work.validation).of([(torch.zeros(2, 1), torch.tensor([0, 7]))])
    with pytest.raises(WorkbenchError, match="label 7 is out of range"):
        finish(evaluating(work))


def test_missing_and_empty_data_get_one_line() -> None:
    with pytest.raises(WorkloadError, match="no validation data"):
        finish(evaluating(Workload(nn.Linear(2, 2))))
    work = echoes([0, 1], [0, 1])
    work.validation = type(work.validation)(lambda seed: iter(()), None, "a stream")
    with pytest.raises(WorkbenchError, match="the validation data are empty"):
        finish(evaluating(work))


def test_what_cannot_be_measured_is_named() -> None:
    work = echoes([0, 1], [0, 1])
    with pytest.raises(WorkbenchError, match="a str cannot be measured"):
        finish(evaluating(work, "net"))
    with pytest.raises(WorkbenchError, match="the model does not take the data of Echo"):
        finish(evaluating(work, nn.Linear(7, 3)))


def test_accuracy_reads_as_a_sentence() -> None:
    assert str(Accuracy.of(991, 1000, "validation")) == "99.1 % (98.3–99.5) on 1,000 validation"
