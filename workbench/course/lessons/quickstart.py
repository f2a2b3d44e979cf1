"""Exercises of the first lesson, `00-quickstart`."""

from __future__ import annotations

from typing import Any

from workbench.course.answers import AVersion, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import example, judged

_TIMES, _POINTS = 20, 2


@exercise("quickstart-1", whole(1, unit="bytes"))
def bytes_of_float32(size: float) -> str:
    """How many bytes do 38,282 parameters take as float32, not counting the file's header?"""
    expect(size != 38_282 * 32, "these are bits; a byte has eight of them")
    expect(size / 38_282 >= 4, "a float32 number takes 32 bits, and a byte has eight")
    expect(size / 38_282 <= 4, "that is more than 32 bits for each parameter")
    return "that is what arithmetic claims; the file has a few hundred bytes more, for names and shapes"


@exercise("quickstart-2", AVersion())
def twenty_times_smaller(version: Any) -> str:
    """Make a version of `digits` with a file at least 20 times smaller that loses at most two points."""
    from workbench.measurement.size import file_bytes
    from workbench.versions import Version

    digits = example("digits")
    again = Version.of_packed(version.packed, digits.model)  # what the file holds, whatever the version says
    before, after = (judged(digits, each).accuracy.value for each in (None, again))
    times = file_bytes(digits.model) / len(version.packed)
    lost = round(100 * (before - after), 6)
    expect(times >= _TIMES, f"it is {times:.1f} times smaller; more zeros or fewer bits are needed")
    expect(lost <= _POINTS, f"it loses {lost:.1f} points; train longer, or take a little less away")
    return "the file was loaded again and judged: that is stored and measured, not claimed"


@exercise("quickstart-3", whole(1, unit="images"))
def interval_half_as_wide(images: float) -> str:
    """About how many test images, instead of 400, would make the interval of the difference half as wide?"""
    narrower = (images / 400) ** 0.5
    expect(images > 400, "more images make an interval narrower, fewer make it wider")
    expect(
        narrower >= 1.95,
        f"that makes it {narrower:.1f} times narrower; its width falls with the square root of n",
    )
    expect(narrower <= 2.05, f"that makes it {narrower:.1f} times narrower; fewer are enough to halve it")
    return "to see a difference half as large takes four times the data"
