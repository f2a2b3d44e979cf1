"""Claimed bytes are arithmetic one can do by hand; file bytes are those of a real file."""

from __future__ import annotations

import torch
from safetensors.torch import save_file
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Grid, Mask
from workbench.measurement.size import bits, claimed_bytes, file_bytes


def linear() -> Candidate:
    torch.manual_seed(0)
    return Candidate.of(nn.Linear(10, 4))


def test_an_unconstrained_model_claims_its_dtype() -> None:
    assert claimed_bytes(linear()) == 4 * 44
    assert claimed_bytes(Candidate.of(nn.Linear(10, 4).half())) == 2 * 44


def test_buffers_are_counted() -> None:
    # weight, bias, mean and variance of 3 channels in float32, and one int64 counter
    assert claimed_bytes(Candidate.of(nn.BatchNorm1d(3))) == 4 * 3 * 4 + 8


def test_a_mask_claims_only_what_it_keeps() -> None:
    keep = torch.arange(40).reshape(4, 10) < 10
    assert claimed_bytes(linear().constrained({"weight": Mask(keep)})) == 4 * 10 + 4 * 4


def test_a_grid_claims_its_bits_and_its_scales() -> None:
    candidate = linear().constrained({"weight": Grid(3, torch.full((4, 1), 0.1))})
    assert bits(candidate, "weight") == 3
    assert claimed_bytes(candidate) == 3 * 40 // 8 + 4 * 4 + 4 * 4


def test_mask_and_grid_multiply() -> None:
    keep = torch.arange(40).reshape(4, 10) < 10
    candidate = linear().constrained({"weight": Grid(4, torch.full((1, 1), 0.1))})
    candidate = candidate.constrained({"weight": Mask(keep)})
    assert claimed_bytes(candidate) == 5 + 4 + 4 * 4


def test_part_of_a_byte_is_a_byte() -> None:
    candidate = Candidate.of(nn.Linear(3, 1, bias=False)).constrained({"weight": Grid(3, torch.ones(1, 1))})
    assert claimed_bytes(candidate) == 2 + 2  # 9 bits, and a scale that float16 holds


def test_tied_weights_count_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    assert claimed_bytes(Candidate.of(model)) == 64
    assert file_bytes(model) < 64 + 200


def test_file_bytes_are_those_of_the_file(tmp_path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    assert file_bytes(model) == (tmp_path / "model.safetensors").stat().st_size


def test_buffers_that_are_not_saved_are_not_in_the_file() -> None:
    model = nn.Linear(2, 2)
    before = file_bytes(model)
    model.register_buffer("cache", torch.zeros(1000), persistent=False)
    assert file_bytes(model) == before
