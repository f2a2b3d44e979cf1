"""A job runs a generator in a worker or inline, stops it between steps, and leaves no trace behind."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from workbench.errors import WorkbenchError
from workbench.job import Job, Progress, Steps, Stopped, finish, forward
from workbench.randomness import isolated_random

WAIT = 20.0  # seconds until a test gives up; nothing waits that long when all is well


def counting(total: int = 3, each: Callable[[int], None] = lambda index: None) -> Steps[int]:
    """`total` steps; the result is how many were done, also after a stop."""
    done = 0
    try:
        for index in range(total):
            each(index)
            done = index + 1
            yield Progress(done, total, f"step {done}")
    except Stopped:
        pass
    return done


class Gate:
    """Lets a step of a job in a worker go on when the test says so."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, index: int) -> None:
        if index == 1:
            self.reached.set()
            assert self.open.wait(WAIT)


@pytest.fixture(params=["worker", "inline"])
def outcome(request: pytest.FixtureRequest) -> Callable[[Job[Any]], Any]:
    """Run a job to its outcome, in a worker thread and inline."""
    return (lambda job: job.start().wait(WAIT)) if request.param == "worker" else (lambda job: job.run())


def test_result_and_state(outcome):
    job = Job(lambda: counting(3))
    assert (job.state, job.result, job.is_running) == ("waiting", None, False)
    assert outcome(job) == 3
    assert (job.state, job.result, job.error, job.is_running) == ("done", 3, None, False)
    assert job.progress == Progress(3, 3, "step 3")
    assert job.elapsed > 0
    assert job.wait(0) == 3


def test_exceptions_reach_the_caller(outcome):
    def failing() -> Steps[None]:
        yield Progress()
        raise KeyError("here")

    job = Job(failing)
    with pytest.raises(KeyError, match="here"):
        outcome(job)
    assert job.state == "failed"
    assert isinstance(job.error, KeyError)
    with pytest.raises(KeyError):
        job.wait(0)


def test_an_exception_before_the_first_step_reaches_the_caller(outcome):
    def broken() -> Steps[None]:
        raise WorkbenchError("no generator at all")

    with pytest.raises(WorkbenchError, match="no generator at all"):
        outcome(Job(broken))


def test_the_generator_is_closed_in_the_thread_that_works():
    seen: list[threading.Thread] = []

    def closing() -> Steps[None]:
        try:
            yield Progress()
            raise ValueError
        finally:
            seen.append(threading.current_thread())

    job = Job(closing).start()
    with pytest.raises(ValueError):
        job.wait(WAIT)
    assert [each.name for each in seen] == ["workbench-job"]


def test_stop_keeps_the_best_so_far_and_begins_no_other_step():
    gate = Gate()
    job = Job(lambda: counting(1_000_000, gate)).start()
    assert gate.reached.wait(WAIT)
    job.stop()
    assert job.state == "stopping"
    assert job.is_running
    gate.open.set()
    assert job.wait(WAIT) == 2  # the step that was running is finished, none is begun
    assert job.state == "stopped"


def test_a_stopped_job_has_ended_a_tenth_of_a_second_after_its_step():
    def seconds() -> float:
        gate = Gate()
        job = Job(lambda: counting(1_000_000, gate)).start()
        assert gate.reached.wait(WAIT)
        job.stop()
        opened = time.monotonic()
        gate.open.set()
        job.wait(WAIT)
        return time.monotonic() - opened

    assert min(seconds() for _ in range(5)) < 0.1  # the quickest: other processes delay threads


def test_work_after_a_stop_is_still_done_and_reported():
    gate, messages = Gate(), []

    def measuring_afterwards() -> Steps[str]:
        best, was_stopped = yield from forward(counting(1_000_000, gate))
        yield Progress(1, 1, "measuring")
        messages.append("measured")
        return f"{best}, {was_stopped}"

    job = Job(measuring_afterwards).start()
    assert gate.reached.wait(WAIT)
    job.stop()
    job.stop()  # a second click changes nothing
    gate.open.set()
    assert job.wait(WAIT) == "2, True"
    assert messages == ["measured"]


