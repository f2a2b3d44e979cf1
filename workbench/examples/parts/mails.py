"""Mails as numbers of words: how text is cut, and the shipped mails by split.

Public mails of 2002, spam and not, of the SpamAssassin corpus. What is shipped are no texts: the first 64
words of each mail, as numbers into a list of frequent words. Addresses, links and figures are one word each,
and names and whatever is not on the list are `<other>`.
"""

from __future__ import annotations

import functools
import html
import io
import lzma
import re
from typing import TYPE_CHECKING

from workbench.examples.parts.example import DATA, Splits

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

CLASSES = ("wanted", "spam")
LENGTH = 64  # words of a mail
FILE = DATA / "mails.npz.xz"
NOTHING, OTHER = "<nothing>", "<other>"  # after the end of a mail; a word that is not on the list
MARKS = (NOTHING, OTHER, "<link>", "<address>", "<number>")

_TAGS = re.compile(r"<(style|script)\b.*?</\1>|<!--.*?-->|</?[a-z!][^>]*>", re.DOTALL | re.IGNORECASE)
_WORDS = re.compile(
    r"(?P<link>https?://\S+|www\.\S+)|(?P<address>[\w.+-]+@[\w.-]+)|(?P<number>[$£]?\d[\d.,:/%-]*)"
    r"|(?P<word>[A-Za-z]+(?:'(?!s\b)[a-z]+)?)"
)


def spoken(text: str) -> list[tuple[str, bool]]:
    """The words of a text as written, or marks, each with whether it follows another in a sentence."""
    plain = html.unescape(_TAGS.sub(" ", text))
    found, end = [], 0
    for match in _WORDS.finditer(plain):
        mark = match.lastgroup
        word = match.group() if mark == "word" else f"<{mark}>"
        found.append((word, plain[end : match.start()] in (" ", ", ")))
        end = match.end()
    return found


def numbers(text: str) -> Tensor:
    """A text as `MailNet` takes it, int64 of shape (1, 64): subject first, then what the mail says."""
    import torch

    known = {word: index for index, word in enumerate(words())}
    other = known[OTHER]
    found = [known.get(word.lower(), other) for word, _ in spoken(text)][:LENGTH]
    return torch.tensor([found + [known[NOTHING]] * (LENGTH - len(found))])


@functools.lru_cache(maxsize=1)
def words() -> tuple[str, ...]:
    """The list of words: number `n` stands for `words()[n]`; marks come first, then the frequent ones."""
    return tuple(bytes(_file()["words"]).decode().split("\n"))


def splits(data: str = "auto") -> Splits:
    """All mails that are shipped; inputs are numbers of words, int64 (n, 64), targets 1 for spam.

    They are shipped whole, so `data` makes no difference.
    """
    import torch

    file = _file()
    pairs = {
        name: (
            torch.from_numpy(file[f"{name}_mails"].astype("int64")),
            torch.from_numpy(file[f"{name}_labels"].astype("int64")),
        )
        for name in ("train", "validation", "test")
    }
    return Splits("mails of 2002", pairs["train"], pairs["validation"], pairs["test"])


@functools.lru_cache(maxsize=1)
def _file() -> dict[str, np.ndarray]:
    import numpy as np

    with np.load(io.BytesIO(lzma.decompress(FILE.read_bytes())), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
