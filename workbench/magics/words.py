"""A line cut into words: brackets and quotes hold together, `--flags` stand out, comments are left out.

    net PruneWeights(sparsity=0.9) | FineTune(epochs=2) --into small   # the first try

is the words `net`, `PruneWeights(sparsity=0.9)`, `|`, `FineTune(epochs=2)`, `--into` and `small`.
"""

from __future__ import annotations

from dataclasses import dataclass

from workbench.magics.errors import CompressError

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "\"'"


@dataclass(frozen=True)
class Word:
    """One word as it was written, and where it begins in the line."""

    text: str
    start: int

    @property
    def is_flag(self) -> bool:
        """Whether this is `--something`."""
        return self.text.startswith("--") and len(self.text) > 2

    @property
    def value(self) -> str:
        """The word without the quotes around it."""
        text = self.text
        is_quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0] and text.count(text[0]) == 2
        return text[1:-1] if is_quoted else text


@dataclass(frozen=True)
class Scan:
    """The words of a line, and what was still open at its end.

    `open` holds the brackets that were not closed, outermost first, and then the quote that was not closed;
    `is_comment` is whether the line ended inside a comment.
    """

    words: tuple[Word, ...]
    open: str
    is_comment: bool


def split(line: str) -> tuple[Word, ...]:
    """The words of a complete line.

    Raises:
        CompressError: a bracket or a quote is not closed.
    """
    scanned = scan(line)
    if scanned.open:
        last, mark = scanned.words[-1].text, scanned.open[-1]
        what = "quote" if mark in _QUOTES else "bracket"
        raise CompressError(f"the {what} {mark} is not closed in: {last}; write {_CLOSING.get(mark, mark)}")
    return scanned.words


def scan(line: str) -> Scan:
    """The words of a line that may not be complete yet."""
    words: list[Word] = []
    start: int | None = None
    stack: list[str] = []
    quote, is_comment = "", False
    for index, character in enumerate(line):
        if is_comment:
            is_comment = character != "\n"
            continue
        if not quote and character == "#" and (index == 0 or line[index - 1].isspace()):
            is_comment = True
        if start is None:
            if is_comment or character.isspace():
                continue
            start = index
        elif character.isspace() and not quote and not stack:
            words.append(Word(line[start:index], start))
            start = None
            continue
        if not is_comment:
            quote = _after(character, quote, stack)
    if start is not None:
        words.append(Word(line[start:], start))
    return Scan(tuple(words), "".join(stack) + quote, is_comment)


def one_line(text: str) -> str:
    """A recipe of several lines as one, without its comments."""
    kept: list[str] = []
    quote, is_comment = "", False
    for character in text:
        is_comment = (is_comment and character != "\n") or (character == "#" and not quote)
        if not is_comment:
            quote = _after(character, quote, [])
            kept.append(character)
    return " ".join("".join(kept).split("\n")).strip()


def _after(character: str, quote: str, stack: list[str]) -> str:
    """The quote that is open after this character; brackets are pushed to and popped from `stack`."""
    if quote:
        return "" if character == quote else quote
    if character in _QUOTES:
        return character
    if character in _CLOSING:
        stack.append(character)
    elif stack and character == _CLOSING[stack[-1]]:
        stack.pop()
    return ""
