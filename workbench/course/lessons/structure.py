"""Exercises on pruning structure, of the lesson `03-pruning-structure`."""

from __future__ import annotations

from workbench.course.answers import Names, share, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import candidate, evaluation, example, zeros

_LAYERS = ("stem", *(f"blocks.{block}.conv{conv}" for block in range(3) for conv in (1, 2)), "head")


@exercise("structure-1", whole(1))
def parameters_left(count: float) -> None:
    """How many parameters of a convolution (24 to 32 channels, 3×3, bias) are left if half of both go?"""
    filters, inputs, kernel = 32 // 2, 24 // 2, 9
    whole_one = 32 * (24 * kernel + 1)
    expect(
        count < whole_one / 2,
        "filters that go take their weights along, and each input that goes takes a slice of every filter",
    )
    expect(
        count % filters == 0,
        f"every one of the {filters} filters that stay has as many parameters as the next",
    )
    weights = count / filters - 1  # of one filter, without its bias
    expect(weights != inputs * kernel - 1, "each filter that stays keeps its bias")
    expect(
        weights / kernel == inputs, f"a filter that stays reads {inputs} inputs through {kernel} weights each"
    )


@exercise("structure-2", share())
def far_without_training(ratio: float) -> str:
    """What is the largest ratio, in steps of 0.05, that leaves nine in ten digits right without training?"""
    expect(abs(20 * ratio - round(20 * ratio)) < 1e-6, "take a multiple of 0.05")
    digits = example("digits")
    kept, beyond = (_right(digits, each) for each in (ratio, min(0.95, round(ratio + 0.05, 2))))
    expect(kept >= 0.9, f"too far: at {ratio:g} it gets {kept:.1%} of the validation images right")
    expect(beyond < 0.9, "you can go further: with 0.05 more, nine in ten are still right")
    return "at the next step it breaks down"


@exercise("structure-3", Names(_LAYERS))
def readers_of_the_stream(layers: list[str]) -> str:
    """Which layers lose an input when a channel that `stem` writes is removed?"""
    named = set(layers)
    expect("stem" not in named, "the stem reads the image, which is as it was")
    inner = sorted(each for each in named if each.endswith("conv2"))
    expect(not inner, f"what {', '.join(inner)} reads is made by the conv1 of the same block")
    expect("head" in named, "who reads what comes out of the last block?")
    reading = {each for each in _LAYERS if each.endswith("conv1")}
    expect(reading <= named, "every block reads the stream")
    return "they read one stream, and make as many outputs as before"


@exercise("structure-4", share())
def zeros_after_channels_went(zeros_left: float) -> str:
    """What share of the weights is zero after `PruneWeights(0.8) | PruneChannels(0.5)` on `digits`?"""
    measured = zeros(candidate(example("digits"), "PruneWeights(0.8) | PruneChannels(0.5)"))
    expect(
        zeros_left < 0.79,
        "that is what the first step left; the channels that went after it had more zeros than the others",
    )
    expect(
        abs(zeros_left - measured) <= 0.03,
        "that is not the share that is left; count them in the model that the recipe makes",
    )
    return "the channels that went were those with the most zeros, so fewer of the rest are zero"


def _right(digits: object, ratio: float) -> float:
    from workbench.techniques.prune_channels import PruneChannels

    return evaluation(digits, PruneChannels(ratio)).accuracy.value if ratio else 1.0
