"""What could come next in a line or cell of `%compress`: verbs, models, flags, techniques, options, choices.

Everything is read from the verbs, the flags and the techniques' declarations; torch is not imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.magics import verbs
from workbench.magics.grammar import FLAGS, RUN, SPLITS
from workbench.magics.words import Scan, Word, scan
from workbench.options import Option, describe
from workbench.technique import Technique, short_flags, techniques

if TYPE_CHECKING:
    from workbench.magics.namespace import Namespace

_FIXED = {"split": SPLITS, "level": ("packed", "coded"), "leave": ("all-others", "one-out")}
_LINE = re.compile(r"^\s*(?:[\w ,]+=\s*)?%compress\s(.*)$", re.DOTALL)
_CELL = re.compile(r"^\s*%%compress\s(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Match:
    """One thing that could stand where the cursor is; `kind` is shown beside it."""

    text: str
    kind: str


@dataclass(frozen=True)
class Matches:
    """What could replace `fragment`, the text just before the cursor."""

    fragment: str
    found: tuple[Match, ...] = ()


def matcher(identifier: str, names: Callable[[], Namespace]) -> Callable[[Any], Any]:
    """A matcher for IPython's completer (its API of version 2, which sees the whole cell)."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier=identifier, priority=100)  # type: ignore[misc]
    def compress_matcher(context: Any) -> dict[str, Any]:
        lines = context.full_text.split("\n")
        cursor = lines[context.cursor_line][: context.cursor_position]
        before = written("\n".join([*lines[: context.cursor_line], cursor]))
        matches = complete(before, names()) if before is not None else Matches("")
        return {
            "completions": [SimpleCompletion(text=each.text, type=each.kind) for each in matches.found],
            "matched_fragment": matches.fragment,
            "suppress": bool(matches.found),
            "ordered": True,
        }

    return compress_matcher


def written(text: str) -> str | None:
    """What stands between `%compress` or `%%compress` and the cursor; None outside of them."""
    found = _CELL.match(text) or _LINE.match(text.rpartition("\n")[2])
    return found.group(1) if found else None


def complete(before: str, names: Namespace) -> Matches:
    """What could come next after `before`, the text from `%compress` to the cursor."""
    scanned = scan(before)
    if scanned.is_comment:
        return Matches("")
    if scanned.open:
        return _in_brackets(scanned, names)
    is_new = not scanned.words or before[-1].isspace()
    done = scanned.words if is_new else scanned.words[:-1]
    current = "" if is_new else scanned.words[-1].text
    before_it = done[-1].text if done else ""
    if before_it.startswith("--") and "=" not in before_it:
        fragment = current.rpartition(",")[2] if before_it == "--runtimes" else current
        return _matching(fragment, _values(before_it, done, names))
    if current.startswith("-"):
        return _matching(current, (Match(flag, "flag") for flag in _flags(done)))
    return _positional(current, done, names)


def _positional(current: str, done: tuple[Word, ...], names: Namespace) -> Matches:
    """The first word, a verb's next word, or the next technique."""
    words = _without_flags(done)
    has_model = any(each.text.startswith("--model") for each in done)
    if not words and not has_model:
        return _matching(current, [*(Match(each, "verb") for each in verbs.names()), *_models(names)])
    if words and words[0] in verbs.names():
        expected = verbs.find(words[0]).words
        index = len(words) - 1
        return _matching(current, _words(expected[index], names) if index < len(expected) else ())
    fragment = re.search(r"\w*$", current).group()  # type: ignore[union-attr]  # it always matches
    steps = words if has_model else words[1:]
    if not current and steps and not steps[-1].endswith(("|", "-")):
        return Matches("", (Match("| ", "recipe"), *(Match(flag, "flag") for flag in _flags(done))))
    return _matching(fragment, (Match(name, "technique") for name in techniques()))


