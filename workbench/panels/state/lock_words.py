"""Why a layer is locked, in sentences: what it shrinks with, what shrinks with it, what keeps it in place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from workbench.techniques.prune_channels import PruneChannels

if TYPE_CHECKING:
    from workbench.algorithms.channels.locks import Lock
    from workbench.recipe import Recipe


def kept_by(recipe: Recipe) -> tuple[str, ...]:
    """The layers that the recipe's first step that removes channels is told to leave alone."""
    step = next((each for each in recipe if isinstance(each, PruneChannels)), None)
    return step.keep if step is not None else ()


def words(each: Lock) -> str:
    """What holds for one layer, in paragraphs of HTML."""
    others = [name for name in each.together if name != each.layer]
    lines = [
        f"<b>{escape(each.layer)} is locked:</b> {escape(each.reason)}."
        if each.is_locked
        else f"<b>{escape(each.layer)}</b> can lose {escape(each.word)}."
    ]
    if others:
        lines.append(
            f"It shrinks only together with {_code(others)}: they make the same {escape(each.word)}."
        )
    if each.reads:
        verb = "would shrink" if each.is_locked else "shrink" if len(each.reads) > 1 else "shrinks"
        lines.append(f"{_code(each.reads)} {verb} with it: what it makes is read or normalized there.")
    return "".join(f"<p>{line}</p>" for line in lines)


def of(layer: str, found: Iterable[Lock]) -> str:
    """The same for any layer: of one that makes no channels, whose it reads."""
    there = list(found)
    for each in there:
        if each.layer == layer:
            return words(each)
    makers = [each.layer for each in there if layer in each.reads]
    if makers:
        return f"<p><b>{escape(layer)}</b> shrinks with {_code(makers)}, whose channels it reads.</p>"
    return f"<p><b>{escape(layer)}</b> makes no channels that could be removed.</p>"


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"<code>{escape(name)}</code>" for name in names)
