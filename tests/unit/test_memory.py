"""Peak memory is the weights and the tensors alive at once, as one can add up by hand."""

from __future__ import annotations

import torch
from torch import nn

from workbench.measurement.memory import peak_memory

FLOAT = 4


def test_weights_and_the_two_largest_neighbors() -> None:
    model = nn.Sequential(nn.Linear(100, 200, bias=False), nn.ReLU(), nn.Linear(200, 50, bias=False))
    weights = 100 * 200 + 200 * 50
    # the input is held by the caller; while ReLU runs, its input and its output are alive
    assert peak_memory(model, torch.zeros(1, 100)) == FLOAT * (weights + 100 + 200 + 200)


def test_what_is_freed_is_not_counted_twice() -> None:
    shallow = nn.Sequential(*[nn.ReLU() for _ in range(2)])
    deep = nn.Sequential(*[nn.ReLU() for _ in range(20)])
    x = torch.zeros(1, 1000)
    assert peak_memory(shallow, x) == peak_memory(deep, x) == FLOAT * 3000


def test_what_a_skip_connection_holds_is_counted() -> None:
    class Skip(nn.Module):
        def forward(self, x):
            y = x * 2
            return y + (y * 3) * 4

    # the input, y, y·3 and its product with 4
    assert peak_memory(Skip(), torch.zeros(1, 1000)) == FLOAT * 4000


def test_views_and_in_place_operations_take_no_memory() -> None:
    model = nn.Sequential(nn.Flatten(), nn.ReLU(inplace=True), nn.Unflatten(1, (10, 10)))
    assert peak_memory(model, torch.zeros(1, 100)) == FLOAT * 100


def test_tied_weights_count_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    assert peak_memory(model, torch.zeros(1, 4)) == FLOAT * (16 + 3 * 4)


def test_the_same_in_every_run_and_nothing_without_an_input() -> None:
    model = nn.Conv2d(1, 8, 3).eval()
    x = torch.zeros(1, 1, 8, 8)
    assert len({peak_memory(model, x) for _ in range(3)}) == 1
    assert peak_memory(model, None) is None


def test_batches_need_more() -> None:
    model = nn.ReLU()
    assert peak_memory(model, torch.zeros(8, 10)) == 8 * peak_memory(model, torch.zeros(1, 10))
