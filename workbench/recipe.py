"""Techniques in order, spelt once: Python, the magic's text, the panel's text, YAML and JSON are the same.

Parsing reads names and literals only; nothing is evaluated. Nothing in this file needs torch.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import OptionError, RecipeError
from workbench.options import Reference, describe
from workbench.technique import Technique, find

_REFERENCE = "variable"  # how a reference is spelt in YAML and JSON: {variable: net2}
_LONGEST = 20_000  # characters; a recipe is a line, and Python's parser recurses


@dataclass(frozen=True)
class Recipe:
    """Techniques in the order they are applied, joined by `|`.

    >>> str(Recipe.parse("PruneWeights(0.9) | FineTune(epochs=2)"))
    'PruneWeights(sparsity=0.9) | FineTune(epochs=2)'
    """

    steps: tuple[Technique, ...] = ()

    def __post_init__(self) -> None:
        for step in self.steps:
            if not isinstance(step, Technique):
                raise RecipeError(f"a recipe is made of techniques joined by |, got {_short(step)}")

    @classmethod
    def of(cls, given: Recipe | Technique | str) -> Recipe:
        """The recipe that is meant by a recipe, a single technique or a text."""
        if isinstance(given, Recipe):
            return given
        if isinstance(given, Technique):
            return cls((given,))
        if isinstance(given, str):
            return cls.parse(given)
        raise RecipeError(f"a recipe is techniques joined by |, or their text; got {_short(given)}")

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The recipe a text spells: `PruneWeights(sparsity=0.9) | FineTune(epochs=2)`.

        Raises:
            RecipeError: the text is not a recipe, or names an unknown technique or option.
            OptionError: an option's value is out of range.
        """
        if len(text) > _LONGEST:
            raise RecipeError(f"a recipe has at most {_LONGEST:,} characters, got {len(text):,}")
        if not text.strip():
            return cls()
        try:
            tree = ast.parse(f"({text.strip()}\n)", mode="eval").body
            steps = tuple(_technique(node) for node in _stages(tree))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if isinstance(error, (RecipeError, OptionError)):
                raise
            raise RecipeError(
                f"not a recipe: {_short(text)}; write techniques joined by |, "
                "like PruneWeights(sparsity=0.9) | FineTune(epochs=2)"
            ) from None
        return cls(steps)

    def __str__(self) -> str:
        return " | ".join(map(str, self.steps))

    __repr__ = __str__

    def __or__(self, other: Recipe | Technique) -> Recipe:
        if isinstance(other, (Recipe, Technique)):
            return Recipe(self.steps + Recipe.of(other).steps)
        return NotImplemented

    def __iter__(self) -> Iterator[Technique]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def to_records(self) -> list[dict[str, Any]]:
        """Each step as `{name: options}`, every option written out: later defaults change nothing."""
        return [
            {type(step).__name__: {each.name: _plain(getattr(step, each.name)) for each in describe(step)}}
            for step in self.steps
        ]

    @classmethod
    def from_records(cls, records: Any) -> Recipe:
        """The recipe of a list of names, or of `{name: options}` mappings; see `to_records`."""
        if not isinstance(records, list):
            raise RecipeError(f"a recipe file holds a list of techniques, got {_short(records)}")
        return cls(tuple(_from_record(record) for record in records))

    def to_json(self) -> str:
        """The recipe as JSON, every option written out."""
        return json.dumps(self.to_records())

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe a JSON text holds."""
        try:
            return cls.from_records(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise RecipeError(f"not a recipe in JSON: {error}") from None

    def to_yaml(self) -> str:
        """The recipe as YAML, every option written out."""
        import yaml

        return yaml.safe_dump(self.to_records(), sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The recipe a YAML text holds (safe YAML: no Python objects)."""
        import yaml

        try:
            return cls.from_records(yaml.safe_load(text))
        except (yaml.YAMLError, RecursionError) as error:
            first_line = str(error).split("\n")[0]
            raise RecipeError(f"not a recipe in YAML: {first_line}") from None

    def untrained(self) -> Recipe:
        """The steps before the first one that trains: what a preview can show at once."""
        for index, step in enumerate(self.steps):
            if step.trains:
                return Recipe(self.steps[:index])
        return self


def _stages(node: ast.expr) -> Iterator[ast.expr]:
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _stages(node.left)
        node = node.right
    yield node


def _technique(node: ast.expr) -> Technique:
    if isinstance(node, ast.Name):
        return find(node.id)()
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise RecipeError(
            f"expected a technique like PruneWeights(sparsity=0.9), got {_short(ast.unparse(node))}"
        )
    cls = find(node.func.id)
    if any(keyword.arg is None for keyword in node.keywords):
        raise RecipeError(f"{cls.__name__}: write options out, ** is not read in a recipe")
    positional = [_literal(argument, cls, "") for argument in node.args]
    options = {str(each.arg): _literal(each.value, cls, str(each.arg)) for each in node.keywords}
    return cls(*positional, **options)


def _literal(node: ast.expr, cls: type[Technique], name: str) -> Any:
    if isinstance(node, ast.Name):
        return Reference(node.id)
    try:
        return ast.literal_eval(node)
    except ValueError:
        where = f"{cls.__name__}({name}=...)" if name else cls.__name__
        raise RecipeError(
            f"{where}: a recipe holds numbers, texts and names only, got {_short(ast.unparse(node))}"
        ) from None


def _from_record(record: Any) -> Technique:
    if isinstance(record, str):
        return find(record)()
    if not isinstance(record, Mapping) or len(record) != 1:
        raise RecipeError(f"a step of a recipe file is a name or one 'name: options', got {_short(record)}")
    ((name, options),) = record.items()
    options = {} if options is None else options
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise RecipeError(f"the options of {name} must map names to values, got {_short(options)}")
    return find(str(name))(**{key: _from_plain(value) for key, value in options.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Reference):
        return {_REFERENCE: value.name}
    return list(value) if isinstance(value, tuple) else value


def _from_plain(value: Any) -> Any:
    if isinstance(value, Mapping) and set(value) == {_REFERENCE}:
        return Reference(str(value[_REFERENCE]))
    return value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")
