"""What can be written after `%compress`: the flags there are, and what a verb says about itself.

Parsing, help and completion all read it here. The verbs themselves are the files of `verbs/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.magics.arguments import Request
    from workbench.magics.session import Session


@dataclass(frozen=True)
class Flag:
    """A flag and what follows it.

    `takes` is what completion offers and what the value is checked for: "data" (a variable with samples),
    "model", "name" (a new variable), "number", "file", "split", "level", "leave", "runtimes" or "text".
    """

    name: str
    metavar: str
    takes: str
    help: str


@dataclass(frozen=True)
class Verb:
    """A verb: how it is written, what it does, and what it takes.

    `words` says what each word after the verb is, in order: "model", "version", "technique", "step" (one that
    does not train) or "file"; those from `required` on may be left out. `flags` are the names of the flags it
    understands.
    """

    usage: str
    summary: str
    run: Callable[[Request, Session], Any] = field(repr=False)
    words: tuple[str, ...] = ()
    required: int = 0
    flags: tuple[str, ...] = ()


_FLAGS = (
    Flag("--train", "NAME", "data", "what to train on: a loader, a data set, or (inputs, targets)"),
    Flag("--validation", "NAME", "data", "what to choose by"),
    Flag("--test", "NAME", "data", "what to report on"),
    Flag("--into", "NAME", "name", "the variable that gets the result"),
    Flag("--seed", "N", "number", "the same seed gives the same version; 0 where it is not given"),
    Flag("--name", "NAME", "text", "what the version is called in the history"),
    Flag("--recipe", "FILE", "file", "a recipe from a file: its text, YAML or JSON"),
    Flag("--model", "NAME", "model", "a model whose name is also a verb"),
    Flag("--split", "NAME", "split", "which data to measure on: train, validation or test"),
    Flag("--level", "NAME", "level", "packed: quick to load; coded: the smallest file"),
    Flag("--strengths", "VALUES", "text", "what a scan tries, weak to strong, separated by commas: 8,4,2"),
    Flag("--layers", "NAMES", "text", "the layers to scan, separated by commas; all where none is named"),
    Flag("--leave", "NAME", "leave", "all-others: compress one layer at a time; one-out: all layers but one"),
    Flag("--samples", "N", "number", "how many validation samples a scan judges by, at most; 500"),
    Flag("--max-size", "BYTES", "text", 'the file at most: 30_000, or "30 KB"'),
    Flag("--max-drop", "SHARE", "text", "accuracy that may be lost: 0.005 is half a point"),
    Flag("--runtimes", "NAMES", "runtimes", "where to time it, separated by commas"),
)
FLAGS: Mapping[str, Flag] = {each.name: each for each in _FLAGS}
SPLITS = ("train", "validation", "test")
DATA = tuple(f"--{split}" for split in SPLITS)
RUN = (*DATA, "--into", "--seed", "--name", "--recipe", "--model")  # flags of a line that runs a recipe
