"""Two models of one workload beside each other: figures, recipes, layers, weights, and samples that flipped.

Everything here is records and generators, without a front end. The names are loaded when they are first used.
"""

from __future__ import annotations

from typing import Any

_WHERE = {
    "ClassChange": "classes",
    "Comparison": "side_by_side",
    "Figure": "figures",
    "Flip": "flipped",
    "FlipStages": "stages",
    "Flips": "flipped",
    "LayerPair": "layers",
    "StepChange": "recipes",
    "WeightsPair": "weights",
    "compare": "side_by_side",
    "comparing": "side_by_side",
    "difference": "recipes",
    "flip_stages": "stages",
    "flipping": "flipped",
    "flips": "flipped",
    "staging": "stages",
    "weights_of": "weights",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    import importlib

    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
