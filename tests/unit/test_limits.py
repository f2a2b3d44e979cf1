"""Limits: what is typed, which models keep them, which is best, and what nobody can tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workbench.errors import OptionError
from workbench.exploration.limits import LIMITED, Limits, judge, outcome, told
from workbench.measurement.accuracy import Accuracy
from workbench.measurement.found import Found, Timed
from workbench.measurement.quantities import ACCURACY, metric


def model(right: int, stored: float, ms: float | None = None, **found) -> Found:
    latency = {} if ms is None else {"pytorch": Timed(ms, 0.9 * ms, 1.1 * ms, 90_000)}
    return Found(Accuracy.of(right, 500, "validation"), stored=stored, latency=latency, **found)


SMALL, GOOD, UNTIMED = model(470, 20_000, 1.0), model(490, 60_000, 2.0), model(480, 30_000)
MODELS = [("small", SMALL), ("good", GOOD), ("untimed", UNTIMED)]
NAMES = {id: id for id, _ in MODELS}


def said(limits: Limits, models=MODELS, by=ACCURACY) -> str:
    found = dict(models)
    result = outcome(limits, models, "pytorch", by)
    return told(result, {id: id for id in found}, lambda id: by.text(found[id]), by)


def test_texts_are_read_as_they_are_written():
    limits = Limits("50 KB", "2 ms", "256 KiB", "1 MB", "1.5 M", "98 %")
    assert limits == Limits(50_000, 2.0, 262_144, 1_000_000, 1_500_000, 0.98)
    assert Limits(max_size="") == Limits() and not Limits() and Limits(max_macs=3)


@pytest.mark.parametrize("name", LIMITED)
@pytest.mark.parametrize("wrong", ["much", "-3", "1 furlong", float("nan"), True, [1]])
def test_what_is_no_figure_is_refused_in_one_line(name, wrong):
    with pytest.raises(OptionError, match=r"^[\w ]+ (at most|at least): write it like \S.*, got ") as raised:
        Limits(**{name: wrong})
    assert "\n" not in str(raised.value)


def test_a_limit_that_is_refused_leaves_the_others():
    limits = Limits(max_size="50 KB")
    with pytest.raises(OptionError):
        limits.changed("min_accuracy", "98")  # neither 98 % nor 0.98
    assert limits.changed("max_latency", 2).changed("max_size", "") == Limits(max_latency=2.0)


def test_best_is_the_most_accurate_that_fits():
    assert outcome(Limits(max_size=50_000), MODELS, "pytorch").best == "untimed"
    assert outcome(Limits(max_size=25_000), MODELS, "pytorch").best == "small"
    assert outcome(Limits(max_size=1e6), MODELS, "pytorch").best == "good"
    assert outcome(Limits(), MODELS, "pytorch").best is None


def test_of_two_as_accurate_the_smaller_is_best():
    twins = [("a", model(490, 900)), ("b", model(490, 800))]
    assert outcome(Limits(max_size=1000), twins, "pytorch").best == "b"


def test_best_by_a_metric_that_is_better_lower():
    models = [("a", Found(metrics={"rmse": 0.3}, stored=1)), ("b", Found(metrics={"rmse": 0.2}, stored=2))]
    assert outcome(Limits(max_size=10), models, "pytorch", metric("rmse")).best == "b"
    assert "2 of 2 fit; lowest rmse: b, 0.2." in said(Limits(max_size=10), models, metric("rmse"))


def test_what_lacks_a_figure_is_not_feasible_and_it_is_said_why():
    result = outcome(Limits(max_latency=5), MODELS, "pytorch")
    assert result.fitting == ["small", "good"]
    assert "Not counted, since nobody can tell: untimed (latency, PyTorch: not timed" in said(
        Limits(max_latency=5)
    )


def test_simulated_time_keeps_no_limit():
    found = Found(latency={"onnxruntime": Timed(0.1, is_simulated=True)})
    verdict = judge(Limits(max_latency=1), found, "onnxruntime")
    assert not verdict.fits and "simulated only" in verdict.lacks[0]


def test_interval_that_crosses_a_limit_is_said():
    limits = Limits(min_accuracy="97.5 %", max_latency="2.1 ms")
    verdict = judge(limits, GOOD, "pytorch")  # 98.0 % (96.4–98.9), 2 ms (1.8–2.2)
    assert verdict.fits and len(verdict.doubts) == 2
    assert "Not certain: latency, PyTorch: its quartiles reach 2.20 ms, over 2.10 ms; " in said(limits)
    assert "accuracy: its 95 % interval reaches 96.4 %, below 97.5 %" in said(limits)
    assert judge(Limits(min_accuracy=0.9, max_latency=3), GOOD, "pytorch").doubts == ()


def test_where_none_fits_the_nearest_is_named_with_what_it_misses():
    text = said(Limits(max_size="15 KB"))
    assert text == "None of 3 fits. Nearest: small, stored size 20.0 KB is over 15.0 KB."
    text = said(Limits(min_accuracy="99 %"))
    assert text == "None of 3 fits. Nearest: good, accuracy 98.0 % is below 99.0 %."
    assert said(Limits(max_memory=5)).startswith("None of 3 is known to fit. Not counted")


def test_memory_is_what_an_edge_device_asks():
    fits, too_much = model(490, 1, peak_memory=200_000), model(495, 1, peak_memory=300_000)
    assert outcome(Limits(max_memory="256 KB"), [("a", fits), ("b", too_much)], "pytorch").best == "a"


def test_unknown_limit_is_named_with_those_there_are():
    with pytest.raises(OptionError, match=r"no limit 'max_weight'; there are max_size, max_latency"):
        Limits.of({"max_weight": 3})
    with pytest.raises(OptionError, match="limits are given by name"):
        Limits.of(5)


def test_limits_need_no_torch():
    code = "import sys, workbench.exploration.limits; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