def test_stop_before_start_ends_the_job_as_it_starts(outcome):
    began = []
    job = Job(lambda: counting(3, began.append))
    job.stop()
    assert job.state == "waiting"
    with pytest.raises(Stopped, match="stopped before there was anything to keep"):
        outcome(job)
    assert job.state == "stopped"
    assert not began


def test_stop_after_the_end_changes_nothing(outcome):
    job = Job(lambda: counting(3))
    outcome(job)
    job.stop()
    assert (job.state, job.result) == ("done", 3)


def test_a_stop_that_races_the_end_leaves_an_ended_state():
    for _ in range(200):
        job = Job(lambda: counting(2)).start()
        job.stop()
        with contextlib.suppress(Stopped):
            job.wait(WAIT)
        assert job.state in ("done", "stopped")
        assert not job.is_running


def test_a_stop_that_nobody_catches_is_told_as_stopped(outcome):
    def deaf() -> Steps[int]:
        job.stop()
        yield Progress()
        return 1

    job = Job(deaf)
    with pytest.raises(Stopped):
        outcome(job)
    assert (job.state, job.error, job.result) == ("stopped", None, None)


def test_a_stopped_job_whose_result_is_none_has_a_result(outcome):
    def quiet() -> Steps[None]:
        job.stop()
        try:
            yield Progress()
        except Stopped:
            return None

    job = Job(quiet)
    assert outcome(job) is None
    assert job.state == "stopped"


def test_a_job_runs_once(outcome):
    job = Job(lambda: counting(1))
    outcome(job)
    for again in (job.start, job.run):
        with pytest.raises(WorkbenchError, match="this job was started before; make a new one"):
            again()


def test_wait_gives_up_after_its_timeout():
    gate = Gate()
    job = Job(lambda: counting(3, gate)).start()
    with pytest.raises(TimeoutError, match=r"still running after 0\.01 s"):
        job.wait(0.01)
    gate.open.set()
    assert job.wait(WAIT) == 3


def test_observers_see_start_and_end_and_few_steps_between(outcome):
    seen = []
    job = Job(lambda: counting(2_000))
    job.observe(lambda job: seen.append((job.state, job.progress.done)))
    outcome(job)
    assert seen[0] == ("running", 0)
    assert seen[-1] == ("done", 2_000)
    assert len(seen) < 2 + 5 * (job.elapsed + 1)


def test_observers_are_called_in_the_working_thread():
    names = set()
    job = Job(lambda: counting(3))
    job.observe(lambda job: names.add(threading.current_thread().name))
    job.start().wait(WAIT)
    assert names == {"workbench-job"}


def test_the_end_is_told_after_the_result_is_there(outcome):
    results = []
    job = Job(lambda: counting(3))
    job.observe(lambda job: results.append((job.state, job.result)))
    outcome(job)
    assert results[-1] == ("done", 3)


def test_a_waiter_wakes_after_the_observers_have_seen_the_end():
    ends = []
    job = Job(lambda: counting(1))
    job.observe(lambda job: (time.sleep(0.02), ends.append(job.state)) if job.state == "done" else None)
    job.start().wait(WAIT)
    assert ends == ["done"]


def test_an_observer_may_wait_for_the_result_at_the_end(outcome):
    results = []
    job = Job(lambda: counting(3))
    job.observe(lambda job: results.append(job.wait(WAIT)) if job.state == "done" else None)
    assert outcome(job) == 3
    assert results == [3]


@pytest.mark.parametrize("when", ["running", "done", "always"])
def test_an_observer_that_raises_does_not_kill_the_job(outcome, when, caplog):
    def raising(job: Job[int]) -> None:
        if when in ("always", job.state):
            raise ValueError("an observer's own trouble")

    others = []
    job = Job(lambda: counting(3))
    job.observe(raising)
    job.observe(lambda job: others.append(job.state))
    assert outcome(job) == 3
    assert (job.state, job.error) == ("done", None)
    assert others[0] == "running"
    assert others[-1] == "done"
    assert "an observer's own trouble" in caplog.text
    assert len(caplog.records) == 1  # told once, not five times a second


