"""Training under a 4-bit grid wins back what rounding has cost, where rounding costs something.

The example nets lose nothing at 4 bits per channel. Nets whose channels differ in size do: here the channels
of the first convolution are scaled up and the next layer's inputs down, which changes no output.
"""

from __future__ import annotations

import copy

import pytest
import torch

import workbench as wb
from workbench.candidate import Candidate
from workbench.job import Job, Steps
from workbench.measurement.accuracy import Evaluation, evaluating
from workbench.measurement.pairing import paired
from workbench.recipe import Recipe
from workbench.technique import Context, prepared
from workbench.workload import Workload

pytestmark = pytest.mark.slow
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def uneven() -> Workload:
    """The digits net with channels from 1 to 64 times as large, and the same outputs."""
    digits = wb.examples.load("digits")
    model = copy.deepcopy(digits.model)
    factor = 2.0 ** torch.linspace(0, 6, len(model.conv1.weight))
    with torch.no_grad():
        model.conv1.weight.mul_(factor[:, None, None, None])
        model.conv1.bias.mul_(factor)
        model.conv2.weight.div_(factor[:, None, None])
    inputs, _ = digits.test.first()
    assert torch.allclose(model(inputs), digits.model(inputs), atol=1e-3)
    return Workload(model, digits.train, digits.validation, digits.test)


def judged(work: Workload, text: str, seed: int) -> Evaluation:
    def steps() -> Steps[Candidate]:
        candidate = work.candidate()
        for index, step in enumerate(Recipe.parse(text)):
            context = Context(work, seed * 10 + index)
            candidate = yield from step.apply(candidate, context, prepared(step, candidate, context))
        return candidate

    candidate = Job(steps, seed=seed).run()
    return Job(lambda: evaluating(work, candidate, "test")).run()


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_training_beats_rounding_alone_at_four_bits(uneven: Workload, granularity: str):
    rounding = f"Quantize(4, granularity='{granularity}')"
    alone = judged(uneven, rounding, 0)
    trained = [judged(uneven, f"{rounding} | FineTune(epochs=5)", seed) for seed in SEEDS]
    assert all(each.accuracy.value > alone.accuracy.value for each in trained)
    found = [paired(alone, each) for each in trained]
    assert sum(each.is_seen for each in found) >= 2, "two seeds of three in a paired test"
