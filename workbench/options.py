"""A config field described once: its default, range, unit and help.

Sliders, flags, error texts, the reference table and the contract tests read the description here.
Nothing in this file needs torch.
"""

from __future__ import annotations

import dataclasses
import functools
import keyword
import math
import numbers
import typing
from collections.abc import Mapping
from typing import Any

from workbench.errors import OptionError, listed, nearest, shown

_DESCRIPTION = "workbench.option"
# what may be given itself in the place of a variable's name: by name, since torch is not loaded here
_NETS = {"Module": "torch.nn.", "Version": "workbench.", "Candidate": "workbench."}


@dataclasses.dataclass(frozen=True)
class Reference:
    """A bare name in a recipe: it prints as itself and is looked up where the recipe runs.

    `value` is what it stands for where that was given itself (`Distill(student=Net2())`): it is not printed,
    and the name alone is what a text, a file or a comparison keeps.
    """

    name: str
    value: Any = dataclasses.field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        is_name = isinstance(self.name, str) and self.name.isidentifier()
        if not is_name or keyword.iskeyword(self.name):
            raise OptionError(f"a reference is a variable's name, got {shown(self.name)}")

    def __str__(self) -> str:
        return self.name

    __repr__ = __str__


@dataclasses.dataclass(frozen=True)
class Option:
    """One field of a technique's config, in neutral words.

    `kind` is "float", "int", "bool", "choice", "text", "names" (several layer names), "layers" (a
    mapping from layer name to value) or "reference" (a text or a bare variable name). `choices` of
    "layers" are the only names they may have, those of a "reference" the texts that are offered.
    `low` and `high` are inclusive bounds, `above` an exclusive lower one. `advanced` options are folded
    away in panels. An `optional` option may also be None. `is_whole` layers have whole numbers as values.
    `role` is what an option with layer names does to a layer it names: `own` gives it a value of its own,
    `leave` leaves it alone, `only` leaves all others alone; empty where it is none of these.
    """

    name: str
    kind: str
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[Any, ...] | None = None
    unit: str = ""
    step: float | None = None
    log: bool = False
    advanced: bool = False
    optional: bool = False
    is_whole: bool = False
    role: str = ""

    def check(self, value: Any) -> Any:
        """`value` in the option's own type.

        Raises:
            OptionError: one line with the range, and how to write what was probably meant.
        """
        if value is None and self.optional:
            return None
        return _CHECKS[self.kind](self, value)

    @property
    def range(self) -> str:
        """The allowed values in words: `0 to 1`, `2 to 16`, `channel, tensor`."""
        if self.choices is not None and self.kind != "layers":
            return listed(str(choice) for choice in self.choices)
        if self.low is not None and self.high is not None:
            return f"{_number(self.low)} to {_number(self.high)}"
        if self.above is not None:
            top = f", at most {_number(self.high)}" if self.high is not None else ""
            return f"above {_number(self.above)}{top}"
        if self.low is not None:
            return f"at least {_number(self.low)}"
        if self.high is not None:
            return f"at most {_number(self.high)}"
        return {"bool": "True, False", "text": "text"}.get(self.kind, "any")


def option(
    default: Any,
    help: str,
    *,
    kind: str | None = None,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[Any, ...] | None = None,
    unit: str = "",
    step: float | None = None,
    log: bool = False,
    advanced: bool = False,
    role: str | None = None,
) -> Any:
    """A dataclass field that carries its own description; see `Option` for the words.

    `kind` is taken from the field's type where it is not given, and `role` from its kind and name: values by
    layer are layers' own, and `keep` leaves layers alone.
    """
    description = {
        "help": help,
        "kind": kind,
        "low": low,
        "high": high,
        "above": above,
        "choices": tuple(choices) if choices is not None else None,
        "unit": unit,
        "step": step,
        "log": log,
        "advanced": advanced,
        "role": role,
    }
    metadata = {_DESCRIPTION: description}
    if isinstance(default, Mapping):
        frozen = dict(default)
        return dataclasses.field(default_factory=lambda: dict(frozen), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def describe(config: Any) -> tuple[Option, ...]:
    """The options of a config class or instance, in the order they were declared."""
    return _described_class(config if isinstance(config, type) else type(config))


@functools.lru_cache(maxsize=512)  # every recipe that is written asks; type hints take milliseconds
def _described_class(cls: type) -> tuple[Option, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        _described(field, hints[field.name]) for field in dataclasses.fields(cls) if is_described(field)
    )


def is_described(field: dataclasses.Field[Any]) -> bool:
    """Whether a field of a config was declared with `option(...)`."""
    return _DESCRIPTION in field.metadata


def check_all(config: Any) -> None:
    """Check and normalise every field of a frozen config in place (called once, when it is made)."""
    for each in describe(config):
        object.__setattr__(config, each.name, each.check(getattr(config, each.name)))


def option_named(config: Any, name: str) -> Option:
    """The option called `name`.

    Raises:
        OptionError: there is none; the line lists those there are and the nearest.
    """
    options = {each.name: each for each in describe(config)}
    if name not in options:
        cls = config if isinstance(config, type) else type(config)
        raise OptionError(
            f"{cls.__name__} has no option {shown(name)}{nearest(name, options)} (it has: {listed(options)})"
        )
    return options[name]


def _described(field: dataclasses.Field[Any], hint: Any) -> Option:
    description = dict(field.metadata[_DESCRIPTION])
    optional = type(None) in typing.get_args(hint)
    kind = description.pop("kind") or _kind_of(hint, description["choices"])
    default = field.default_factory() if field.default is dataclasses.MISSING else field.default  # type: ignore[misc]
    is_whole = kind == "layers" and int in typing.get_args(hint)
    if (role := description.pop("role")) is None:
        role = _role_of(field.name, kind, description["choices"])
    return Option(
        name=field.name,
        kind=kind,
        default=default,
        optional=optional,
        is_whole=is_whole,
        role=role,
        **description,
    )


def _role_of(name: str, kind: str, choices: tuple[Any, ...] | None) -> str:
    if kind == "layers":
        return "own" if choices is None else ""  # with choices, its names are not those of layers
    return "leave" if kind == "names" and name == "keep" else ""


def _kind_of(hint: Any, choices: tuple[Any, ...] | None) -> str:
    if choices is not None:
        return "choice"
    members = [each for each in (typing.get_args(hint) or (hint,)) if each is not type(None)]
    origin = typing.get_origin(hint)
    if origin in (dict, Mapping) or any(typing.get_origin(each) in (dict, Mapping) for each in members):
        return "layers"
    if origin is tuple or any(typing.get_origin(each) is tuple for each in members):
        return "names"
    if Reference in members:
        return "reference"
    for candidate, kind in ((bool, "bool"), (int, "int"), (float, "float"), (str, "text")):
        if members == [candidate]:
            return kind
    raise TypeError(f"an option of type {hint!r} needs an explicit kind")


def _check_number(option: Option, value: Any, whole: bool) -> float | int:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):  # NumPy's numbers are real, too
        raise OptionError(f"{option.name} must be a number ({option.range}), got {shown(value)}")
    if not _is_finite(value):
        raise OptionError(f"{option.name} must be a finite number ({option.range}), got {shown(value)}")
    if whole and value != int(value):
        raise OptionError(f"{option.name} must be a whole number ({option.range}), got {value}")
    number = int(value) if whole else float(value)
    too_low = (option.low is not None and number < option.low) or (
        option.above is not None and number <= option.above
    )
    if too_low or (option.high is not None and number > option.high):
        raise OptionError(f"{option.name} must {_between(option)}, got {value}{_hint(option, value)}")
    return number