def test_an_observer_that_raises_does_not_break_stop():
    gate = Gate()
    job = Job(lambda: counting(1_000_000, gate))
    job.observe(lambda job: 1 / 0)
    job.start()
    assert gate.reached.wait(WAIT)
    job.stop()
    gate.open.set()
    assert job.wait(WAIT) == 2


def test_stop_is_shown_at_once_and_observers_never_run_side_by_side():
    gate, inside, overlaps, states = Gate(), threading.Lock(), [], []

    def observer(job: Job[int]) -> None:
        overlaps.append(not inside.acquire(blocking=False))
        states.append(job.state)
        time.sleep(0.001)
        inside.release()

    job = Job(lambda: counting(1_000_000, gate))
    job.observe(observer)
    job.start()
    assert gate.reached.wait(WAIT)
    job.stop()
    assert states[-1] == "stopping"  # shown while the step is still running
    gate.open.set()
    job.wait(WAIT)
    assert states[-1] == "stopped"
    assert not any(overlaps)


def test_remaining_is_judged_from_the_share_done(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("workbench.job.time.monotonic", lambda: now[0])
    seen = []

    def timed() -> Steps[None]:
        for done in (0, 1, 2, 4):
            now[0] += 10.0
            yield Progress(done, 4)
            seen.append(job.remaining)

    job = Job(timed)
    assert job.remaining is None
    job.run()
    assert seen == [None, 60.0, 30.0, 0.0]  # after 20, 30 and 40 seconds
    assert job.remaining is None
    assert job.elapsed == 40.0


def test_fraction():
    assert Progress(1, 4).fraction == 0.25
    assert Progress(5, 4).fraction == 1.0
    assert Progress(1).fraction is None
    assert Progress(0, 0).fraction is None


# ---- randomness -----------------------------------------------------------------------------------------


def states() -> list[Any]:
    """The caller's global random states, comparable."""
    return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]


def drawing(total: int = 3) -> Steps[list[float]]:
    drawn = []
    for _ in range(total):
        drawn += [random.random(), np.random.rand(), float(torch.rand(()))]
        yield Progress()
    return drawn


def test_a_seed_makes_two_runs_equal_and_leaves_the_callers_states(outcome):
    before = states()
    first = outcome(Job(drawing, seed=3))
    assert states() == before
    torch.rand(7), random.random(), np.random.rand()
    assert outcome(Job(drawing, seed=3)) == first
    assert outcome(Job(drawing, seed=4)) != first


def test_the_caller_draws_between_steps_from_his_own_states():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    steps = []

    def observer(job: Job[Any]) -> None:
        steps.append(torch.rand(())) if len(steps) < 3 else None

    job = Job(lambda: drawing(3), seed=3)
    job.observe(observer)
    with_draws_between = job.run()
    while len(steps) < 3:
        observer(job)
    assert torch.equal(torch.stack(steps), expected)
    assert with_draws_between == Job(lambda: drawing(3), seed=3).run()


def test_a_step_that_raises_gives_the_states_back(outcome):
    def failing() -> Steps[None]:
        torch.rand(3)
        raise ValueError
        yield Progress()

    before = states()
    with pytest.raises(ValueError):
        outcome(Job(failing, seed=1))
    assert states() == before


def test_jobs_side_by_side_draw_what_each_draws_alone():
    alone = [Job(lambda: drawing(40), seed=seed).run() for seed in range(3)]
    jobs = [Job(lambda: drawing(40), seed=seed).start() for seed in range(3)]
    assert [job.wait(WAIT) for job in jobs] == alone


def test_isolated_random_draws_by_seed_and_leaves_no_trace():
    before = states()
    with isolated_random(5):
        first = torch.rand(3)
        with isolated_random(6):  # one inside the other
            torch.rand(2)
        second = torch.rand(3)
    assert states() == before
    with isolated_random(5):
        assert torch.equal(torch.rand(6), torch.cat([first, second]))