def _in_brackets(scanned: Scan, names: Namespace) -> Matches:
    """Options of the technique whose bracket is open, or the choices of the option after `=`."""
    current = scanned.words[-1].text
    call = re.search(r"(\w+)\s*\(([^()]*)$", current)
    technique = techniques().get(call.group(1)) if call else None
    if call is None or technique is None or set(scanned.open[1:]) - set("\"'"):
        return Matches("")
    *earlier, argument = call.group(2).split(",")
    options = {each.name: each for each in describe(technique)}
    name, equals, value = argument.partition("=")
    if equals:
        option = options.get(name.strip())
        return _choices(value.lstrip(), option, names) if option else Matches("")
    given = {each.partition("=")[0].strip() for each in earlier}
    given |= {next(iter(options), "")} if earlier and "=" not in earlier[0] else set()
    fragment = argument.lstrip()
    return _matching(fragment, (Match(f"{each}=", "option") for each in options if each not in given))


def _choices(fragment: str, option: Option, names: Namespace) -> Matches:
    """Values of an option in a recipe's text, quoted where they are texts."""
    found = [Match(repr(value), "choice") for value in _known_values(option)]
    if option.kind == "reference":
        found += _models(names)
    bare = fragment.lstrip("\"'")
    kept = (each for each in found if each.text.strip("'").startswith(bare))
    return Matches(fragment, tuple(kept))


def _known_values(option: Option) -> tuple[Any, ...]:
    return (True, False) if option.kind == "bool" else option.choices or ()


def _values(flag: str, done: tuple[Word, ...], names: Namespace) -> Iterable[Match]:
    """What could follow a flag."""
    takes = FLAGS[flag].takes if flag in FLAGS else ""
    if takes == "data":
        return [Match(name, "data") for name in names.data()]
    if takes == "model":
        return _models(names)
    if takes in _FIXED:
        return [Match(each, takes) for each in _FIXED[takes]]
    if takes == "runtimes":
        from workbench.runtimes import runtimes

        return [Match(each, "runtime") for each in runtimes()]
    option = _option(flag, done)
    return [Match(str(value), "choice") for value in _known_values(option)] if option else ()


def _flags(done: tuple[Word, ...]) -> Iterator[str]:
    """The flags that may still be written; short flags may come again."""
    words = _without_flags(done)
    given = {each.text.partition("=")[0] for each in done if each.is_flag}
    if words and words[0] in verbs.names():
        yield from (flag for flag in verbs.find(words[0]).flags if flag not in given)
        return
    for cls in _begun(done):
        options = (f"--{each.name.replace('_', '-')}" for each in describe(cls)[1:])
        yield from (flag for flag in options if flag not in given)
    yield from short_flags()
    yield from (flag for flag in RUN if flag not in given)


def _begun(done: tuple[Word, ...]) -> tuple[type[Technique], ...]:
    """The techniques whose short flags were written, the last one first."""
    short = short_flags()
    written = [each.text.partition("=")[0] for each in reversed(done) if each.is_flag]
    return tuple(dict.fromkeys(short[flag] for flag in written if flag in short))


def _option(flag: str, done: tuple[Word, ...]) -> Option | None:
    """The option that a flag of the techniques sets."""
    if flag in (short := short_flags()):
        return describe(short[flag])[0]
    name = flag[2:].replace("-", "_")
    return next((each for cls in _begun(done) for each in describe(cls) if each.name == name), None)


def _words(kind: str, names: Namespace) -> Iterable[Match]:
    """What could stand for a verb's word; nothing for files, which IPython completes itself."""
    if kind == "technique":
        own = [Match(each, "verb") for each in verbs.names()]
        return [*(Match(each, "technique") for each in techniques()), *own]
    if kind == "step":
        return [Match(name, "technique") for name, cls in techniques().items() if not cls.trains]
    if kind == "version":
        return [Match(name, "version") for name in names.versions()]
    return _models(names) if kind == "model" else ()


def _models(names: Namespace) -> list[Match]:
    return [Match(name, "model") for name in names.models()]


def _without_flags(words: tuple[Word, ...]) -> list[str]:
    """The words that are neither flags nor what follows one."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if is_value:
            is_value = False
        elif word.is_flag:
            is_value = "=" not in word.text
        else:
            kept.append(word.text)
    return kept


def _matching(fragment: str, found: Iterable[Match]) -> Matches:
    return Matches(fragment, tuple(each for each in found if each.text.startswith(fragment)))
