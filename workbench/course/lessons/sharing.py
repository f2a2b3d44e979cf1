"""Exercises on shared weights and the smallest file, of the lesson `08-weight-sharing`."""

from __future__ import annotations

from workbench.course.answers import Choice, Number, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, packed_bytes, points_lost

_TRIED = (2, 3, 4, 6, 8, 12, 16)


@exercise("sharing-1", whole(1, unit="bytes"))
def what_a_list_costs(size: float) -> str:
    """How many bytes do 500 weights that share 256 values take, as packed codes and a float16 list?"""
    values, weights = 256, 500
    expect(size != weights, "these are the codes; the list of values has to be stored, too")
    expect(size != 2 * values, "this is the list; each weight needs its code, too")
    codes = size - 2 * values  # a byte tells 256 values apart
    expect(codes >= weights, "256 values take codes of 8 bits, and a float16 value takes 2 bytes")
    expect(codes <= weights, "that is more than a byte for each code and two for each value")
    return "about half the bytes of 500 float32 numbers: a list pays only where many weights share it"


@exercise("sharing-2", whole(1))
def how_few_values(clusters: float) -> str:
    """Of 2, 3, 4, 6, 8, 12, 16 values a layer, what is the fewest that cost `digits` at most 3 points?"""
    expect(clusters in _TRIED, f"take one of {', '.join(map(str, _TRIED))}")
    lost = _lost(clusters)
    expect(lost <= 3, f"too few: with {clusters} values it loses {lost:.1f} points of validation accuracy")
    fewer = [each for each in _TRIED if each < clusters]
    expect(not fewer or _lost(fewer[-1]) > 3, f"fewer are enough: try {fewer[-1] if fewer else ''}")
    return "after training, as in the lesson, fewer would do"


@exercise("sharing-3", Number(0, unit="bits"))
def entropy_of_four_codes(bits: float) -> str:
    """What is the entropy, in bits, of a code that takes four values with shares 1/2, 1/4, 1/8 and 1/8?"""
    from workbench.algorithms.clustering import entropy

    expect(
        bits < 2 - 1e-6,
        "two bits tell four values apart whatever their shares; here some are rarer than others",
    )
    right = abs(bits - entropy([4, 2, 1, 1])) < 1e-6
    expect(right, "a value of share p costs log2(1/p) bits; take the mean, weighted by the shares")
    return "and a Huffman code reaches it here, since every share is a power of one half"


@exercise("sharing-4", Choice(("prune first", "share first")))
def which_order_is_smaller(order: str) -> str:
    """Which order of `PruneWeights(0.9)` and `ShareWeights(16)` gives `digits` the smaller file?"""
    steps = ["PruneWeights(0.9)", "ShareWeights(16)"]
    recipes = {"prune first": " | ".join(steps), "share first": " | ".join(reversed(steps))}
    sizes = {name: packed_bytes(example("digits"), recipe) for name, recipe in recipes.items()}
    told = ", ".join(f"{name} {size:,} bytes" for name, size in sizes.items())
    expect(sizes[order] == min(sizes.values()), f"look at both files: {told}")
    return (
        "values placed among all weights are few where the large ones are: fewer codes in use, "
        "a smaller file, and a larger error"
    )


@exercise("sharing-5", whole(0, unit="bytes"))
def one_list_for_all(saved: float) -> str:
    """How many bytes of lists does `scope='model'` save LeNet-5, with 32 values and four layers?"""
    of_a_list = 32 * 2  # float16
    expect(saved > 0, "one list in place of several takes less space")
    expect(saved % of_a_list == 0, "whole lists go, each of 32 values of two bytes")
    expect(4 - saved / of_a_list != 0, "one list has to stay")
    expect(4 - saved / of_a_list > 0, "there are only four lists")
    expect(4 - saved / of_a_list == 1, "all four layers read the same list then")
    return "little beside the codes: lists are cheap where a layer has many weights"


def _lost(clusters: float) -> float:
    return points_lost(example("digits"), f"ShareWeights(clusters={int(clusters)})")
