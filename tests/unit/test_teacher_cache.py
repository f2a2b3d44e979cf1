"""A teacher is asked once for each sample where inputs come back, and every time where they do not."""

from __future__ import annotations

import pytest
import torch

from workbench.algorithms.distillation.cache import Cache, marks_of
from workbench.algorithms.distillation.teachers import Taught
from workbench.data import Batches

SAMPLES = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(300) % 3


class Teacher:
    """Says the sum of a sample, and its double as features; counts whom it was asked about."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, inputs):
        self.asked += len(inputs)
        return Taught(inputs.sum(1, keepdim=True), {"layer": 2 * inputs})


def read(cache, epochs, change=lambda inputs, epoch: inputs):
    """Read the samples in another order each epoch; whether every answer was right."""
    data = Batches.of((SAMPLES, LABELS), batch=50)
    is_right = True
    for epoch in range(epochs):
        for inputs, _ in data.shuffled(epoch):
            inputs = change(inputs, epoch)
            taught = cache(inputs, epoch)
            is_right &= torch.equal(taught.outputs, inputs.sum(1, keepdim=True))
            is_right &= torch.equal(taught.features["layer"], 2 * inputs)
    return is_right


@pytest.mark.parametrize("where", ["memory", "file", "auto"])
def test_every_sample_is_asked_about_once_whatever_the_order(where):
    teacher = Teacher()
    cache = Cache(teacher, 300, where, epochs=3)
    assert read(cache, 3)
    assert teacher.asked == 300
    cache.close()
    assert "300 samples were computed once" in cache.note
    assert ("in a file" in cache.note) == (where == "file")


def test_with_augmentation_the_teacher_is_asked_every_time_and_the_note_says_why():
    teacher = Teacher()
    cache = Cache(teacher, 300, epochs=4)
    assert read(cache, 4, lambda inputs, epoch: inputs + epoch)
    assert teacher.asked == 4 * 300
    assert not cache.is_on and cache.bytes == 0
    assert "inputs differ from one reading to the next" in cache.note


def test_samples_that_come_late_are_asked_about_then():
    teacher = Teacher()
    cache = Cache(teacher, 300, epochs=3)
    data = Batches.of((SAMPLES, LABELS), batch=50)
    for epoch in range(3):
        for index, (inputs, _) in enumerate(data.shuffled(epoch)):
            if index != epoch:  # like a loader that drops its last batch
                assert torch.equal(cache(inputs, epoch).outputs, inputs.sum(1, keepdim=True))
    assert 250 <= teacher.asked <= 300


def test_more_samples_than_anybody_said():
    teacher = Teacher()
    assert read(Cache(teacher, None, epochs=2), 2)
    assert read(Cache(Teacher(), 40, epochs=2), 2)
    assert teacher.asked == 300


def test_one_epoch_or_off_keeps_nothing():
    for cache in (Cache(Teacher(), 300, epochs=1), Cache(Teacher(), 300, "off", epochs=9)):
        assert read(cache, 1)
        assert cache.bytes == 0 and cache.note == "the teacher ran in every batch"


def test_the_file_is_gone_when_training_is_over(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cache = Cache(Teacher(), 300, "file", epochs=2)
    read(cache, 1)
    assert list(tmp_path.iterdir())
    cache.close()
    assert not list(tmp_path.iterdir())


def test_outputs_that_are_no_rows_are_not_kept():
    cache = Cache(lambda inputs: Taught((inputs, inputs), {}), 300, epochs=2)
    cache(SAMPLES[:5], 0)
    assert "not one tensor with a row for each sample" in cache.note


def test_marks_tell_samples_apart_by_a_single_bit_and_by_place():
    ones = torch.zeros(3, 8)
    ones[1, 0], ones[2, 1] = 1, 1
    assert len(set(marks_of(ones).tolist())) == 3
    nearly = ones.clone()
    nearly[0, 5] = torch.finfo(torch.float32).tiny
    assert marks_of(nearly)[0] != marks_of(ones)[0] and marks_of(nearly)[1] == marks_of(ones)[1]


def test_marks_do_not_depend_on_the_batch_and_do_not_collide():
    many = (torch.randn(5000, 20, generator=torch.Generator().manual_seed(1)) > 0).float()
    whole = marks_of(many)
    assert torch.equal(whole[1234:1240], marks_of(many[1234:1240]))
    assert len(set(whole.tolist())) == len({tuple(each) for each in many.tolist()})


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool]
)
def test_marks_of_every_type_of_number_and_of_several_inputs(dtype):
    values = torch.arange(24).reshape(6, 4).to(dtype)
    values[:, 0] = torch.arange(6).to(dtype)
    given = {"tokens": values, "mask": (values, torch.arange(6))}
    assert marks_of(given).shape == (6,) and len(set(marks_of(given).tolist())) == 6


def test_inputs_on_any_layout_are_marked_by_their_values():
    images = torch.randn(4, 3, 5, 5)
    assert torch.equal(marks_of(images), marks_of(images.contiguous(memory_format=torch.channels_last)))