@pytest.mark.parametrize("seed", [0, -1, 2**31, 2**63, 10**30])
def test_any_whole_number_is_a_seed(seed):
    assert Job(drawing, seed=seed).run() == Job(drawing, seed=seed).run()


# ---- threads and interrupts -----------------------------------------------------------------------------


def test_the_number_of_threads_is_the_workers_own():
    before = torch.get_num_threads()
    seen: list[int] = []
    job = Job(lambda: counting(2, lambda index: seen.append(torch.get_num_threads())), threads=before + 1)
    job.start().wait(WAIT)
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before
    seen.clear()
    Job(lambda: counting(2, lambda index: seen.append(torch.get_num_threads())), threads=before + 2).run()
    assert seen == [before + 2] * 2
    assert torch.get_num_threads() == before


def test_an_interrupt_stops_an_inline_run_between_steps():
    handler = signal.getsignal(signal.SIGINT)
    job = Job(
        lambda: counting(1_000, lambda index: signal.raise_signal(signal.SIGINT) if index == 4 else None)
    )
    assert job.run() == 5
    assert job.state == "stopped"
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_interrupt_ends_the_step_at_once():
    handler = signal.getsignal(signal.SIGINT)

    def stubborn(index: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second interrupt did not end the step")

    job = Job(lambda: counting(3, stubborn))
    with pytest.raises(KeyboardInterrupt):
        job.run()
    assert job.state == "failed"
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interrupt_is_not_caught_once_the_job_has_ended():
    Job(lambda: counting(1)).run()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_inline_run_outside_the_main_thread_leaves_signals_alone():
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(Job(lambda: counting(3)).run()))
    thread.start()
    thread.join(WAIT)
    assert results == [3]


INTERRUPTED = """
import os, signal, sys, time
from workbench.job import Job, Progress, Stopped
def steps():
    done = 0
    try:
        while True:
            done += 1
            yield Progress(done)
            print("step", flush=True)
            time.sleep(0.01)
    except Stopped:
        return "kept the best so far"
print(Job(steps).run(), flush=True)
"""


def test_control_c_stops_a_script_cleanly():
    command = [sys.executable, "-c", INTERRUPTED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "step\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=WAIT)
    assert (process.returncode, error) == (0, "")
    assert out.splitlines()[-1] == "kept the best so far"


# ---- generators of generators ---------------------------------------------------------------------------


def test_finish_runs_to_the_end():
    assert finish(counting(4)) == 4


def test_forward_passes_on_what_it_is_given():
    inner_stopped = []

    def inner() -> Steps[str]:
        try:
            yield Progress(1)
            yield Progress(2)
        except Stopped:
            inner_stopped.append(True)
            yield Progress(3, message="putting back")
        return "kept"

    def outer() -> Steps[tuple[str, bool]]:
        return (yield from forward(inner()))

    assert finish(outer()) == ("kept", False)
    steps = outer()
    assert next(steps).done == 1
    assert steps.throw(Stopped()).done == 3
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == ("kept", True)
    assert inner_stopped == [True]


def test_forward_closes_the_inner_generator():
    closed = []

    def inner() -> Steps[None]:
        try:
            yield Progress()
        finally:
            closed.append(True)

    steps = forward(inner())
    next(steps)
    steps.close()
    assert closed == [True]


def test_forward_raises_stopped_where_there_is_nothing_to_return():
    def inner() -> Steps[None]:
        yield Progress()

    steps = forward(inner())
    next(steps)
    with pytest.raises(Stopped):
        steps.throw(Stopped())


def test_a_jobs_file_needs_no_torch_until_a_job_needs_it():
    script = "import sys, workbench.job; print('torch' in sys.modules, 'numpy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "False False", ran.stderr


def test_who_waits_for_the_end_hears_of_no_error_but_of_the_time():
    def failing() -> Steps[None]:
        yield Progress(0, 1)
        raise ValueError("told to the observers")

    job = Job(failing).start()
    job.wait_for_end(10)
    assert job.state == "failed"
    with pytest.raises(TimeoutError):
        Job(failing).wait_for_end(0.01)
