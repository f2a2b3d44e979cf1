"""How activations are rounded, as records in the header: a grid and the places that have it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from workbench.activations import INPUT, OUTPUT, Affine, Dynamic, Rounding
from workbench.errors import StorageError
from workbench.fields import Fields

KEY = "activations"
_MOST = 100_000  # places


def to_records(roundings: Mapping[str, Rounding]) -> list[dict[str, Any]]:
    """One record for each grid.

    Raises:
        StorageError: a rounding of a kind that a file cannot hold.
    """
    places: dict[Any, list[str]] = {}
    kinds: dict[Any, Rounding] = {}
    for name, each in roundings.items():
        # one object in several places, or, after training, objects that hold the same tensors
        key = (each.bits, id(each.scale), id(each.gain)) if isinstance(each, Affine) else id(each)
        kinds.setdefault(key, each)
        places.setdefault(key, []).append(name)
    return [{"at": places[key], **_record(each)} for key, each in kinds.items()]


def from_records(head: Fields, model: nn.Module) -> dict[str, Rounding]:
    """The roundings that `to_records` wrote.

    Raises:
        StorageError: a record that is none, or names a place that the model has not.
    """
    paths = {path for path, _ in model.named_modules()}
    found: dict[str, Rounding] = {}
    for given in head.items(KEY, longest=_MOST):
        record = Fields(given, "a record of rounded activations")
        rounding = _rounding(record)
        for name in record.texts("at"):
            path, _, side = name.rpartition("/")
            if path not in paths or side not in (INPUT, OUTPUT) or name in found:
                raise StorageError(f"activations are rounded at {name[:60]!r}, a place this model has not")
            found[name] = rounding
    return found


def _record(rounding: Rounding) -> dict[str, Any]:
    if type(rounding) is Dynamic:
        return {"bits": rounding.bits, "dynamic": True}
    if type(rounding) is not Affine:
        raise StorageError(f"activations rounded by {type(rounding).__name__} cannot be stored")
    record: dict[str, Any] = {"bits": rounding.bits, "zero": rounding.zero_point}
    # the shortest digits that give back the same float32
    record["scale"] = float(str(np.float32(float(rounding.step.detach()))))
    flags = {"signed": rounding.is_signed, "learned": rounding.gain is not None}
    return record | {name: True for name, is_set in flags.items() if is_set}


def _rounding(record: Fields) -> Rounding:
    bits = record.integer("bits", low=1, high=16)
    if record.flag("dynamic"):
        return Dynamic(bits)
    scale, is_signed = record.given.get("scale"), record.flag("signed")
    lowest = -(2 ** (bits - 1)) if is_signed else 0
    zero_point = record.given.get("zero")
    if type(zero_point) is not int or not lowest <= zero_point < lowest + 2**bits:
        raise StorageError(f"{record.where}: a zero point must be one of its codes")
    if not isinstance(scale, (int, float)) or not 0 < scale < math.inf:
        raise StorageError(f"{record.where}: a scale must be a positive number")
    value = torch.tensor(float(scale), dtype=torch.float32)
    if not bool(torch.isfinite(value)) or not bool(value > 0):
        raise StorageError(f"{record.where}: a scale must be a positive number that float32 holds")
    gain = torch.ones(()) if record.flag("learned") else None
    return Affine(bits, value, zero_point, is_signed, gain)
