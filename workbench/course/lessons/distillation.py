"""Exercises on distillation, of the lesson `06-distillation`."""

from __future__ import annotations

import math
from itertools import pairwise

from workbench.course.answers import Names, Number, whole
from workbench.course.exercise import exercise, expect

_LOGITS = (4.0, 2.0, 0.0)
_NETS = ("original", "first student", "second student", "third student")


@exercise("distillation-1", Number(0))
def temperature_for_a_ratio(temperature: float) -> None:
    """At which temperature do logits 4, 2, 0 give the first class e times the share of the second?"""
    expect(temperature > 0, "a temperature is above 0")
    first, second, _ = _softened(temperature)
    told = f"at {temperature:g} the first class gets {first / second:.2f} times the second"
    expect(first / second < math.e + 1e-3, f"{told}, and e is {math.e:.2f}: it should be hotter")
    expect(first / second > math.e - 1e-3, f"{told}, and e is {math.e:.2f}: it should be cooler")


@exercise("distillation-2", whole(1))
def parameters_of_a_quarter_of_the_width(count: float) -> None:
    """How many parameters does a 784-300-100-10 net keep with a quarter of its hidden neurons?"""
    widths = (784, 75, 25, 10)
    weights = sum(a * b for a, b in pairwise(widths))
    expect(count >= weights, "three layers: each has its inputs times its outputs in weights")
    expect(count > weights, "and a bias for each neuron")
    expect(
        count - weights <= sum(widths[1:]),
        "inputs and outputs stay as many as they were; only the hidden layers are narrower",
    )
    expect(count - weights >= sum(widths[1:]), "the outputs have biases, too")


@exercise("distillation-3", whole(1, 1000))
def too_hot(temperature: float) -> str:
    """From which whole temperature on does the first of the logits 4, 2, 0 get less than 0.4?"""
    told = _softened(temperature)[0]
    expect(told < 0.4, f"at {temperature} it still gets {told:.3f}")
    earlier = _softened(temperature - 1)[0] if temperature > 1 else 1.0
    expect(earlier >= 0.4, f"it gets less than 0.4 already at {int(temperature) - 1}: {earlier:.3f}")
    return "chance would give a third: hotter still, and there is little left to learn from"


@exercise("distillation-4", Names(_NETS))
def born_again(teachers: list[str]) -> str:
    """Who teaches the first, the second and the third generation of born-again nets, in this order?"""
    expect(len(teachers) == 3, f"three generations have three teachers, in order; got {len(teachers)}")
    for generation, teacher in enumerate(teachers):
        trained_before = _NETS[: generation + 1]  # the original, and the students of earlier generations
        place = ("first", "second", "third")[generation]
        expect(
            teacher in trained_before, f"the {teacher} is not trained yet when the {place} generation begins"
        )
        expect(
            teacher == trained_before[-1], f"the {place} generation has a later teacher than the {teacher}"
        )
    return "each begins with random weights, and is taught by the one before"


def _softened(temperature: float) -> tuple[float, float, float]:
    scores = [math.exp((each - max(_LOGITS)) / temperature) for each in _LOGITS]
    first, second, third = (each / sum(scores) for each in scores)
    return first, second, third
