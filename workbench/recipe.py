"""Techniques in order, spelt once: Python, the magic's text, the panel's text, YAML and JSON are the same.

Parsing reads names and literals only; nothing is evaluated. Nothing in this file needs torch.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import RecipeError, WorkbenchError, shown
from workbench.options import Reference, describe
from workbench.technique import Technique, find

_REFERENCE = "variable"  # how a reference is spelt in YAML and JSON: {variable: net2}
_LONGEST = 20_000  # characters; a recipe is a line, and Python's parser recurses
_LIKE = "PruneWeights(sparsity=0.9) | FineTune(epochs=2)"


@dataclass(frozen=True)
class Recipe:
    """Techniques in the order they are applied, joined by `|`.

    >>> str(Recipe.parse("PruneWeights(0.9) | FineTune(epochs=2)"))
    'PruneWeights(sparsity=0.9) | FineTune(epochs=2)'
    """

    steps: tuple[Technique, ...] = ()

    def __post_init__(self) -> None:
        is_several = isinstance(self.steps, (tuple, list))
        for step in self.steps if is_several else (self.steps,):
            if not isinstance(step, Technique) or not is_several:
                raise RecipeError(f"a recipe is made of techniques joined by |, got {_given(step)}")
        object.__setattr__(self, "steps", tuple(self.steps))

    @classmethod
    def of(cls, given: Recipe | Technique | str) -> Recipe:
        """The recipe that is meant by a recipe, a single technique or a text."""
        if isinstance(given, Recipe):
            return given
        if isinstance(given, Technique):
            return cls((given,))
        if isinstance(given, str):
            return cls.parse(given)
        raise RecipeError(f"a recipe is techniques joined by |, or their text; got {_given(given)}")

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """The recipe a text spells: `PruneWeights(sparsity=0.9) | FineTune(epochs=2)`.

        Raises:
            RecipeError: the text is not a recipe, or names an unknown technique or option.
            OptionError: an option's value is out of range.
        """
        if not isinstance(text, str):
            raise RecipeError(f"a recipe is a text like {_LIKE}, got {_given(text)}")
        if len(text) > _LONGEST:
            raise RecipeError(f"a recipe has at most {_LONGEST:,} characters, got {len(text):,}")
        if not text.strip():
            return cls()
        try:
            return cls(tuple(_technique(node) for node in _stages(_tree(text.strip()))))
        except WorkbenchError:
            raise
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise RecipeError(
                f"not a recipe: {shown(text.strip())}; write techniques joined by |, like {_LIKE}"
            ) from None

    def __str__(self) -> str:
        return " | ".join(map(str, self.steps))

    __repr__ = __str__

    def __or__(self, other: Recipe | Technique) -> Recipe:
        is_class = isinstance(other, type) and issubclass(other, Technique)
        if is_class or isinstance(other, (Recipe, Technique)):
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
            raise RecipeError(f"a recipe file holds a list of techniques, got {shown(records)}")
        return cls(tuple(_from_record(record) for record in records))

    def to_json(self) -> str:
        """The recipe as JSON, every option written out."""
        return json.dumps(self.to_records())

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe a JSON text holds."""
        try:
            records = json.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise RecipeError(f"not a recipe in JSON: {shown(str(error))}") from None
        return cls.from_records(records)

    def to_yaml(self) -> str:
        """The recipe as YAML, every option written out."""
        import yaml

        return yaml.safe_dump(self.to_records(), sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The recipe a YAML text holds (safe YAML: no Python objects)."""
        import yaml

        try:
            records = yaml.safe_load(text)
        except Exception as error:  # its constructors raise whatever an odd scalar makes them raise
            first_line = str(error).split("\n")[0]
            raise RecipeError(f"not a recipe in YAML: {shown(first_line)}") from None
        return cls.from_records(records)

    def untrained(self) -> Recipe:
        """The steps before the first one that trains: what a preview can show at once."""
        for index, step in enumerate(self.steps):
            if step.trains:
                return Recipe(self.steps[:index])
        return self


def _tree(text: str) -> ast.expr:
    """The syntax tree of a text, which may run over several lines."""
    tree = ast.parse(f"({text}\n)", mode="eval").body
    closes_our_bracket = (tree.lineno, tree.col_offset) == (1, 0)  # like "A) | (B"
    if closes_our_bracket and not isinstance(tree, ast.Tuple):
        raise SyntaxError(text)
    return tree


def _stages(tree: ast.expr) -> Iterator[ast.expr]:
    pending = [] if isinstance(tree, ast.Tuple) and not tree.elts else [tree]  # nothing but a comment
    while pending:
        node = pending.pop()
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            pending += [node.right, node.left]
        else:
            yield node


def _technique(node: ast.expr) -> Technique:
    if isinstance(node, ast.Name):
        return find(node.id)()
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise RecipeError(
            f"expected a technique like PruneWeights(sparsity=0.9), got {shown(ast.unparse(node))}"
        )
    cls = find(node.func.id)
    if any(keyword.arg is None for keyword in node.keywords):
        raise RecipeError(f"{cls.__name__}: write options out, ** is not read in a recipe")
    positional = [_literal(argument, cls, "") for argument in node.args]
    options: dict[str, Any] = {}
    for each in node.keywords:
        if each.arg in options:
            raise RecipeError(f"{cls.__name__} got {each.arg} twice")
        options[str(each.arg)] = _literal(each.value, cls, str(each.arg))
    return cls(*positional, **options)


def _literal(node: ast.expr, cls: type[Technique], name: str) -> Any:
    if isinstance(node, ast.Name):
        return Reference(node.id)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        where = f"{cls.__name__}({name}=...)" if name else cls.__name__
        raise RecipeError(
            f"{where}: a recipe holds numbers, texts and names only, got {shown(ast.unparse(node))}"
        ) from None


def _from_record(record: Any) -> Technique:
    if isinstance(record, str):
        return find(record)()
    if not isinstance(record, Mapping) or len(record) != 1:
        raise RecipeError(f"a step of a recipe file is a name or one 'name: options', got {shown(record)}")
    ((name, options),) = record.items()
    options = {} if options is None else options
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise RecipeError(f"the options of {shown(name)} must map names to values, got {shown(options)}")
    cls = find(str(name))
    references = {each.name for each in describe(cls) if each.kind == "reference"}
    return cls(**{key: _from_plain(value, key in references) for key, value in options.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Reference):
        return {_REFERENCE: value.name}
    return list(value) if isinstance(value, tuple) else value


def _from_plain(value: Any, may_be_reference: bool) -> Any:
    if may_be_reference and isinstance(value, Mapping) and set(value) == {_REFERENCE}:
        return Reference(str(value[_REFERENCE]))
    return value


def _given(value: Any) -> str:
    if isinstance(value, type) and issubclass(value, Technique):
        return f"a class: write {value.__name__}()"
    return shown(value)
