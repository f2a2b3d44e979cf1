"""Exercises on deploying, of the lesson `12-deploying`."""

from __future__ import annotations

from pathlib import Path

from workbench.course.answers import AFile, Choice, whole
from workbench.course.exercise import exercise, expect
from workbench.course.trials import candidate, example

_RECIPES = (
    "PruneWeights(0.9)",
    "Quantize(weights=8)",
    "Quantize(weights=8, activations=8)",
    "ShareWeights(16)",
)
_BATCH, _MILLISECONDS = 32, 4
_MOST_BYTES = 60_000


@exercise("deploying-1", whole(1))
def unpacked(times: float) -> str:
    """How many times larger than their packed codes are 4-bit weights loaded as float32 numbers?"""
    packed, loaded = 4, 32  # bits of a weight
    expect(times != loaded // 2, "compare bits with bits: a float32 number has 32 of them")
    expect(times * packed >= loaded, "a weight takes more bits once it is a float32 number")
    expect(times * packed <= loaded, "a weight takes fewer bits than that once it is a float32 number")
    return "as large as the original: the file that travels is small, the memory it needs is not"


@exercise("deploying-2", Choice(_RECIPES))
def computes_in_integers(recipe: str) -> str:
    """Which recipe makes ONNX Runtime multiply whole numbers?"""
    from workbench.constraints import Grid

    made = candidate(example("digits"), recipe)
    expect(
        any(made.constraints.of(name, Grid) for name in made.constraints),
        "its weights lie on no grid of whole numbers, so the runtime gets float32",
    )
    expect(bool(made.activations), "its weights do, but what they are multiplied by is still float32")
    return "both sides of the multiplication are whole numbers, and the scales are known beforehand"


@exercise("deploying-3", whole(1))
def images_a_second(count: float) -> str:
    """A batch of 32 images takes 4 ms: how many images are done in a second?"""
    batches = 1000 / _MILLISECONDS
    expect(count != batches, "these are batches; each of them has 32 images")
    expect(count != batches / _BATCH, "a batch has 32 images: more of them are done, not fewer")
    expect(abs(count / _BATCH * _MILLISECONDS - 1000) < 1, "count the batches of a second, then their images")
    return "and the first of the 32 has waited 4 ms, as long as the last"


@exercise("deploying-4", AFile(".onnx"))
def digits_in_integers(path: Path) -> str:
    """Export `digits` to an ONNX file of at most 60 KB that is as good as the original, within a point."""
    from workbench.course.trials import right

    size = path.stat().st_size
    right_now = 100 * _accuracy(path)
    lost = right("digits", "") - right_now
    expect(lost <= 1, f"{right_now:.1f} % of the validation images are right, {lost:.1f} points fewer")
    expect(
        size <= _MOST_BYTES,
        f"{size:,} bytes; a runtime stores what it computes with: which recipe makes it compute in integers?",
    )
    return "it was judged by ONNX Runtime alone, from the file"


def _accuracy(path: Path) -> float:
    """The share of validation images that the file gets right, run on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        batches = [
            (session.run(None, {name: inputs.numpy()})[0], targets.numpy())
            for inputs, targets in example("digits").split("validation")
        ]
        return float(sum((scores.argmax(1) == targets).sum() for scores, targets in batches)) / sum(
            len(targets) for _, targets in batches
        )
    except Exception as error:  # the runtime's own exceptions have no common base
        said = str(error).strip().split("\n")[0][:120]
        expect(False, f"ONNX Runtime cannot run it on the images of digits: {said}")
        raise
