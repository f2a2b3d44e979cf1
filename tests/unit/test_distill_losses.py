"""Each loss of distillation on numbers to be checked by hand, and soft targets beside torchdistill's."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from workbench.algorithms.distillation.losses import KINDS, labels_weight
from workbench.algorithms.distillation.losses.attention import attention
from workbench.algorithms.distillation.losses.cosine import cosine
from workbench.algorithms.distillation.losses.decoupled import decoupled
from workbench.algorithms.distillation.losses.features import features
from workbench.algorithms.distillation.losses.outputs import outputs
from workbench.algorithms.distillation.losses.relations import relations
from workbench.algorithms.distillation.losses.soft_targets import soft_targets


def logits(*probabilities: float) -> torch.Tensor:
    return torch.tensor([probabilities], dtype=torch.float64).log()


def test_soft_targets_are_the_divergence_times_the_square_of_the_temperature():
    teacher, student = logits(0.5, 0.5), logits(0.25, 0.75)
    by_hand = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert soft_targets(student, teacher, 1).item() == pytest.approx(by_hand, abs=1e-12)
    # at T = 2 the student's probabilities are the roots 1/2 and sqrt(3)/2, brought to a sum of 1
    one, other = 0.5 / (0.5 + math.sqrt(0.75)), math.sqrt(0.75) / (0.5 + math.sqrt(0.75))
    at_two = 4 * (0.5 * math.log(0.5 / one) + 0.5 * math.log(0.5 / other))
    assert soft_targets(student, teacher, 2).item() == pytest.approx(at_two, abs=1e-12)


def test_soft_targets_at_high_temperatures_are_half_the_squared_difference_of_logits_per_class():
    """Hinton 2015, equation 4: with logits of mean 0 the gradient tends to (z - v) / N."""
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 6, 5, dtype=torch.float64)
    student, teacher = student - student.mean(1, keepdim=True), teacher - teacher.mean(1, keepdim=True)
    limit = ((student - teacher) ** 2).sum(1).mean() / (2 * 5)
    assert soft_targets(student, teacher, 1e4).item() == pytest.approx(limit.item(), rel=1e-3)


def test_soft_targets_of_positions_are_the_mean_over_positions():
    student, teacher = torch.randn(2, 3, 4, 5)  # (n=3, classes=4, positions=5)
    flat = [each.movedim(1, 2).reshape(-1, 4) for each in (student, teacher)]
    assert torch.allclose(soft_targets(student, teacher, 3), soft_targets(*flat, 3), atol=1e-6)


def test_decoupled_is_right_against_wrong_and_the_wrong_among_themselves():
    teacher, student = logits(0.5, 0.25, 0.25), logits(0.5, 0.4, 0.1)
    target = torch.tensor([0])
    assert decoupled(student, teacher, target, 1, others=0).item() == pytest.approx(0, abs=1e-12)
    among = 0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2)
    assert decoupled(student, teacher, target, 1, others=2).item() == pytest.approx(2 * among, abs=1e-12)


def test_decoupled_with_the_teachers_doubt_as_weight_is_plain_soft_targets():
    """Zhao 2022, equation 5: KD = TCKD + (1 - p_t) NCKD."""
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 1, 7, dtype=torch.float64)
    target = torch.tensor([3])
    doubt = 1 - functional.softmax(teacher / 4, 1)[0, 3].item()
    whole = soft_targets(student, teacher, 4)
    parts = decoupled(student, teacher, target, 4, others=doubt)
    assert parts.item() == pytest.approx(whole.item(), abs=1e-9)


def test_outputs_are_compared_as_they_are():
    assert outputs(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])).item() == (1 + 4) / 2


def test_features_are_in_units_of_the_teachers_mean_square():
    teacher = torch.tensor([[2.0, 4.0]])
    assert features(torch.zeros(1, 2), teacher).item() == 1
    assert features(torch.tensor([[2.0, 2.0]]), teacher).item() == pytest.approx((0 + 4) / 2 / 10)


def test_cosine_sees_directions_only():
    one = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    other = torch.tensor([[5.0, 0.0], [3.0, 0.0]])  # the same direction, and a right angle
    assert cosine(one, other).item() == pytest.approx(0.5)


def test_attention_is_where_squares_are_whatever_the_channels():
    teacher = torch.zeros(1, 1, 2, 2)
    teacher[0, 0, 0, 0] = 3
    student = torch.zeros(1, 4, 2, 2)
    student[0, :, 0, 0] = 7
    assert attention(student, teacher).item() == pytest.approx(0, abs=1e-12)
    student = torch.zeros(1, 4, 2, 2)
    student[0, :, 1, 1] = 7
    assert attention(student, teacher).item() == pytest.approx(2)


def test_attention_maps_of_two_sizes_meet_at_the_smaller():
    teacher = torch.zeros(1, 1, 4, 4)
    teacher[0, 0, :2, :2] = 1
    student = torch.zeros(1, 2, 2, 2)
    student[0, :, 0, 0] = 1
    assert attention(student, teacher).item() == pytest.approx(0, abs=1e-12)


def test_attention_over_the_positions_of_a_sequence():
    teacher, student = torch.zeros(1, 3, 8), torch.zeros(1, 3, 2)
    teacher[0, 1], student[0, 1] = 1, 5
    assert attention(student, teacher, dim=-1).item() == pytest.approx(0, abs=1e-12)


def test_relations_do_not_see_scale_shift_nor_rotation():
    torch.manual_seed(0)
    samples = torch.randn(6, 3, dtype=torch.float64)
    turned = samples @ torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    assert relations(7 * turned + 5, samples).item() == pytest.approx(0, abs=1e-9)


def test_relations_of_three_points_by_hand():
    # a right angle with legs 3 and 4 against three points on a line at 0, 1 and 2
    student = torch.tensor([[0.0, 0], [3, 0], [0, 4]])
    teacher = torch.tensor([[0.0], [1], [2]])
    ours, theirs = [d / 4 for d in (3, 4, 5)], [d / (4 / 3) for d in (1, 2, 1)]
    apart = sum(0.5 * (a - b) ** 2 for a, b in zip(ours, theirs, strict=True)) * 2 / 9
    assert relations(student, teacher, angles=0).item() == pytest.approx(apart, abs=1e-5)
    cosines = ((0, 1), (0.6, -1), (0.8, 1))  # at each point, between the two others
    huber = [0.5 * d**2 if d < 1 else d - 0.5 for d in (abs(a - b) for a, b in cosines)]
    angles = 2 * sum(huber) / 27
    found = relations(student, teacher, angles=3) - relations(student, teacher, angles=0)
    assert found.item() == pytest.approx(3 * angles, abs=1e-5)


def test_relations_of_one_sample_or_of_equal_samples_are_finite_and_have_gradients():
    for count in (1, 4):
        student = torch.ones(count, 3, requires_grad=True)
        value = relations(student, torch.randn(count, 2))
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(student.grad).all()


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_soft_targets_are_torchdistills(temperature):
    middle = pytest.importorskip("torchdistill.losses.mid_level", reason="pip install torchdistill")
    torch.manual_seed(0)
    student, teacher = 5 * torch.randn(2, 64, 10)
    labels = torch.randint(10, (64,))
    theirs = middle.KDLoss("s", "output", "t", "output", temperature=temperature, alpha=0.3)
    found = theirs({"s": {"output": student}}, {"t": {"output": teacher}}, labels)
    ours = 0.7 * soft_targets(student, teacher, temperature) + 0.3 * functional.cross_entropy(student, labels)
    assert ours.item() == pytest.approx(found.item(), rel=1e-6)


def test_labels_weigh_little_beside_outputs_and_fully_without_them():
    assert labels_weight({"soft_targets", "features"}) == 0.1
    assert labels_weight({"features"}) == 1
    assert all(kind.of in ("outputs", "features") and kind.help for kind in KINDS.values())
