"""Exercises on what a transformer can do without, of the lesson `11-transformer`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.course.answers import ARecipe, Choice, Number, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import candidate, example, right

if TYPE_CHECKING:
    from workbench.recipe import Recipe

_WORDS, _WIDTH, _RANK = 2048, 64, 16
_LATER = tuple(f"blocks.{index}" for index in (1, 2, 3))
_MOST_PARAMETERS, _MOST_LOST, _MOST_EPOCHS = 120_000, 3, 2


@exercise("transformer-1", whole(1))
def a_split_table(parameters: float) -> str:
    """How many parameters do 2,048 words of 16 numbers and a 16 × 64 matrix without bias take?"""
    expect(parameters != _WORDS * _WIDTH, "that is the table as it was, 64 numbers for each word")
    expect(parameters != _WORDS * _RANK, "these are the words; the matrix they share has parameters, too")
    shared = parameters - _WORDS * _RANK
    expect(shared >= _RANK * _WIDTH, "that is less than the numbers of the words and the matrix together")
    expect(shared <= _RANK * _WIDTH, "more than the numbers of the words and the matrix together")
    return f"{_WORDS * _WIDTH / parameters:.1f} times fewer than before"


@exercise("transformer-2", Number(0))
def twice_as_long(factor: float) -> str:
    """By what factor do the multiplications for attention scores grow when a mail has twice as many words?"""
    expect(factor > 1, "more words are more work")
    expect(
        factor != 2, "that is what the linear layers do, which treat each word alone; scores are for pairs"
    )
    expect(factor == 2**2, "there is a score for each pair of words: count the pairs of 2 words, then of 4")
    return "so the share of attention grows with the length, and long texts need other ways to attend"


@exercise("transformer-3", Choice(_LATER))
def another_block_alone(block: str) -> str:
    """With which block alone, but not the first, is most validation accuracy of `mails` left, untrained?"""
    found = {name: right("mails", f"PruneLayers(3, keep={(name,)})") for name in _LATER}
    expect(
        found[block] == max(found.values()),
        f"with {block} alone, {found[block]:.1f} % are right; with another one, more are",
    )
    return "and still it is far from what the first block leaves"


@exercise("transformer-4", ARecipe())
def a_small_reader(recipe: Recipe) -> str:
    """Which recipe leaves `mails` at most 120,000 parameters and costs at most three points?"""
    epochs = sum(getattr(step, "epochs", 0) for step in recipe)
    expect(
        epochs <= _MOST_EPOCHS, f"train for {_MOST_EPOCHS} epochs in all at most, so that a check is quick"
    )
    made = candidate(example("mails"), recipe)
    parameters = sum(each.numel() for each in made.model.parameters())
    expect(
        parameters <= _MOST_PARAMETERS,
        f"{parameters:,} parameters are left; bits and zeros do not change their number, parts that go do",
    )
    lost = round(right("mails", "") - right("mails", str(recipe)), 6)
    expect(lost <= _MOST_LOST, f"it loses {lost:.1f} points; train a little, or remove less where it hurts")
    return "compare with a neighbour: what went, and in which order?"
