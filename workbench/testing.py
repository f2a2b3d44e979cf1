"""Checks that every technique passes, ours and those of plug-ins; for the tests of whoever writes one.

    import pytest
    from workbench.testing import CHECKS
    from my_package import MyTechnique

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_contract(check):
        check(MyTechnique)

A check takes a technique's class, or a config of it where the default one needs something to work on. It
raises `AssertionError` with a line that says which promise is broken.
"""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from workbench.candidate import Candidate
from workbench.constraints import Mask
from workbench.errors import OptionError, WorkbenchError
from workbench.exploration.changes import changed_layers
from workbench.job import Job, Progress, Steps, Stopped
from workbench.layers import weights
from workbench.options import Option, describe
from workbench.recipe import Recipe
from workbench.technique import FAMILIES, Context, Technique, find, prepared
from workbench.workload import Workload

Given = Technique | type[Technique]
_NOTHING = object()


def workload(seed: int = 0) -> Workload:
    """A small convolutional net, untrained, on images of three classes: quick, and the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 8, 3), nn.ReLU(),
            nn.Flatten(), nn.Linear(32, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3),
        )  # fmt: skip
        targets = torch.arange(96) % 3
        images = 0.5 * torch.randn(96, 1, 6, 6) + (torch.eye(3)[targets].repeat(1, 12)).reshape(96, 1, 6, 6)
        splits = [(images[part], targets[part]) for part in (slice(48), slice(48, 72), slice(72, 96))]
    batches = [(splits[0][0][i : i + 16], splits[0][1][i : i + 16]) for i in range(0, 48, 16)]
    return Workload(model, batches, *splits[1:])


def check_declaration(given: Given) -> None:
    """It says what it is: a summary, and for each option a help text and a default that is allowed."""
    cls = _class(given)
    assert cls.summary(), f"{cls.__name__} needs a docstring: its first line is its summary"
    assert cls.family in FAMILIES, f"{cls.__name__}: family {cls.family!r}"
    options = {each.name: each for each in describe(cls)}
    for each in options.values():
        assert each.help.strip(), f"{cls.__name__}.{each.name} needs a help text"
        assert each.check(each.default) == each.default, f"{cls.__name__}.{each.name}: default"
    missing = set(cls.prepared_by) - set(options)
    assert not missing, f"{cls.__name__}: prepared_by names {missing}, which are no options"
    if cls.flag is not None:
        is_flag = re.fullmatch(r"--[a-z][a-z-]*", cls.flag)
        assert is_flag, f"{cls.__name__}: a flag is like --sparsity, got {cls.flag!r}"
        assert options, f"{cls.__name__}: a flag sets the first option, and there is none"


def check_default_and_round_trips(given: Given) -> None:
    """Its default config can be made; text, YAML and JSON give it back."""
    cls = _class(given)
    assert find(cls.__name__) is cls, f"{cls.__name__} is not registered; name it as an entry point"
    for step in (cls(), _step(given)):
        recipe = Recipe((step,))
        assert Recipe.parse(str(recipe)) == recipe, f"{recipe} is not read back from its text"
        assert Recipe.from_json(recipe.to_json()) == recipe, f"{recipe} is not read back from JSON"
        assert Recipe.from_yaml(recipe.to_yaml()) == recipe, f"{recipe} is not read back from YAML"


def check_refuses_what_is_out_of_range(given: Given) -> None:
    """Every option refuses what lies outside its range, in one line that names it."""
    step = _step(given)
    for each in describe(step):
        for wrong in _outside(each):
            try:
                step.replace(**{each.name: wrong})
            except OptionError as error:
                assert each.name in str(error), f"the line does not name {each.name}: {error}"
                assert "\n" not in str(error), f"more than a line: {error}"
            else:
                raise AssertionError(f"{type(step).__name__}({each.name}={wrong!r}) was not refused")


def check_leaves_its_input_alone(given: Given) -> None:
    """The candidate it is given, and the workload, are the same afterwards."""
    work, start = _under_a_mask()
    before = _everything(start), _everything(Candidate(work.model)), _everything(Candidate(work.baseline))
    _applied(_step(given), work, start)
    after = _everything(start), _everything(Candidate(work.model)), _everything(Candidate(work.baseline))
    for whose, a, b in zip(("the candidate", "the model", "the baseline"), before, after, strict=True):
        assert _agree(a, b), f"{type(_step(given)).__name__} changed {whose} it was given"


def check_same_seed_same_result(given: Given) -> None:
    """One seed gives one result, bit for bit, whatever else has drawn random numbers."""
    work, start = _under_a_mask()
    first = _everything(_applied(_step(given), work, start))
    with torch.random.fork_rng():
        torch.rand(7)
        again = _everything(_applied(_step(given), work, start.copy()))
    assert _agree(first, again), f"{_step(given)} gave two results for one seed"


def check_result_is_a_candidate(given: Given) -> None:
    """What it returns is a plain model in eval mode that satisfies its constraints, on a fresh model and
    under a mask; masks it does not carry on are given up aloud."""
    work = workload()
    for start in (work.candidate(), _masked(work.candidate())):
        result = _applied(_step(given), work, start)
        _assert_whole(result, work, str(_step(given)))
        for name in start.constraints:
            mask = result.constraints.of(name, Mask)
            kept = mask is not None and bool((result.model.get_parameter(name)[~mask.keep] == 0).all())
            assert kept or result.notes, f"{_step(given)} gave up the zeros of {name} without a note"


def check_touches_only_what_it_may(given: Given) -> None:
    """Let into one layer it changes no other; one that couples layers names those it had to change in a note.

    What it is not let into keeps its parameters, its constraints and its activations.
    """
    step, work = _step(given), workload()
    if step.trains:
        return
    start = work.candidate()
    for layer in dict.fromkeys(each.layer for each in weights(start.model)):
        context = Context(work, seed=1, only=frozenset({layer}))
        try:
            result = Job(lambda at=context: step.apply(start, at, prepared(step, start, at)), seed=1).run()  # type: ignore[misc]
        except WorkbenchError:  # it says that one layer is too little for it
            continue
        others = changed_layers(start, result) - {layer}
        unsaid = [other for other in others if not any(_names(note, other) for note in result.notes)]
        assert not (others and not step.couples), f"{step}, let into {layer} only, changed {sorted(others)}"
        assert not unsaid, f"{step}, let into {layer}, changed {sorted(unsaid)} without a note"


def check_reports_progress(given: Given) -> None:
    """It yields `Progress` that never runs backward."""
    work, start = _under_a_mask()
    seen = list(_steps(_step(given), work, start))
    assert seen, f"{type(_step(given)).__name__} never yields: it cannot be stopped"
    assert all(isinstance(each, Progress) for each in seen), "something else than Progress was yielded"
    shares = [each.fraction for each in seen if each.fraction is not None]
    assert shares == sorted(shares), "progress runs backward"


def check_stops_cleanly(given: Given) -> None:
    """Stopped at any of its first steps it returns a whole candidate, or nothing by raising `Stopped`; a step
    that trains always has something. No hook is left, and the input is as it was."""
    work, start = _under_a_mask()
    before = _everything(start)
    name = type(_step(given)).__name__
    for count in range(1, 6):
        result = _stopped_after(count, _steps(_step(given), work, start))
        assert _agree(_everything(start), before), f"{name}, stopped, leaves its input changed"
        assert _hooks(work.model) == _hooks(work.baseline) == 0, f"{name}, stopped, leaves hooks"
        if result is not _NOTHING:
            _assert_whole(result, work, f"{name}, stopped,")
        assert result is not _NOTHING or not _step(given).trains, f"{name}, stopped, lost the best so far"


def check_closes_cleanly(given: Given) -> None:
    """A preview is cancelled by closing it: nothing is raised, nothing is left."""
    work, start = _under_a_mask()
    before = _everything(start)
    steps = _steps(_step(given), work, start)
    next(steps, None)
    steps.close()
    assert _agree(_everything(start), before), f"{type(_step(given)).__name__}, closed, leaves a change"


def check_prepared_does_not_depend_on_the_controls(given: Given) -> None:
    """What is prepared is kept while a slider moves: it serves every value of the options that `prepared_by`
    does not name."""
    step = _step(given)
    if step.trains:
        return
    work, start = _under_a_mask()
    context = Context(work, seed=1)
    kept = step.prepare(start, context)
    for other in _neighbors(step):
        both = kept, other.prepare(start, context)
        tries = ([_outcome(other, start, context, made) for made in both] for _ in range(3))
        # more than one, since a step that times layers does not choose the same ones every time
        assert any(_agree(*each) for each in tries), (
            f"{other} differs when prepared for {step}: name the option in prepared_by"
        )


def check_prepared_lets_go(given: Given) -> None:
    """What is prepared is kept as long as its candidate: it must not be what keeps the candidate."""
    work, start = _under_a_mask()
    _applied(_step(given), work, start)
    alive = weakref.ref(start)
    del start
    gc.collect()
    assert alive() is None, f"{type(_step(given)).__name__}.prepare keeps its candidate alive for good"


def check_stored_file_gives_equal_outputs(given: Given) -> None:
    """The packed file of its result loads to the very same outputs, and to the same constraints."""
    from workbench.storage import pack, unpack

    work, start = _under_a_mask()
    step = _step(given)
    result = _applied(step, work, start)
    again = unpack(pack(result, recipe=Recipe((step,)), original=work.baseline), work.model).candidate
    inputs, _ = work.test.first()
    assert torch.equal(result.call(work, inputs), again.call(work, inputs)), f"{step}: other outputs"
    assert again.constraints.keys() == result.constraints.keys(), f"{step}: other constraints"


def check_others_can_follow(given: Given) -> None:
    """Training and rounding go on from its result, under its constraints."""
    work, start = _under_a_mask()
    result = _applied(_step(given), work, start)
    for name, options in (("FineTune", {"epochs": 1}), ("Quantize", {})):
        result = _applied(find(name)(**options), work, result)
        _assert_whole(result, work, f"{_step(given)} | {name}")


CHECKS: tuple[Callable[[Given], None], ...] = (
    check_declaration,
    check_default_and_round_trips,
    check_refuses_what_is_out_of_range,
    check_leaves_its_input_alone,
    check_same_seed_same_result,
    check_result_is_a_candidate,
    check_touches_only_what_it_may,
    check_reports_progress,
    check_stops_cleanly,
    check_closes_cleanly,
    check_prepared_does_not_depend_on_the_controls,
    check_prepared_lets_go,
    check_stored_file_gives_equal_outputs,
    check_others_can_follow,
)


def _class(given: Given) -> type[Technique]:
    return given if isinstance(given, type) else type(given)


def _step(given: Given) -> Technique:
    return given() if isinstance(given, type) else given


def _steps(step: Technique, work: Workload, start: Candidate) -> Steps[Candidate]:
    context = Context(work, seed=1)
    return step.apply(start, context, prepared(step, start, context))


def _applied(step: Technique, work: Workload, start: Candidate) -> Candidate:
    return Job(lambda: _steps(step, work, start), seed=1).run()


def _outcome(step: Technique, start: Candidate, context: Context, made: Any) -> dict[str, Any]:
    """All there is to what a step makes of what was prepared, or the line it says instead."""
    try:
        return _everything(Job(lambda: step.apply(start, context, made), seed=1).run())
    except WorkbenchError as error:  # a value that does not go with this small model
        return {"refused": str(error)}


def _names(note: str, layer: str) -> bool:
    """Whether a note names a layer, and not only a longer name that begins or ends like it."""
    return re.search(rf"(?<![\w.]){re.escape(layer)}(?![\w]|\.\w)", note) is not None


def _masked(candidate: Candidate) -> Candidate:
    """The candidate without every third weight of two layers."""
    masks = {}
    for name in ("3.weight", "6.weight"):
        shape = candidate.model.get_parameter(name).shape
        masks[name] = Mask((torch.arange(shape.numel()) % 3 != 0).reshape(shape))
    return candidate.constrained(masks)


def _under_a_mask() -> tuple[Workload, Candidate]:
    work = workload()
    return work, _masked(work.candidate())


def _stopped_after(count: int, steps: Steps[Candidate]) -> Any:
    """What a technique returns when it is stopped at its so-many-th step, `_NOTHING` where it raises."""
    try:
        for _ in range(count):
            next(steps)
        steps.throw(Stopped())
        for _ in steps:
            pass
    except StopIteration as end:
        return end.value
    except Stopped:
        return _NOTHING
    raise AssertionError("a technique that was stopped never ends")


def _assert_whole(candidate: Any, work: Workload, who: str) -> None:
    assert isinstance(candidate, Candidate), f"{who} returns {type(candidate).__name__}, not a candidate"
    model = candidate.model
    assert not any(each.training for each in model.modules()), f"{who} returns a model in train mode"
    assert _hooks(model) == 0, f"{who} leaves hooks on its result"
    assert all(each.is_leaf and each.grad is None for each in model.parameters()), f"{who} leaves gradients"
    for name in candidate.constraints:
        weight = model.get_parameter(name).detach()
        satisfied = torch.equal(candidate.constraints.constrain(name, weight), weight)
        assert satisfied, f"{who} returns a {name} that does not satisfy its constraints"
    inputs, _ = work.test.first()
    outputs = candidate.call(work, inputs)
    assert bool(torch.isfinite(outputs).all()), f"{who} returns a model whose outputs are no numbers"


def _hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def _everything(candidate: Candidate) -> dict[str, Any]:
    """A copy of all there is to a candidate: tensors, constraints, free weights, modes, hooks."""
    model = candidate.model
    found: dict[str, Any] = {f"tensor {k}": v.detach().clone() for k, v in model.state_dict().items()}
    found |= {f"free {name}": tensor.detach().clone() for name, tensor in candidate.latent.items()}
    held = [(name, each) for name, chain in candidate.constraints.items() for each in chain]
    for name, each in [*held, *candidate.activations.items()]:
        found |= {f"{name} {type(each).__name__} {k}": _copied(v) for k, v in vars(each).items()}
    modes = {path: (type(each).__name__, each.training) for path, each in model.named_modules()}
    gradients = [name for name, each in model.named_parameters() if each.grad is not None]
    return found | {"modes": modes, "hooks": _hooks(model), "gradients": gradients}


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _agree(a: dict[str, Any], b: dict[str, Any]) -> bool:
    def same(x: Any, y: Any) -> bool:
        return torch.equal(x, y) if isinstance(x, Tensor) and isinstance(y, Tensor) else bool(x == y)

    return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)


def _outside(option: Option) -> Iterator[Any]:
    """Values that an option must refuse."""
    wrap: Callable[[Any], Any] = (lambda value: {"layer": value}) if option.kind == "layers" else lambda v: v
    if option.kind in ("float", "int", "layers"):
        yield from (wrap(value) for value in ("much", True, float("nan"), float("inf"), [1]))
        yield from (wrap(low - 1) for low in (option.low,) if low is not None)
        yield from (wrap(high + 1) for high in (option.high,) if high is not None)
        yield from (wrap(above) for above in (option.above,) if above is not None)
    if option.kind == "int" or option.is_whole:
        yield wrap((option.low or 0) + 0.5)
    if option.kind == "choice":
        yield from ("no such choice", -12345, object())
    if option.kind == "bool":
        yield from (1, "yes", None)
    if option.kind in ("text", "names", "reference"):
        yield from (12345, object())
    if not option.optional:
        yield None


def _neighbors(step: Technique) -> Iterator[Technique]:
    """The same step with one option changed that `prepared_by` does not name, where that is allowed."""
    for each in describe(step):
        if each.name in step.prepared_by:
            continue
        value = getattr(step, each.name)
        for other in _others(each, value):
            try:
                yield step.replace(**{each.name: other})
            except WorkbenchError:
                continue  # options may depend on each other


def _others(option: Option, value: Any) -> list[Any]:
    if option.kind == "choice":
        return [choice for choice in option.choices or () if choice != value]
    if option.kind == "bool":
        return [not value]
    if option.kind not in ("float", "int") or value is None:
        return []
    step = option.step or (1 if option.kind == "int" else 0.1)
    return [value - step, value + step]
