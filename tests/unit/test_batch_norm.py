"""Batch-norm statistics measured anew: the mean and variance of what comes in, and nothing else touched."""

from __future__ import annotations

import small
import torch
from torch import nn

from workbench.algorithms.batch_norm import keeps_statistics, re_estimating
from workbench.candidate import Candidate
from workbench.job import Job, Stopped, finish
from workbench.workload import Workload


def workload(batches: list[torch.Tensor], *layers: nn.Module) -> Workload:
    """A net that normalizes what it is given, on batches of three columns."""
    model = nn.Sequential(nn.BatchNorm1d(3), *layers, nn.Linear(3, 2)).eval()
    train = [(each, torch.arange(len(each)) % 2) for each in batches]
    return Workload(model, train, validation=train, test=train)


def test_statistics_are_the_mean_and_the_variance_of_the_training_samples():
    inputs = torch.tensor([[1.0, 10, 0], [3, 10, 0], [5, 40, 0]])
    work = workload([inputs])
    made = finish(re_estimating(work.candidate(), work, 100))
    norm = made.model[0]
    assert norm.running_mean.tolist() == [3, 20, 0]
    assert norm.running_var.tolist() == [4, 300, 0]
    assert made.notes == ("batch-norm statistics of 3 training samples",)


def test_batches_count_alike_and_no_more_samples_are_read_than_asked_for():
    work = workload([torch.full((4, 3), 1.0), torch.full((4, 3), 5.0), torch.full((4, 3), 99.0)])
    made = finish(re_estimating(work.candidate(), work, 8))
    assert made.model[0].running_mean.tolist() == [3, 3, 3]
    assert made.notes == ("batch-norm statistics of 8 training samples",)


def test_weights_are_shared_statistics_are_not_and_modes_stay():
    work = workload([torch.randn(8, 3)], nn.Dropout(0.5))
    candidate = work.candidate()
    before = small.states(candidate.model)
    made = finish(re_estimating(candidate, work, 8))
    assert small.same(before, small.states(candidate.model))
    assert made.model[0].weight is candidate.model[0].weight
    assert made.model[0].running_mean is not candidate.model[0].running_mean
    assert made.model[0].momentum == 0.1
    assert not any(each.training for each in made.model.modules())


def test_without_training_data_it_says_that_the_old_ones_stay():
    work = Workload(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)), input_shape=3)
    made = finish(re_estimating(work.candidate(), work, 8))
    assert "there are no training data" in made.notes[0]


def test_without_batch_norm_there_is_nothing_to_do_and_nothing_to_say():
    work = small.workload()
    candidate = work.candidate()
    assert not keeps_statistics(candidate.model)
    assert finish(re_estimating(candidate, work, 8)) is candidate


def test_stopped_or_with_one_value_per_channel_the_old_ones_stay():
    work = workload([torch.randn(8, 3)] * 3)
    candidate = work.candidate()
    steps = re_estimating(candidate, work, 100)
    next(steps)
    try:
        steps.throw(Stopped())
    except StopIteration as end:
        assert "stopped" in end.value.notes[0]
        assert end.value.model is candidate.model
    alone = workload([torch.randn(1, 3)])
    made = Job(lambda: re_estimating(alone.candidate(), alone, 100), seed=0).run()
    assert isinstance(made, Candidate) and "Expected more than 1 value" in made.notes[0]