def _is_finite(value: numbers.Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _between(option: Option) -> str:
    if option.low is not None and option.high is not None:
        return f"lie between {_number(option.low)} and {_number(option.high)}"
    if option.above is not None:
        top = f" and at most {_number(option.high)}" if option.high is not None else ""
        return f"lie above {_number(option.above)}{top}"
    return f"be {option.range}"


def _hint(option: Option, value: float) -> str:
    """What was probably meant: 80 for a share is 80 %."""
    is_share = option.kind in ("float", "layers") and option.high == 1
    return f"; for {_number(value)} % write {_number(value / 100)}" if is_share and 1 < value <= 100 else ""


def _check_float(option: Option, value: Any) -> float:
    return float(_check_number(option, value, whole=False))


def _check_int(option: Option, value: Any) -> int:
    return int(_check_number(option, value, whole=True))


def _check_bool(option: Option, value: Any) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"{option.name} must be True or False, got {shown(value)}")
    return value


def _check_choice(option: Option, value: Any) -> Any:
    choices = option.choices or ()
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    near = nearest(value, map(str, choices)) if isinstance(value, str) else ""
    raise OptionError(f"{option.name} must be one of {listed(map(repr, choices))}, got {shown(value)}{near}")


def _check_text(option: Option, value: Any) -> str:
    if not isinstance(value, str):
        raise OptionError(f"{option.name} must be a text, got {shown(value)}")
    return value


def _check_names(option: Option, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, (tuple, list)):
        write = f"; write [{shown(value)}]" if isinstance(value, str) else ""
        raise OptionError(f"{option.name} must be a list of layer names, got {shown(value)}{write}")
    if not all(isinstance(each, str) for each in value):
        raise OptionError(f"{option.name} must be a list of layer names, got {shown(value)}")
    return tuple(value)


def _check_layers(option: Option, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value):
        raise OptionError(
            f"{option.name} must map layer names to values, got {shown(value)}; write {{'fc1': 0.5}}"
        )
    checked = {}
    for name, number in value.items():
        if option.choices is not None and name not in option.choices:
            near = nearest(name, option.choices)
            raise OptionError(
                f"{option.name} has no {shown(name)}{near} (there are: {listed(option.choices)})"
            )
        try:
            checked[name] = _check_number(option, number, whole=option.is_whole)
        except OptionError as error:
            what = "layer " if option.choices is None else ""
            raise OptionError(f"{error} (for {what}{shown(name)})") from None
    return checked


def _check_reference(option: Option, value: Any) -> str | Reference:
    if isinstance(value, (str, Reference)):
        return value
    if any(
        cls.__name__ in _NETS and cls.__module__.startswith(_NETS[cls.__name__])
        for cls in type(value).__mro__
    ):
        name = type(value).__name__.lower()
        return Reference(name if name.isidentifier() and not keyword.iskeyword(name) else "net", value)
    raise OptionError(f"{option.name} must be a text or the name of a variable, got {shown(value)}")


def _number(value: float | None) -> str:
    return f"{value:g}" if value is not None else ""


_CHECKS = {
    "float": _check_float,
    "int": _check_int,
    "bool": _check_bool,
    "choice": _check_choice,
    "text": _check_text,
    "names": _check_names,
    "layers": _check_layers,
    "reference": _check_reference,
}
