"""The pieces of a recipe put together in the order written: text, short flags, a cell's body, a file.

`--bits 4` is the technique that declares it, with its first option; `--granularity tensor` after it is a
further option of the same technique. Each short flag begins a step, so that one may be written twice.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import OptionError, listed
from workbench.magics.arguments import Part
from workbench.magics.errors import CompressError
from workbench.magics.words import one_line
from workbench.options import Option, Reference, describe
from workbench.recipe import Recipe
from workbench.technique import Technique, short_flags

_LARGEST_FILE = 100_000  # bytes; a recipe is a few lines
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass
class _Draft:
    """A step that flags are still adding options to."""

    cls: type[Technique]
    options: dict[str, Any] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return any(each.name == name for each in describe(self.cls))

    def set(self, flag: str, option: Option, text: str) -> None:
        if option.name in self.options:
            raise CompressError(f"{flag} is given twice for {self.cls.__name__}")
        try:
            self.options[option.name] = option.check(value_of(option, text))
        except OptionError as error:
            raise CompressError(f"{flag} {text}: {error}") from None

    def recipe(self) -> Recipe:
        return Recipe((self.cls(**self.options),))


def recipe_of(parts: Sequence[Part]) -> Recipe:
    """The recipe that the parts of a request stand for; empty where there are none.

    Raises:
        CompressError, RecipeError, OptionError: one line; nothing has been run then.
    """
    made: list[Recipe | _Draft] = []
    for index, part in enumerate(parts):
        if part.kind == "flag":
            _flag(part, made)
            continue
        text = _read(part.text) if part.kind == "file" else part.text
        if part.kind != "text" and _is_yaml(text):
            made.append(Recipe.from_yaml(text))
            continue
        # a recipe may go on after a flag or in the cell's body: `A() |` before it, or `| B()` after it
        text = one_line(text)
        text = text.removeprefix("|") if index else text
        made.append(Recipe.parse(text.removesuffix("|") if index + 1 < len(parts) else text))
    recipe = Recipe()
    for each in made:
        recipe |= each.recipe() if isinstance(each, _Draft) else each
    return recipe


def value_of(option: Option, text: str) -> Any:
    """What a person means by `text` as the value of an option; the option itself checks it.

    Numbers, `'quoted'` texts, lists and mappings are read as literals; nothing is evaluated.
    """
    if option.kind == "bool" and text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    if option.kind == "choice":
        return next((choice for choice in option.choices or () if str(choice) == text.strip("\"'")), text)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    if option.kind == "reference" and text.isidentifier():
        return Reference(text)
    return text.split(",") if option.kind == "names" else text


def _flag(part: Part, made: list[Recipe | _Draft]) -> None:
    """Begin a step with its short flag, or set an option of the nearest step before that has it."""
    if cls := short_flags().get(part.flag):
        draft = _Draft(cls)
        draft.set(part.flag, describe(cls)[0], part.text)
        made.append(draft)
        return
    name = part.flag[2:].replace("-", "_")
    drafts = [each for each in made if isinstance(each, _Draft) and each.has(name)]
    if not drafts:
        owners = {flag: cls for flag, cls in short_flags().items() if _Draft(cls).has(name)}
        spelt = listed(f"{flag} ... {part.flag} {part.text}" for flag in owners)
        whose = listed(cls.__name__ for cls in owners.values())
        raise CompressError(f"{part.flag} is an option of {whose}; write it after its short flag: {spelt}")
    option = next(each for each in describe(drafts[-1].cls) if each.name == name)
    drafts[-1].set(part.flag, option, part.text)


def _is_yaml(text: str) -> bool:
    """Whether this is a list (YAML or JSON) or `name:`, and not techniques joined by `|`."""
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    return first.startswith(("-", "[")) or bool(re.match(r"\w+\s*:", first))


def _read(name: str) -> str:
    path = Path(name).expanduser()
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise CompressError(f"{name} is not a recipe: it has {path.stat().st_size:,} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CompressError(f"{name} is not a recipe: it is not a text file") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise CompressError(f"cannot read the recipe file {name}: {reason}") from None
