"""Latency is a ratio taken in turns: it finds a known factor, can be stopped, and leaves torch as it was."""

from __future__ import annotations

import time

import pytest
import torch

from workbench.job import Stopped, finish
from workbench.measurement.latency import Rounds, summary, timing, torch_threads
from workbench.runtimes.base import Prepared


def spinning(seconds: float, is_in_thread: bool = True) -> Prepared:
    """A pass that takes a known time of the processor."""

    def run() -> None:
        end = time.thread_time() + seconds
        while time.thread_time() < end:
            pass

    return Prepared(run, lambda inputs: None, 1000, is_in_thread)


def test_a_known_factor_is_found_within_its_interval() -> None:
    rounds = finish(timing(spinning(0.0005), spinning(0.001), seconds=0.5))
    found = summary(rounds, "pytorch", 1000)
    assert found.speedup == pytest.approx(2.0, rel=0.05)
    assert found.speedup_low <= found.speedup <= found.speedup_high
    assert found.median_ms == pytest.approx(0.5, rel=0.1)
    assert found.baseline_ms == pytest.approx(1.0, rel=0.1)
    assert found.low_ms <= found.median_ms <= found.high_ms <= found.p95_ms
    assert found.rounds == len(rounds.model) >= 7


def test_short_passes_are_repeated_until_a_sample_takes_a_millisecond() -> None:
    calls = []
    quick = Prepared(lambda: calls.append(0), lambda inputs: None, 0, True)
    steps = timing(quick, seconds=0.1)
    next(steps)
    next(steps)
    before = len(calls)
    next(steps)
    assert len(calls) - before > 100
    steps.close()


def test_both_are_timed_the_same_number_of_times_in_turning_order() -> None:
    order = []
    ours = Prepared(lambda: (order.append("a"), time.sleep(0.03)), lambda inputs: None, 0, False)
    theirs = Prepared(lambda: (order.append("b"), time.sleep(0.03)), lambda inputs: None, 0, False)
    steps = timing(ours, theirs, seconds=0.1)
    next(steps)
    warm = None
    for _ in range(4):
        next(steps)
        warm = warm or len(order) - 2
    steps.close()
    assert "".join(order[warm:]) == "abbaabba"


def test_the_model_alone_has_no_ratio_but_one() -> None:
    found = summary(finish(timing(spinning(0.001), seconds=0.1)), "pytorch", 7, threads=1, batch=4)
    assert (found.speedup, found.speedup_low, found.speedup_high) == (1.0, 1.0, 1.0)
    assert found.baseline_ms == pytest.approx(found.median_ms)
    assert (found.artefact_bytes, found.batch) == (7, 4)


def test_work_in_other_threads_is_timed_by_the_wall() -> None:
    sleeping = Prepared(lambda: time.sleep(0.002), lambda inputs: None, 0, is_in_thread=False)
    found = summary(finish(timing(sleeping, sleeping, threads=2, seconds=0.1)), "x", 0)
    assert found.median_ms >= 2.0


def test_stop_returns_the_rounds_so_far() -> None:
    steps = timing(spinning(0.001), spinning(0.001), seconds=60)
    for _ in range(4):
        next(steps)
    with pytest.raises(StopIteration) as end:
        steps.throw(Stopped())
    assert len(end.value.value.model) == len(end.value.value.baseline) == 3


def test_stop_before_the_first_round_has_nothing_to_return() -> None:
    steps = timing(spinning(0.001), seconds=60)
    next(steps)
    with pytest.raises(Stopped):
        steps.throw(Stopped())


def test_time_is_bounded_also_for_slow_models() -> None:
    slow = Prepared(lambda: time.sleep(0.05), lambda inputs: None, 0, False)
    started = time.perf_counter()
    rounds = finish(timing(slow, slow, seconds=0.05))
    # at least three rounds, then at most four times the budget; warming up takes four passes of each
    assert len(rounds.model) >= 3
    assert time.perf_counter() - started < 2.0


def test_outliers_do_not_move_the_ratio() -> None:
    rounds = Rounds([1.0] * 20 + [50.0], [2.0] * 20 + [2.0])
    found = summary(rounds, "pytorch", 0)
    assert found.speedup == 2.0
    # the interval never claims more than that preparing a model anew changes one percent
    assert (found.speedup_low, found.speedup_high) == pytest.approx((1.98, 2.02))


def test_threads_are_set_where_the_work_runs_and_restored() -> None:
    before = torch.get_num_threads()
    seen = []
    probe = Prepared(lambda: seen.append(torch.get_num_threads()), lambda inputs: None, 0, False)
    steps = timing(probe, threads=before + 1, seconds=0.05)
    for _ in steps:
        assert torch.get_num_threads() == before  # also between two rounds
    assert set(seen) == {before + 1}
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_progress_runs_to_its_total() -> None:
    fractions = [each.fraction for each in timing(spinning(0.001), spinning(0.001), seconds=0.2)]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert all(0 <= each <= 1 for each in fractions)
