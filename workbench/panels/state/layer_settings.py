"""What a recipe's steps say of one layer, and how to say it: a value of its own, or to leave it alone.

Read from the technique's declaration: an option's `role` says what it does to a layer that it names. Nothing
here knows a technique, or a widget.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.options import Option, describe
from workbench.panels.state.steps import Draft, Step
from workbench.technique import Technique

OWN, LEAVE, ONLY = "own", "leave", "only"
Shapes = Mapping[str, tuple[int, ...]]  # of the weights of the layers that a step can touch


@dataclass(frozen=True)
class Setting:
    """What one step of a draft says of one layer.

    Attributes:
        step: its id in the draft. technique: its name. family: of it.
        names: what the layer has become by that step: itself, or the thin layers it was split into.
        own: the control of a value of its own, in words and range; None where the technique has none.
        value: its own value, None where it has that of all others; usual: what it would begin with.
        can_leave: whether the step can be told to leave it alone. is_left: whether it is.
        everywhere: all layers that the step can touch.
        reason: why there is nothing to set; empty where there is.
    """

    step: int
    technique: str
    family: str
    names: tuple[str, ...] = ()
    own: Option | None = None
    value: float | None = None
    usual: float | None = None
    can_leave: bool = False
    is_left: bool = False
    everywhere: tuple[str, ...] = ()
    reason: str = ""


def settings(draft: Draft, layer: str, there: Callable[[int], Shapes | None]) -> tuple[Setting, ...]:
    """One record for each step that is switched on.

    Args:
        there: the layers before the step of that place among those switched on; None where nobody can tell.
    """
    on = [step for step in draft.steps if step.is_on]
    return tuple(_setting(step, layer, there(place)) for place, step in enumerate(on))


def with_own(technique: Technique, setting: Setting, value: float | None) -> dict[str, Any]:
    """The options that give the layer this value of its own; that of all others with None."""
    changes = _left(technique, setting, False) if value is not None and setting.is_left else {}
    if (option := _option(technique, OWN)) is None:
        return changes
    others = {n: v for n, v in getattr(technique, option.name).items() if not _is_any(n, setting.names)}
    mine = dict.fromkeys(setting.names, value) if value is not None else {}
    return {**changes, option.name: {**others, **mine}}


def left_alone(technique: Technique, setting: Setting, is_left: bool) -> dict[str, Any]:
    """The options with which the step leaves the layer alone, or does not; a value of its own goes."""
    own = with_own(technique, setting, None) if is_left and setting.value is not None else {}
    return {**own, **_left(technique, setting, is_left)}


def for_all(technique: Technique) -> Technique:
    """The technique without what it says of single layers."""
    return technique.replace(**{each.name: each.default for each in describe(technique) if each.role})


def said(draft: Draft, layer: str) -> str:
    """`PruneWeights: 0.5 · Quantize: left alone`: what the recipe says of this layer and not of all."""
    told = []
    for step in draft.steps:
        if step.is_on and (words := _words(step.technique, layer)):
            told.append(f"{type(step.technique).__name__}: {words}")
    return " · ".join(told)


def _setting(step: Step, layer: str, shapes: Shapes | None) -> Setting:
    technique = step.technique
    name = type(technique).__name__
    blank = Setting(step.id, name, technique.family)
    roles = {option.role for option in describe(technique)} - {""}
    if not roles:
        return replace(blank, reason=f"{name} has no setting for single layers")
    if shapes is None:
        return replace(blank, reason="the layers that there are by this step are not known yet")
    names = tuple(each for each in shapes if covers(layer, each))
    if not names:
        return replace(blank, reason="by this step it has no weights of its own to compress")
    own = _own_option(technique, [shapes[each] for each in names])
    is_left = _is_left(technique, names)
    can_leave = LEAVE in roles or is_left or (ONLY in roles and _has_others(technique, names, shapes))
    return replace(
        blank,
        names=names,
        own=own,
        value=_own_value(technique, names),
        usual=own.default if own is not None else None,
        can_leave=can_leave,
        is_left=is_left,
        everywhere=tuple(shapes),
        reason="" if own or can_leave else "it is the only layer that this step can touch",
    )


def covers(outer: str, inner: str) -> bool:
    """Whether a name means a layer: its path, or that of what holds it."""
    return inner == outer or inner.startswith(f"{outer}.")


def _is_any(name: str, layers: Iterable[str]) -> bool:
    return any(covers(name, each) or covers(each, name) for each in layers)


def _option(technique: Technique, role: str) -> Option | None:
    return next((each for each in describe(technique) if each.role == role), None)


def _own_option(technique: Technique, shapes: Collection[tuple[int, ...]]) -> Option | None:
    """The control of one value: the range of the option, the steps and the name of the one it overrides."""
    if (option := _option(technique, OWN)) is None:
        return None
    usual = describe(technique)[0]
    is_same = (usual.low, usual.high) == (option.low, option.high) and usual.kind in ("int", "float")
    ranges = [technique.own_range(option.name, shape) for shape in shapes]
    low = max((low for low, _, _ in ranges if low is not None), default=option.low)
    high = min((high for _, high, _ in ranges if high is not None), default=option.high)
    start = min((start for _, _, start in ranges if start is not None), default=None)
    if is_same:
        start = getattr(technique, usual.name)
    elif start is None:
        start = low if high is None or low is None else (low + high) / 2
    return replace(
        option,
        name=usual.name if is_same else option.name.removesuffix("s"),
        kind="int" if option.is_whole else "float",
        default=round(start) if option.is_whole and start is not None else start,
        low=low,
        high=high,
        step=usual.step if is_same else (1 if option.is_whole else None),
        log=False,
        optional=False,
        advanced=False,
        role="",
    )


def _own_value(technique: Technique, names: tuple[str, ...]) -> float | None:
    """The value of its own that a layer has; of the longest name that means it, which decides."""
    if (option := _option(technique, OWN)) is None:
        return None
    values = getattr(technique, option.name)
    found = sorted((name for name in values if any(covers(name, each) for each in names)), key=len)
    return values[found[-1]] if found else None


def _is_left(technique: Technique, names: tuple[str, ...]) -> bool:
    left, only = _option(technique, LEAVE), _option(technique, ONLY)
    if left is not None:
        given = getattr(technique, left.name)
        return all(any(covers(name, each) for name in given) for each in names)
    if only is not None and (given := getattr(technique, only.name)):
        return not any(each in given for each in names)
    return False


def _has_others(technique: Technique, names: tuple[str, ...], shapes: Shapes) -> bool:
    """Whether an `only` option would have layers left without these."""
    option = _option(technique, ONLY)
    given = getattr(technique, option.name) if option is not None else ()
    return bool(set(given or shapes) - set(names))


def _left(technique: Technique, setting: Setting, is_left: bool) -> dict[str, Any]:
    """The option that names layers to leave alone, or the only others, with this layer in or out."""
    mine, every = setting.names, setting.everywhere
    if (option := _option(technique, LEAVE)) is not None:
        given = getattr(technique, option.name)
        if is_left:
            return {option.name: tuple(dict.fromkeys((*given, *mine)))}
        wide = [name for name in given if any(covers(name, each) for each in mine)]
        # a name that means other layers, too, is spelt out as those
        beside = [each for each in every if each not in mine and any(covers(name, each) for name in wide)]
        return {option.name: tuple(dict.fromkeys((*(n for n in given if n not in wide), *beside)))}
    if (option := _option(technique, ONLY)) is not None:
        given = getattr(technique, option.name) or every
        wanted = set(given) - set(mine) if is_left else {*given, *mine}
        return {option.name: () if wanted >= set(every) else tuple(n for n in every if n in wanted)}
    return {}


def _words(technique: Technique, layer: str) -> str:
    for option in describe(technique):
        if not option.role:
            continue
        given = getattr(technique, option.name)
        named = [name for name in given if covers(name, layer) or covers(layer, name)]
        if (option.role == LEAVE and named) or (option.role == ONLY and given and not named):
            return "left alone"
        if option.role == OWN and named:
            return f"{given[max(named, key=len)]:g} {option.unit}".strip()
    return ""
