"""Parameters of a candidate rounded to a two-byte floating-point type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from workbench.algorithms.quantization.weights_chosen import check_names, covers
from workbench.candidate import Candidate
from workbench.constraints import Precision
from workbench.errors import WorkbenchError, listed

_WIDER = (torch.float32, torch.float64)
_ROLE = "values"


def cast(candidate: Candidate, dtype: str, keep: Sequence[str], takes: Callable[[str], bool]) -> Candidate:
    """The candidate with every parameter of float32 or float64 rounded to what `dtype` holds.

    Raises:
        RecipeError: `keep` names a layer that the model has not.
        WorkbenchError: a parameter holds values that are not finite.
    """
    parameters = dict(candidate.model.named_parameters())
    check_names(keep, [_layer(name) for name in parameters])
    new, shorter, smaller, beyond = {}, [], [], []
    for name, parameter in parameters.items():
        layer = _layer(name)
        if any(covers(each, layer) for each in keep) or not takes(layer):
            continue
        if parameter.dtype not in _WIDER:
            shorter.append(name)
        elif any(
            c.role == _ROLE and not isinstance(c, Precision) for c in candidate.constraints.get(name, ())
        ):
            smaller.append(name)
        else:
            new[name] = Precision(dtype)
            beyond += [name] if _is_beyond(candidate.free(name), name, new[name]) else []
    notes = []
    if shorter:
        notes.append(f"no wider than two bytes already: {listed(shorter, 6)}")
    if smaller:
        notes.append(f"on a grid or in a codebook, smaller already: {listed(smaller, 6)}")
    if beyond:
        notes.append(f"cut to the largest {dtype}: values of {listed(beyond, 6)}; bfloat16 has the range")
    return (candidate.constrained(new) if new else candidate).noting(*notes)


def _is_beyond(values: Tensor, name: str, precision: Precision) -> bool:
    """Whether any value lies beyond the type's largest."""
    if not bool(torch.isfinite(values).all()):
        raise WorkbenchError(
            f"{name} holds values that are not finite (NaN or infinite); go back to weights from before "
            "training broke"
        )
    return bool((values.abs() > torch.finfo(precision.type).max).any()) if values.numel() else False


def _layer(name: str) -> str:
    return name.rpartition(".")[0] or name
