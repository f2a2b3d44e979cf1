"""A line of `%compress` as a record: which verb or model, which recipe, which flags. Nothing is looked up.

Short flags become parts of the recipe in the order written; they are derived from the techniques.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from workbench.errors import listed, nearest
from workbench.magics import verbs
from workbench.magics.errors import CompressError
from workbench.magics.grammar import FLAGS, RUN, SPLITS
from workbench.magics.words import Word, split


@dataclass(frozen=True)
class Part:
    """A piece of a recipe: "text" as written, "cell" (text or YAML), "file" (its path), or a "flag"."""

    kind: str
    text: str
    flag: str = ""


@dataclass(frozen=True)
class Request:
    """What a line asks for.

    Attributes:
        verb: "" where a model comes first.
        words: what follows the verb; for a line without one, the model (at most one word).
        parts: the pieces of the recipe, in the order written.
        flags: what was written after each flag, quotes taken off.
    """

    verb: str = ""
    words: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    flags: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The name of the model, "" where none was written."""
        return self.flags.get("--model") or (self.words[0] if self.words else "")

    @property
    def data(self) -> dict[str, str]:
        """The data flags by split: `{"validation": "val_loader"}`."""
        return {split: self.flags[f"--{split}"] for split in SPLITS if f"--{split}" in self.flags}

    def number(self, flag: str, default: int) -> int:
        """A flag's value as a whole number."""
        text = self.flags.get(flag, str(default))
        try:
            return int(text)
        except ValueError:
            raise CompressError(f"{flag} takes a whole number, got {text!r}") from None


def parse(line: str, cell: str | None = None) -> Request:
    """What a line, and the body of the cell under it, ask for.

    Raises:
        CompressError: an unknown flag, a flag without a value, words that fit nowhere.
    """
    words = split(line)
    if any(each.text in ("--help", "-h") for each in words):
        return Request("help", tuple(each.text for each in words[:1] if each.text in verbs.names()))
    pieces = list(_pieces(words))
    first = next((word.text for flag, word in pieces if not flag), "")
    if first in verbs.names():
        return _for_verb(first, pieces, cell)
    return _for_run(pieces, cell)


def _pieces(words: tuple[Word, ...]) -> Iterator[tuple[str, Word]]:
    """The words as `(flag, value)`, flag "" for a word that is not a flag's value."""
    rest = iter(words)
    for word in rest:
        if not word.is_flag:
            if word.text.startswith("-") and word.text[1:2].isalpha():
                raise CompressError(f"flags are written with two dashes and in full, got {word.text}")
            yield "", word
            continue
        name, equals, value = word.text.partition("=")
        following = Word(value, word.start) if equals else next(rest, None)
        if following is None or (following.is_flag and not equals) or not following.text:
            raise CompressError(f"{name} needs a value: {name} {_example(name)}")
        yield name, following


def _example(flag: str) -> str:
    """What could be written after a flag."""
    from workbench.options import describe
    from workbench.technique import short_flags

    if flag in FLAGS:
        return FLAGS[flag].metavar
    cls = short_flags().get(flag)
    return str(describe(cls)[0].default) if cls else "VALUE"


def _for_verb(name: str, pieces: list[tuple[str, Word]], cell: str | None) -> Request:
    verb = verbs.find(name)
    if cell is not None and cell.strip():
        raise CompressError(f"{name} takes no cell body; write it in a line: %compress {verb.usage}")
    words, flags = [], {}
    for flag, word in pieces:
        if not flag:
            words.append(word.value)
        elif flag in verb.flags:
            flags[flag] = _once(flag, word, flags)
        else:
            has = f"it has: {listed(verb.flags)}" if verb.flags else f"write %compress {verb.usage}"
            raise CompressError(f"{name} has no flag {flag}; {has}")
    request = Request(name, tuple(words[1:]), flags=flags)
    if "--model" in flags and verb.words[:1] in (("model",), ("version",)):
        request = replace(request, words=(flags["--model"], *request.words))
    if len(request.words) > len(verb.words):
        extra = request.words[len(verb.words)]
        raise CompressError(f"{name} does not know what to do with {extra!r}: %compress {verb.usage}")
    if len(request.words) < verb.required:
        raise CompressError(f"{name} needs more words: %compress {verb.usage}")
    return request


def _for_run(pieces: list[tuple[str, Word]], cell: str | None) -> Request:
    model: tuple[str, ...] = ()
    parts: list[Part] = []
    flags: dict[str, str] = {}
    has_model = any(flag == "--model" for flag, _ in pieces)
    for flag, word in pieces:
        if flag == "--recipe":
            parts.append(Part("file", word.value))
        elif flag in RUN:
            flags[flag] = _once(flag, word, flags)
        elif flag:
            parts.append(Part("flag", word.text, _known(flag)))
        elif not (has_model or model or parts or _is_recipe(word.text)):
            model = (word.value,)
        elif parts and parts[-1].kind == "text":
            parts[-1] = Part("text", f"{parts[-1].text} {word.text}")
        else:
            parts.append(Part("text", word.text))
    if cell is not None and cell.strip():
        parts.append(Part("cell", cell))
    return Request("", model, tuple(parts), flags)


def _once(flag: str, word: Word, flags: Mapping[str, str]) -> str:
    if flag in flags:
        raise CompressError(f"{flag} is given twice: {flags[flag]} and {word.value}")
    return word.value


def _is_recipe(text: str) -> bool:
    """Whether a first word begins a recipe, so that the model was left out."""
    from workbench.technique import techniques

    return "(" in text or text == "|" or text in techniques()


def _known(flag: str) -> str:
    """The flag, if it is one of the techniques' short flags or options."""
    from workbench.options import describe
    from workbench.technique import short_flags

    short = short_flags()
    options = {f"--{each.name.replace('_', '-')}" for cls in short.values() for each in describe(cls)}
    if flag not in short and flag not in options:
        known = [*short, *RUN, *sorted(options)]
        where = f"; {flag} belongs to measure and compare" if flag in FLAGS else nearest(flag, known)
        raise CompressError(f"no flag {flag}{where} (short flags: {listed(short)}; others: {listed(RUN)})")
    return flag
