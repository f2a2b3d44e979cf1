"""FineTune as transfer learning: frozen layers stay as they are, the rest trains; patience ends it early."""

from __future__ import annotations

import pytest
import torch

from workbench.errors import RecipeError, WorkbenchError
from workbench.job import finish
from workbench.technique import Context
from workbench.techniques.fine_tune import FineTune
from workbench.testing import workload


def tuned(**options):
    work = workload()
    start = work.candidate()
    steps = FineTune(**{"epochs": 2, **options}).apply(start, Context(work, seed=1), None)
    return start.model.state_dict(), finish(steps).model, steps


def test_frozen_layers_and_their_running_figures_stay_and_the_others_train():
    before, after, _ = tuned(freeze=("0", "1"), learning_rate=0.05)
    same = {name for name, each in after.state_dict().items() if torch.equal(each, before[name])}
    assert {name for name in before if name.startswith(("0.", "1."))} <= same
    assert "9.weight" not in same


def test_what_was_frozen_may_train_again_afterwards():
    _, after, _ = tuned(freeze=("0",))
    assert all(each.requires_grad for each in after.parameters())
    assert not any(module._forward_pre_hooks for module in after.modules())


def test_a_layer_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match="freeze names '99', which is no layer"):
        tuned(freeze=("99",))


def test_everything_frozen_leaves_nothing_to_train():
    with pytest.raises(WorkbenchError, match="nothing to train: every parameter is frozen"):
        tuned(freeze=tuple("01369"))


def test_patience_ends_training_without_a_gain():
    work = workload()
    step = FineTune(epochs=50, learning_rate=1e-9, patience=2)
    epochs = [each.record.get("epoch", 0) for each in step.apply(work.candidate(), Context(work), None)]
    assert max(epochs) == 2
