"""Exercises on rounding, of the lesson `04-quantization`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.course.answers import ARecipe, Choice, Number, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, packed_bytes, points_lost

if TYPE_CHECKING:
    from workbench.recipe import Recipe

_CALIBRATIONS = ("minmax", "percentile", "mse", "entropy")


@exercise("quantization-1", Number(0))
def scale_of_a_channel(scale: float) -> None:
    """What is the scale of a symmetric 4-bit grid (codes −7 to 7) for weights from −0.9 to 0.6?"""
    expect(7 * scale > 0.6 + 1e-3, "the largest code must reach the largest magnitude, of either sign")
    expect(7 * scale > 0.9 - 2e-3, "−0.9 lies outside that grid")
    expect(
        7 * scale < 0.9 + 2e-3,
        "that grid reaches further than it has to; with 7 codes on each side it can be finer",
    )


@exercise("quantization-2", Number(0, unit="bits"))
def bits_with_scales(bits: float) -> None:
    """How many bits does a 4-bit weight take in all, with a 16-bit scale for each group of 64?"""
    expect(bits > 4, "the scale takes space, too: share it out among the weights that use it")
    expect(bits < 20, "a scale is stored once for its group, not for each weight")
    expect(abs(64 * bits - (64 * 4 + 16)) < 1e-6, "add up what a group of 64 takes, and divide by 64")


@exercise("quantization-3", whole(1, 16, unit="bits"))
def fewest_bits(bits: float) -> str:
    """What is the fewest bits at which `Quantize(bits)` costs `digits` at most one point, untrained?"""
    lost = _lost(bits)
    expect(lost <= 1, f"too few: with {bits} bits it loses {lost:.1f} points of validation accuracy")
    expect(bits == 1 or _lost(bits - 1) > 1, f"fewer are enough: try {bits - 1}")
    return "one bit less costs more than a point"


@exercise("quantization-4", Choice(_CALIBRATIONS))
def clips_most(calibration: str) -> str:
    """Which calibration clips the largest share of LeNet-300-100's activations at 4 bits?"""
    clipped = {each: _clipped(each) for each in _CALIBRATIONS}
    expect(
        clipped[calibration] == max(clipped.values()),
        f"{calibration} clips {clipped[calibration]:.3%} at most; another one clips more",
    )
    return "and its outputs are less noisy than with minmax: clipping a few draws all the others finer"


@exercise("quantization-5", ARecipe())
def bits_per_layer(recipe: Recipe) -> str:
    """Which `Quantize` beats the file of `mixed_precision(digits, max_drop=0.005)`, for at most a point?"""
    from workbench import mixed_precision

    others = [type(step).__name__ for step in recipe if type(step).__name__ != "Quantize"]
    expect(not others and len(recipe) == 1, "write one step, Quantize, with options of your choice")
    digits = example("digits")
    size, limit = (
        packed_bytes(digits, each) for each in (recipe, mixed_precision(digits, max_drop=0.005).step)
    )
    expect(size < limit, f"its file has {size:,} bytes, that of the step to beat {limit:,}")
    lost = points_lost(digits, recipe)
    expect(lost <= 1, f"it loses {lost:.1f} points of validation accuracy")
    return "some layers need fewer bits than others"


def _lost(bits: float) -> float:
    return points_lost(example("digits"), f"Quantize(weights={int(bits)})")


def _clipped(calibration: str) -> float:
    """The largest share clipped at any place."""
    from workbench.exploration.quantization import rounding_errors

    step = f"Quantize(8, activations=4, calibration={calibration!r})"
    found = rounding_errors(example("lenet-300-100"), step, samples=256)
    return max(each.clipped for each in found.ranges)
