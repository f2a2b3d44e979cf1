"""Answers to the exercises on deploying."""

from pathlib import Path

import making
from cases import Case

import workbench as wb
from workbench.course.trials import example


def exported(recipe, of="digits"):
    path = Path("mine.onnx")
    wb.export(making.version(recipe, of), path, example=example(of).example)
    return path


def in_integers():
    return exported("Quantize(8, activations=8)")


def in_floats():
    return exported("Quantize(4)")


def of_another_net():
    return exported("Quantize(8, activations=8)", "lenet-300-100")


def bad():
    return exported("PruneWeights(0.99) | Quantize(8, activations=8)")


def no_graph():
    Path("text.onnx").write_text("no graph")
    return "text.onnx"


CASES = {
    "deploying-1": Case(right=8, wrong=[(16, "bits with bits"), (4, "more bits"), (32, "fewer bits")]),
    "deploying-2": Case(
        right="Quantize(weights=8, activations=8)",
        wrong=[
            ("Quantize(weights=8)", "still float32"),
            ("PruneWeights(0.9)", "no grid"),
            ("ShareWeights(16)", "no grid"),
        ],
    ),
    "deploying-3": Case(right=8000, wrong=[(250, "batches"), (128, "count the batches"), (7.8125, "whole")]),
    "deploying-4": Case(
        right=in_integers,
        wrong=[
            (in_floats, "computes with"),
            (bad, "points fewer"),
            (of_another_net, "cannot run"),
            (no_graph, "cannot run"),
            ("nothing.onnx", "no file"),
        ],
        is_slow=True,
    ),
}
