"""What a technique is, and the list of those there are.

A technique is one class in one file: a docstring, options described once, and two halves of code.
`prepare` computes what does not depend on the controls and is cached; `apply` is what a slider moves.
Nothing in this file needs torch.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import pkgutil
import warnings
import weakref
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from workbench.errors import RecipeError, listed, nearest, shown
from workbench.options import Reference, check_all, describe, is_described, option

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.job import Progress
    from workbench.recipe import Recipe
    from workbench.workload import Workload

FAMILIES = ("pruning", "quantization", "sharing", "factorization", "distillation", "training")
ENTRY_POINTS = "workbench.techniques"
_PREPARED: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class Context:
    """What a technique may ask for while it works: the workload, a seed of its own, named objects.

    Attributes:
        is_preview: the answer is wanted at once; what takes long is left out, and a note says so.
        only: the layers that may be touched, by module path; None where all may be.
    """

    work: Workload
    seed: int = 0
    names: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_preview: bool = False
    only: frozenset[str] | None = None

    def takes(self, layer: str) -> bool:
        """Whether a layer may be touched."""
        return self.only is None or layer in self.only

    def resolve(self, reference: Reference) -> Any:
        """The object a bare name in the recipe stands for."""
        if reference.value is not None:
            return reference.value
        if reference.name not in self.names:
            near = nearest(reference.name, self.names)
            raise RecipeError(
                f"the recipe names {reference.name!r}, which is not defined here{near}; "
                f"define it in the notebook, or give names={{{reference.name!r}: ...}}"
            )
        return self.names[reference.name]


@dataclass_transform(frozen_default=True, field_specifiers=(option,))
class Technique:
    """One way to compress a model: subclasses are frozen configs whose class name is their public name.

    Class keywords:
        family: one of `FAMILIES`; decides colour and place in menus.
        flag: the short magic flag of the first option (`--sparsity`), at most one per technique.
        trains: True for a step that trains; previews end before it.
        prepared_by: the names of the options that `prepare` depends on.
        strengths: values of the first option from weak to strong, for scans of what hurts; derived from its
            range where there are none.
        couples: True where touching one layer may force others to change; the notes name those then.
    """

    family: ClassVar[str] = ""
    flag: ClassVar[str | None] = None
    trains: ClassVar[bool] = False
    prepared_by: ClassVar[tuple[str, ...]] = ()
    strengths: ClassVar[tuple[Any, ...]] = ()
    couples: ClassVar[bool] = False

    def __init_subclass__(
        cls,
        *,
        family: str,
        flag: str | None = None,
        trains: bool = False,
        prepared_by: tuple[str, ...] = (),
        strengths: tuple[Any, ...] = (),
        couples: bool = False,
        **keywords: Any,
    ) -> None:
        super().__init_subclass__(**keywords)
        if family not in FAMILIES:
            raise TypeError(f"{cls.__name__}: family must be one of {listed(FAMILIES)}, got {family!r}")
        cls.family, cls.flag, cls.trains, cls.prepared_by = family, flag, trains, prepared_by
        cls.strengths, cls.couples = strengths, couples
        doc = cls.__dict__.get("__doc__")
        dataclasses.dataclass(frozen=True, repr=False)(cls)
        cls.__doc__ = doc  # a dataclass without one is given its signature, which is no summary
        for each in dataclasses.fields(cls):  # type: ignore[arg-type]
            if not is_described(each):
                raise TypeError(
                    f"{cls.__name__}.{each.name} must be declared: {each.name}: type = option(...)"
                )
        cls.__hash__ = Technique._hash  # type: ignore[method-assign]  # the generated one fails on mappings
        _first_by_position(cls)

    def __post_init__(self) -> None:
        check_all(self)

    def prepare(self, candidate: Candidate, context: Context) -> Any:
        """What `apply` needs and no slider changes, computed once per candidate and `prepared_by` values."""
        return None

    def apply(
        self, candidate: Candidate, context: Context, prepared: Any
    ) -> Generator[Progress, None, Candidate]:
        """Yield progress, return a new candidate; the one given is never changed.

        A long `apply` catches `workbench.job.Stopped`, puts back what it changed and returns the best so far.
        """
        raise NotImplementedError

    def structure(self, candidate: Candidate, context: Context) -> Candidate | None:
        """What a preview of a step that trains can show at once: a new net before its training, whose size,
        operations and latency are known and whose accuracy is not. None where `candidate` itself is trained.
        """
        return None

    def needs_training(self) -> str:
        """Why a step that trains must follow, in words that go on from the step; empty where none must."""
        return ""

    def own_range(
        self, option: str, shape: tuple[int, ...]
    ) -> tuple[float | None, float | None, float | None]:
        """Between which values an option that gives single layers a value of their own makes sense for a
        weight of this shape, and with which to begin; None for what the declaration knows.
        """
        return None, None, None

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0].rstrip(".")

    def changed(self) -> dict[str, Any]:
        """The options that a reader must see: the first one, and those that differ from their defaults."""
        options = describe(self)
        return {
            each.name: getattr(self, each.name)
            for index, each in enumerate(options)
            if index == 0 or getattr(self, each.name) != each.default
        }

    def replace(self, **changes: Any) -> Technique:
        """The same technique with some options changed (and checked)."""
        return dataclasses.replace(self, **changes)

    def _hash(self) -> int:
        values = (getattr(self, each.name) for each in describe(self))
        return hash((type(self), *(frozenset(v) if isinstance(v, Mapping) else v for v in values)))

    def __or__(self, other: Technique | Recipe) -> Recipe:
        from workbench.recipe import Recipe

        return Recipe((self,)) | other

    def __str__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.changed().items())
        return f"{type(self).__name__}({inner})"

    __repr__ = __str__


def _first_by_position(cls: type[Technique]) -> None:
    """Let only the first option be given by position, and name the nearest option for a wrong one."""
    generated = cls.__init__
    names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]

    @functools.wraps(generated)
    def checked(self: Technique, *args: Any, **options: Any) -> None:
        if len(args) > 1:
            raise RecipeError(
                f"{cls.__name__} takes one value by position, got {len(args)}; name them: {listed(names)}"
            )
        if args and not names:
            raise RecipeError(f"{cls.__name__} takes no options, got {shown(args[0])}")
        if args and names[0] in options:
            raise RecipeError(f"{cls.__name__} got {names[0]} twice")
        for name in options:
            if name not in names:
                raise RecipeError(
                    f"{cls.__name__} has no option {shown(name)}{nearest(name, names)} "
                    f"(it has: {listed(names)})"
                )
        generated(self, *args, **options)

    cls.__init__ = checked  # type: ignore[method-assign]


def prepared(step: Technique, candidate: Candidate, context: Context) -> Any:
    """`step.prepare(candidate, context)`, computed once while the candidate lives."""
    kept = _PREPARED.setdefault(candidate, {})
    # by the seed too, and a preview's apart: it may have been made from fewer samples than a run takes
    key = (context.seed, context.is_preview, settings(step, context.names, step.prepared_by))
    if key not in kept:
        kept[key] = step.prepare(candidate, context)
    return kept[key]


@dataclasses.dataclass(frozen=True, eq=False)
class _Object:
    """A named object as part of a key: equal to itself only, and kept, so that its id stays its own."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Object) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def settings(
    step: Technique, names: Mapping[str, Any], options: tuple[str, ...] | None = None
) -> tuple[Any, ...]:
    """A step's options, all or those named, as a key; what a reference stands for counts, not its name."""
    chosen = options if options is not None else tuple(each.name for each in describe(step))
    values = [getattr(step, name) for name in chosen]
    return (
        type(step),
        *(
            _Object(names.get(v.name) if v.value is None else v.value)
            if isinstance(v, Reference)
            else repr(v)
            for v in values
        ),
    )


