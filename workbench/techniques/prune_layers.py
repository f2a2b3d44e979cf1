"""Drop whole residual or transformer blocks (depth pruning)."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from workbench.job import Progress
from workbench.options import option
from workbench.technique import Context, Technique

if TYPE_CHECKING:
    from workbench.algorithms.blocks import Block
    from workbench.candidate import Candidate

_MEASURED: weakref.WeakKeyDictionary[Any, dict[tuple[Any, ...], dict[str, float]]] = (
    weakref.WeakKeyDictionary()
)


class PruneLayers(Technique, family="pruning", strengths=(1, 2, 3), couples=True):
    """Drop whole residual or transformer blocks, those first that the outputs change least without.

    What is left has fewer layers, so time falls about as much as the multiplications do. Which blocks go is
    chosen on validation data. Blocks add to what they are given, so the rest can do without them: Veit et
    al. 2016, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks".
    """

    count: int = option(1, "how many blocks to drop", low=1, high=1000, step=1, unit="blocks")
    importance: str = option(
        "outputs",
        "what makes a block unimportant: a small change of the model's outputs without it, or outputs of "
        "its own that are nearly its inputs (similarity, one pass); random to compare with",
        choices=("outputs", "similarity", "random"),
    )
    keep: tuple[str, ...] = option((), "blocks (or layers in them) that stay, by name", advanced=True)
    re_estimate: bool = option(
        True, "measure batch-norm statistics anew on training data afterwards", advanced=True
    )
    samples: int = option(
        128,
        "validation samples to choose by, and training samples for statistics, at most",
        low=1,
        high=1_000_000,
        log=True,
        advanced=True,
    )

    def prepare(self, candidate: Candidate, context: Context) -> tuple[Block, ...]:
        """The model's blocks."""
        from workbench.algorithms.blocks import blocks

        return blocks(candidate.model, context.work)

    def apply(
        self, candidate: Candidate, context: Context, prepared: tuple[Block, ...]
    ) -> Generator[Progress, None, Candidate]:
        """The candidate without the blocks; its notes name them and what was lost with them."""
        from workbench.algorithms.batch_norm import re_estimating
        from workbench.algorithms.blocks import without

        free = self._allowed(prepared, candidate, context)
        yield Progress(0, 1, f"{len(prepared)} blocks")
        if not free:
            return candidate.noting(_why_none(prepared))
        worth, how = yield from self._worth(candidate, free, context)
        order = sorted(free, key=lambda each: worth[each.path])
        gone = _leaving_one(order, prepared)[: self.count]
        if not gone:
            return candidate.noting(_why_none(()))
        smaller = without(candidate, gone).noting(*_notes(candidate, gone, worth, how))
        if len(gone) < self.count:
            smaller = smaller.noting(f"{self.count} were asked for; no more can go")
        if self.re_estimate:
            smaller = yield from re_estimating(smaller, context.work, self.samples)
        return smaller

    def _allowed(self, found: tuple[Block, ...], candidate: Candidate, context: Context) -> list[Block]:
        """The blocks that may go.

        Raises:
            RecipeError: `keep` names what does not exist.
        """
        from workbench.algorithms.channels.locks import check_names

        check_names(self.keep, candidate.model)
        layers = [name for name, _ in candidate.model.named_modules()]
        inside = {each.path: [name for name in layers if each.holds(name)] for each in found}
        return [
            each
            for each in found
            if not any(each.holds(name) for name in self.keep)
            and (context.only is None or any(map(context.takes, inside[each.path])))
        ]

    def _worth(
        self, candidate: Candidate, found: list[Block], context: Context
    ) -> Generator[Progress, None, tuple[dict[str, float], str]]:
        """What each block is worth, measured once, and in which words to say so."""
        from workbench.algorithms.blocks import differences, output_changes

        work, samples = context.work, self.samples
        if self.importance == "random":
            return _drawn(found, context.seed), "drawn by lot"
        kept = _MEASURED.setdefault(candidate, {})
        key = (self.importance, samples, id(work), tuple(each.path for each in found))
        if key not in kept and context.is_preview and self.importance == "outputs":
            quick = differences(candidate, found, work, min(samples, 16))
            return quick, "chosen by similarity until Run measures the outputs"
        if key not in kept:
            if self.importance == "outputs":
                kept[key] = yield from output_changes(candidate, found, work, samples)
            else:
                kept[key] = differences(candidate, found, work, samples)
        return kept[key], "outputs change by" if self.importance == "outputs" else "one minus the cosine"


def _drawn(found: list[Block], seed: int) -> dict[str, float]:
    import random

    dice = random.Random(seed)
    return {each.path: dice.random() for each in found}


def _leaving_one(order: list[Block], found: tuple[Block, ...]) -> list[Block]:
    """The blocks in order, less the last one of every list that must not become empty."""
    lists = [each.path.rpartition(".")[0] for each in found if each.leaves]
    left = {path: lists.count(path) for path in lists}
    going = []
    for each in order:
        path = each.path.rpartition(".")[0]
        if each.leaves and left[path] == 1:
            continue
        if each.leaves:
            left[path] -= 1
        going.append(each)
    return going


def _notes(candidate: Candidate, gone: list[Block], worth: dict[str, float], how: str) -> list[str]:
    figures = how in ("outputs change by", "one minus the cosine")
    told = ", ".join(f"{each.path} ({worth[each.path]:.3f})" if figures else each.path for each in gone)
    layers = dict.fromkeys(name.rpartition(".")[0] for name, _ in candidate.model.named_parameters())
    inside = [name for name in layers if any(each.holds(name) and name != each.path for each in gone)]
    return [f"dropped, {how}: {told}", f"with their layers {', '.join(inside)}"]


def _why_none(found: tuple[Block, ...]) -> str:
    if found:
        return f"nothing was dropped: its {len(found)} blocks are kept, or not among the layers named"
    return (
        "nothing was dropped: the model has no residual or transformer block that gives the shape it takes; "
        "PruneChannels makes layers narrower instead"
    )
