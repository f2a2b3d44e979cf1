"""Figures are written with units, three digits and true minus signs; what is unknown is a dash."""

import subprocess
import sys

import pytest

from workbench.measurement import units


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 KB"),
        (44_100, "44.1 KB"),
        (999_600, "1.00 MB"),
        (1_720_000, "1.72 MB"),
    ],
)
def test_sizes_are_decimal(number: int, text: str) -> None:
    assert units.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0.018, "18.0 µs"), (0.21, "0.21 ms"), (12.34, "12.3 ms"), (1300, "1.30 s")]
)
def test_times_choose_their_unit(number: float, text: str) -> None:
    assert units.milliseconds(number) == text


def test_a_range_keeps_the_unit_of_its_middle() -> None:
    assert units.milliseconds_range(0.11, 0.098, 0.13) == "0.11 ms (0.10–0.13)"
    assert units.milliseconds_range(0.018, 0.017, 0.12) == "18.0 µs (17.0–120)"


def test_shares_and_points() -> None:
    assert units.share(0.991) == "99.1 %"
    assert units.share_range(0.991, 0.985, 0.995) == "99.1 % (98.5–99.5)"
    assert units.points(-0.001) == "−0.1"
    assert units.points(0.0002) == "0.0"  # not +0.0


def test_a_ratio_says_which_way() -> None:
    assert units.smaller(44_100, 1_720_000) == "▼ 39×"
    assert units.smaller(1_200, 1_000) == "▲ 1.2×"
    assert units.smaller(1_000, 1_000) == "="
    assert units.smaller(990, 1_000) == "▼ 1.01×"
    assert units.smaller(1_002, 1_000) == "▲ 1.002×"  # neither the same nor 1.00 times as large
    assert units.times(0.84) == "0.84×"
    assert units.times_range(1.0, 0.99, 1.02) == "1.00× (0.99–1.02)"


@pytest.mark.parametrize("write", [units.size, units.count, units.share, units.milliseconds, units.times])
def test_the_unknown_is_a_dash(write) -> None:
    assert write(None) == write(float("nan")) == "–"


def test_units_need_no_torch() -> None:
    code = (
        "import sys, workbench.measurement.units; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
