"""Every technique there is keeps the promises of `workbench.testing`; and the checks can fail."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from typing import Any

import pytest
import torch

from workbench.job import Progress, Stopped
from workbench.options import option
from workbench.technique import FAMILIES, Technique, short_flags, techniques
from workbench.testing import CHECKS, Given, check_declaration, workload


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", techniques())
def test_every_technique_passes_every_check(name: str, check: Callable[[Given], None]) -> None:
    check(techniques()[name])


def test_techniques_are_grouped_by_family():
    order = [FAMILIES.index(each.family) for each in techniques().values()]
    assert order == sorted(order)


def test_no_two_techniques_share_a_flag():
    flags = [each.flag for each in techniques().values() if each.flag]
    assert sorted(flags) == sorted(set(flags)) == sorted(short_flags())


def test_the_workload_of_the_checks_is_the_same_every_time():
    first, again = workload(), workload()
    assert first.fingerprint == again.fingerprint
    state = torch.get_rng_state()
    workload()
    assert torch.equal(torch.get_rng_state(), state)


CALLS = itertools.count()

# ---- techniques that break a promise each: the checks must see it ------------------------------------------


def broken(name: str, apply: Callable[..., Any], **members: Any) -> type[Technique]:
    """A technique that does something it must not."""
    annotations = {key: float for key in members if key not in ("prepare", "__doc__", "__post_init__")}
    body = {"__doc__": "Break a promise.", "__annotations__": annotations, **members, "apply": apply}
    return type(Technique)(name, (Technique,), body, family="pruning")


def changes_its_input(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    yield Progress(1, 1)
    with torch.no_grad():
        candidate.model[0].weight.add_(1)
    return candidate.copy()


def counts_how_often_it_was_called(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    yield Progress(1, 1)
    copied = candidate.copy()
    with torch.no_grad():
        copied.model[0].weight.mul_(1 + next(CALLS))
    return copied


def leaves_train_mode(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    yield Progress(1, 1)
    copied = candidate.copy()
    copied.model.train()
    return copied


def gives_up_zeros(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    from workbench.candidate import Candidate

    yield Progress(1, 1)
    return Candidate.of(candidate.model)


def runs_backward(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    yield Progress(2, 2)
    yield Progress(1, 2)
    return candidate


def leaves_a_hook(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    handle = candidate.model.register_forward_hook(lambda *given: None)
    yield Progress(1, 2)
    yield Progress(2, 2)
    handle.remove()
    return candidate


def goes_on(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    for done in range(9):
        try:
            yield Progress(done, 9)
        except Stopped:
            return None
    return candidate


def uses_what_was_prepared(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    yield Progress(1, 1)
    copied = candidate.copy()
    with torch.no_grad():
        copied.model[0].weight.mul_(prepared)
    return copied


def touches_every_layer(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    yield Progress(1, 1)
    copied = candidate.copy()
    with torch.no_grad():
        for each in copied.model.parameters():
            each.mul_(0.5)
    return copied


def never_yields(self: Any, candidate: Any, context: Any, prepared: Any) -> Generator:
    return candidate
    yield


BROKEN = {
    "check_declaration": broken("Silent", never_yields, __doc__=""),
    "check_refuses_what_is_out_of_range": broken(
        "Unchecked",
        never_yields,
        share=option(0.5, "a share", low=0, high=1),
        __post_init__=lambda self: None,
    ),
    "check_leaves_its_input_alone": broken("Changes", changes_its_input),
    "check_same_seed_same_result": broken("Counts", counts_how_often_it_was_called),
    "check_result_is_a_candidate": broken("Trains", leaves_train_mode),
    "check_reports_progress": broken("Backward", runs_backward),
    "check_stops_cleanly": broken("GoesOn", goes_on),
    "check_closes_cleanly": broken("Hooks", leaves_a_hook),
    "check_prepared_does_not_depend_on_the_controls": broken(
        "Depends",
        uses_what_was_prepared,
        share=option(0.5, "a share", low=0, high=1),
        prepare=lambda self, candidate, context: self.share,
    ),
}
MORE = [
    (
        "check_prepared_lets_go",
        broken("Keeps", never_yields, prepare=lambda self, candidate, context: [candidate]),
    ),
    ("check_result_is_a_candidate", broken("GivesUp", gives_up_zeros)),
    ("check_touches_only_what_it_may", broken("Everywhere", touches_every_layer)),
    ("check_reports_progress", broken("Never", never_yields)),
    ("check_stops_cleanly", broken("HooksToo", leaves_a_hook)),
    ("check_declaration", broken("NoHelp", never_yields, share=option(0.5, " ", low=0, high=1))),
    ("check_declaration", broken("BadDefault", never_yields, share=option(5.0, "a share", low=0, high=1))),
    ("check_default_and_round_trips", broken("Unregistered", never_yields)),
]


@pytest.mark.parametrize(("check", "technique"), [*BROKEN.items(), *MORE], ids=lambda each: str(each))
def test_a_broken_promise_is_seen(check: str, technique: type[Technique], monkeypatch: Any) -> None:
    if technique.__name__ != "Unregistered":
        monkeypatch.setattr("workbench.technique.techniques", lambda: {technique.__name__: technique})
    by_name = {each.__name__: each for each in CHECKS}
    with pytest.raises((AssertionError, ValueError)):
        by_name[check](technique)


def test_a_flag_needs_an_option_and_prepared_by_needs_names():
    class Flagged(Technique, family="pruning", flag="--odd"):
        """Has a flag and no option."""

    class Named(Technique, family="pruning", prepared_by=("shrae",)):
        """Names an option that is not there."""

        share: float = option(0.5, "a share", low=0, high=1)

    for each in (Flagged, Named):
        with pytest.raises(AssertionError):
            check_declaration(each)


def test_what_is_no_declaration_is_the_authors_error_at_once():
    with pytest.raises(TypeError, match=r"Bare\.share must be declared: share: type = option\(\.\.\.\)"):

        class Bare(Technique, family="pruning"):
            """A field without a description."""

            share: float = 0.5

    with pytest.raises(TypeError, match="family must be one of pruning, "):

        class Lost(Technique, family="purning"):
            """A family that is not there."""
