"""Samples that flipped as cards: a picture or a few numbers, what was said before and after, how surely."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from workbench.comparison import pictures
from workbench.comparison.flipped import BROKEN, KINDS, MENDED, OTHERWISE
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.comparison import Flip, Flips, FlipStages

_SIGNS = {BROKEN: "✕", MENDED: "✓", OTHERWISE: "~"}  # beside the colour, for those who do not see it


def cards(flips: Flips, shown: Iterable[Flip], stages: FlipStages | None) -> str:
    """One card a sample, as HTML."""
    inner = "".join(_card(flips, each, stages) for each in shown)
    return f'<ul class="wb-cards">{inner}</ul>' if inner else '<p class="wb-hint">No sample of that kind.</p>'


def _card(flips: Flips, flip: Flip, stages: FlipStages | None) -> str:
    label, before, after = (flips.name(each) for each in (flip.label, flip.before, flip.after))
    told = f"sample {flip.index}, label {label}: {before} before, {after} after, {KINDS[flip.kind]}"
    step = step_of(stages, flip)
    shares = f"{units.share(flip.before_share, 0)} → {units.share(flip.after_share, 0)}"
    lines = (
        f'<span class="wb-flip-what">{_SIGNS[flip.kind]} {escape(before)} → {escape(after)}</span>',
        f"<span>label {escape(label)}</span>",
        f'<span title="the probability each gave its own answer">{shares}</span>',
        f'<span class="wb-flip-step">{escape(step)}</span>' if step else "",
    )
    picture = _picture(flips.inputs.get(flip.index), told)
    title = f"{told}; surer by {units.share(flip.sureness, 0)}" + (f"; flipped by {step}" if step else "")
    return f'<li class="wb-flip wb-flip-{flip.kind}" title="{escape(title)}">{picture}{"".join(lines)}</li>'


def _picture(sample: Any, told: str) -> str:
    if sample is None:
        return '<span class="wb-flip-text">not kept</span>'
    if pictures.is_picture(sample):
        return f'<img src="{pictures.picture(sample)}" alt="{escape(told)}">'
    return f'<span class="wb-flip-text">{escape(pictures.text(sample))}</span>'


def step_of(stages: FlipStages | None, flip: Flip) -> str:
    """The step that flipped a sample: `2 FineTune`; empty where that was not looked for."""
    if stages is None:
        return ""
    stage = stages.of(flip.index, flip.after)
    return stage.name if stage is not None else "no step"
