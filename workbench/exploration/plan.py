"""What a scan is to try: which technique, over which strengths, in which layers; checked before it begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import RecipeError, WorkloadError, listed, nearest, shown
from workbench.exploration.records import LEAVE, ONE_OUT
from workbench.options import Option, describe
from workbench.recipe import Recipe
from workbench.technique import Technique, find

if TYPE_CHECKING:
    from torch import nn

_WITHOUT_STRENGTHS = ("text", "names", "layers", "reference")  # kinds of options that are not more or less
_PARTS = (0.25, 0.5, 0.75)  # of an option's range, where a technique names no strengths


@dataclass(frozen=True)
class Plan:
    """The points of a scan.

    Attributes:
        step: the technique with the options that are not varied.
        option: the one that is varied, None where the technique has none that goes from weak to strong.
        strengths: its values, weak to strong; `(None,)` without an option.
        layers: in the model's order. everywhere: all layers of the model that have weights.
        leave: `all-others` alone, or `one-out`.
    """

    step: Technique
    option: Option | None
    strengths: tuple[Any, ...]
    layers: tuple[str, ...]
    everywhere: frozenset[str]
    leave: str

    @classmethod
    def of(
        cls,
        model: nn.Module,
        technique: Technique | type[Technique] | Recipe | str,
        strengths: Iterable[Any] | float | None,
        layers: Iterable[str] | str | None,
        leave: str,
    ) -> Plan:
        """The plan for a model.

        Raises:
            RecipeError, OptionError, WorkloadError: one line that says what to write instead.
        """
        step = one(technique)
        if leave not in LEAVE:
            raise RecipeError(f"leave must be {listed(map(repr, LEAVE))}, got {shown(leave)}")
        option = varied(step)
        tried = _strengths(step, option, strengths)
        there = _layers(model)
        asked = _asked(model, there, layers)
        if leave == ONE_OUT and len(there) < 2:
            raise WorkloadError(
                f"the model has one layer with weights, {there[0]}: leaving it out leaves none; use "
                "leave='all-others'"
            )
        return cls(step, option, tried, asked, frozenset(there), leave)

    @property
    def points(self) -> list[tuple[str, Any]]:
        """Layers and strengths in the order they are tried: the strongest in every layer first, so that a
        scan that is stopped has compared the layers where they differ most."""
        return [(layer, strength) for strength in reversed(self.strengths) for layer in self.layers]

    def at(self, strength: Any) -> Technique:
        """The technique at a strength."""
        return self.step if self.option is None else self.step.replace(**{self.option.name: strength})

    def only(self, layer: str) -> frozenset[str]:
        """The layers that may be touched at a point."""
        return self.everywhere - {layer} if self.leave == ONE_OUT else frozenset({layer})


def varied(step: Technique | type[Technique]) -> Option | None:
    """The option that a scan varies: the first one, where its values go from weak to strong."""
    first = next(iter(describe(step)), None)
    return first if first is not None and first.kind not in _WITHOUT_STRENGTHS else None


def derived(option: Option) -> tuple[Any, ...]:
    """Values of an option that spread over its range; its default where it has no two ends."""
    if option.choices is not None:
        return option.choices
    if option.kind == "bool":
        return (True,)
    low = option.low if option.low is not None else option.above
    if low is None or option.high is None:
        return (option.default,)
    if option.log and low > 0:
        found = [low * (option.high / low) ** part for part in _PARTS]
    else:
        found = [low + (option.high - low) * part for part in _PARTS]
    return tuple(dict.fromkeys(round(each) for each in found)) if option.kind == "int" else tuple(found)


def one(technique: Technique | type[Technique] | Recipe | str) -> Technique:
    """The technique meant, which must not train: a scan compares models as they are."""
    if isinstance(technique, type) and issubclass(technique, Technique):
        technique = technique()
    if isinstance(technique, str) and "(" not in technique:
        technique = find(technique.strip())()
    recipe = Recipe.of(technique)
    if len(recipe) != 1:
        raise RecipeError(f"a scan takes one technique, got {len(recipe)}: {shown(str(recipe))}")
    (step,) = recipe
    name = type(step).__name__
    if step.trains:
        raise RecipeError(f"{name} trains, and a scan does not; scan what it follows, like PruneWeights")
    if why := step.needs_training():
        raise RecipeError(f"{step} {why}, and a scan does not train; scan it without that option")
    return step


def _strengths(
    step: Technique, option: Option | None, given: Iterable[Any] | float | None
) -> tuple[Any, ...]:
    if option is None:
        if given is not None:
            raise RecipeError(f"{type(step).__name__} has no option that goes from weak to strong")
        return (None,)
    if given is None:
        given = type(step).strengths or derived(option)
    elif isinstance(given, (int, float, str)):
        given = (given,)
    # checked, and in the option's own type: 4.0 bits are 4
    tried = (getattr(step.replace(**{option.name: each}), option.name) for each in given)
    if not (found := tuple(dict.fromkeys(tried))):
        raise RecipeError(f"strengths names no value of {option.name}; give some: strengths=[...]")
    return found


def _layers(model: nn.Module) -> list[str]:
    from workbench.layers import weights

    found = list(dict.fromkeys(each.layer for each in weights(model)))
    if not found:
        raise WorkloadError("the model has no layers with weights to compress")
    return found


def _asked(model: nn.Module, there: list[str], layers: Iterable[str] | str | None) -> tuple[str, ...]:
    if layers is None:
        return tuple(there)
    names = [layers] if isinstance(layers, str) else list(layers)
    paths = [path for path, _ in model.named_modules() if path]  # a technique may work on whole blocks
    for name in names:
        if name not in there and name not in paths:
            raise RecipeError(
                f"no layer named {shown(name)}{nearest(str(name), there)} (there are: {listed(there)})"
            )
    if not names:
        raise RecipeError(f"layers names no layer (there are: {listed(there)})")
    return tuple(sorted(set(names), key=[*there, *paths].index))