def techniques() -> Mapping[str, type[Technique]]:
    """Every technique by its public name, grouped by family: ours, then those of installed plug-ins."""
    found = {**_built_in(), **_plugged_in()}
    return dict(sorted(found.items(), key=lambda item: FAMILIES.index(item[1].family)))


def find(name: str) -> type[Technique]:
    """The technique called `name`.

    Raises:
        RecipeError: there is none; the line names the nearest.
    """
    known = techniques()
    if name not in known:
        near = nearest(name, known)
        raise RecipeError(f"no technique named {shown(name)}{near} (there are: {listed(known)})")
    return known[name]


def short_flags() -> dict[str, type[Technique]]:
    """The short flags of the magics, `--sparsity` and the like, with the technique each one makes."""
    flags: dict[str, type[Technique]] = {}
    for cls in (*_built_in().values(), *_plugged_in().values()):
        if cls.flag:
            flags.setdefault(cls.flag, cls)  # a flag that is taken stays who has it
    return flags


@functools.cache
def _built_in() -> dict[str, type[Technique]]:
    package = importlib.import_module("workbench.techniques")
    found: dict[str, type[Technique]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for value in vars(module).values():
            if _is_technique(value) and value.__module__ == module.__name__:
                found[value.__name__] = value
    return found


@functools.cache
def _plugged_in() -> dict[str, type[Technique]]:
    found: dict[str, type[Technique]] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            value = entry.load()
            trouble = _trouble(value, entry.value, found)
        except (Exception, SystemExit) as error:  # somebody else's package must not break ours
            reason = str(error).split("\n")[0] or type(error).__name__
            trouble = f"the technique {entry.name!r} of {entry.value} could not be loaded: {reason}"
        if trouble:
            warnings.warn(trouble, stacklevel=2)
        else:
            found[value.__name__] = value
    flags = {cls.flag: name for name, cls in _built_in().items() if cls.flag}
    for name, cls in found.items():
        if cls.flag and flags.setdefault(cls.flag, name) != name:
            warnings.warn(f"{name}: its flag {cls.flag} is taken by {flags[cls.flag]}", stacklevel=2)
    return found


def _trouble(value: Any, where: str, found: Mapping[str, Any]) -> str:
    """Why what an entry point gave is not taken as a technique, or nothing."""
    if not _is_technique(value):
        return f"{where} is not a technique: it must subclass workbench.Technique"
    if value.__name__ in _built_in():
        return f"{where}: a technique named {value.__name__} is built in"
    if value.__name__ in found and found[value.__name__] is not value:
        return f"{where}: there are two techniques named {value.__name__}, and the other one is used"
    return ""


def _is_technique(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Technique) and value is not Technique
