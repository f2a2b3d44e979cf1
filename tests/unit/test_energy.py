"""Energy of one inference: counters where they can be read, arithmetic by published costs otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
import small
import torch

from workbench.activations import Affine
from workbench.constraints import Grid
from workbench.measurement import energy
from workbench.measurement.compute import count_macs, plain_call
from workbench.measurement.size import claimed_bytes
from workbench.measurement.units import joules


def test_an_estimate_is_products_and_bytes_times_their_costs() -> None:
    work = small.workload()
    counted = count_macs(work.baseline, work.example, plain_call)
    found = energy.estimated(work.candidate(), counted)
    assert found.kind == "estimated" and "Horowitz" in found.source
    assert found.compute == pytest.approx(1e-12 * 4.6 * counted.total)
    assert found.memory == pytest.approx(1e-12 * 160 * claimed_bytes(work.candidate()))
    assert found.joules == found.compute + found.memory
    assert energy.estimated(work.candidate(), None) is None


def test_whole_numbers_cost_less_only_where_both_sides_are() -> None:
    work = small.workload()
    counted = count_macs(work.baseline, work.example, plain_call)
    weights = {name: Grid(8, torch.full((1, 1), 0.01)) for name in ("0.weight", "2.weight")}
    rounded = work.candidate().constrained(weights)
    grid = Affine(8, torch.tensor(0.1))
    both = rounded.rounding({"0/input": grid, "2/input": grid})
    plain, half, whole = (energy.estimated(each, counted) for each in (work.candidate(), rounded, both))
    assert half.compute == plain.compute and half.memory < plain.memory
    assert whole.compute == pytest.approx(plain.compute * 0.3 / 4.6)


def counter(folder: Path, values: list[int]) -> Path:
    package = folder / "intel-rapl:0"
    package.mkdir()
    (package / "max_energy_range_uj").write_text("1000000")
    (package / "energy_uj").write_text(str(values[0]))
    return package / "energy_uj"


def test_a_counter_is_read_before_and_after(tmp_path) -> None:
    place = counter(tmp_path, [500_000])
    calls = []

    def run() -> None:
        calls.append(1)
        place.write_text(str(500_000 + 2_000 * (len(calls) - 1)))  # 2 mJ a pass, after the first

    found = energy.measured(run, tmp_path, seconds=0.01)
    assert found.kind == "measured" and "intel-rapl:0" in found.source
    assert found.joules == pytest.approx(0.002)


def test_a_counter_that_begins_again_is_understood(tmp_path) -> None:
    place = counter(tmp_path, [999_000])
    calls = []

    def run() -> None:
        calls.append(1)
        if len(calls) > 1:
            place.write_text("1000")

    assert energy.measured(run, tmp_path, seconds=0.0).joules == pytest.approx(0.002)


def test_without_a_counter_nothing_is_measured(tmp_path) -> None:
    assert energy.measured(lambda: None, tmp_path / "none") is None
    place = counter(tmp_path, [1])
    place.write_text("not a number")
    assert energy.measured(lambda: None, tmp_path) is None


def test_energies_are_written_short() -> None:
    assert [joules(each) for each in (1.5, 0.0013, 18e-6, 4e-9)] == [
        "1.50 J",
        "1.30 mJ",
        "18.0 µJ",
        "4.00 nJ",
    ]
