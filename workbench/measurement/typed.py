"""Figures as a person types them: `50 KB`, `2 ms`, `98 %`, `1.5 M`; the other way round than `units`.

Every function takes a number or a text and gives the number in the base unit (bytes, milliseconds, a share of
1), or None where it means none. Nothing in this file needs torch.
"""

from __future__ import annotations

import math
import re

_NUMBER = r"([+-]?(?:[0-9][0-9_,]*\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)"
_SIZES = {"k": 1e3, "m": 1e6, "g": 1e9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_TIMES = {"": 1.0, "ms": 1.0, "µs": 1e-3, "μs": 1e-3, "us": 1e-3, "ns": 1e-6, "s": 1e3}
_COUNTS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_JOULES = {"": 1.0, "j": 1.0, "mj": 1e-3, "µj": 1e-6, "μj": 1e-6, "uj": 1e-6, "nj": 1e-9}
_SHARES = {"": 1.0, "%": 0.01}


def size(written: float | str) -> float | None:
    """Bytes: `50 KB`, `1.5MB`, `256 KiB` (1 KB = 1,000 bytes, 1 KiB = 1,024); at least one."""
    factors = {"": 1.0, "b": 1.0} | {f"{prefix}{b}": by for prefix, by in _SIZES.items() for b in ("", "b")}
    return _positive(_number(written, factors), least=1.0)


def milliseconds(written: float | str) -> float | None:
    """Milliseconds: `2 ms`, `200 µs` (or `us`), `1.5 s`; a bare number is milliseconds."""
    return _positive(_number(written, _TIMES))


def count(written: float | str) -> float | None:
    """A count: `384 k`, `1.5 M`, `200_000`."""
    return _positive(_number(written, _COUNTS))


def joules(written: float | str) -> float | None:
    """Joules: `1.3 mJ`, `18 µJ` (or `uJ`)."""
    return _positive(_number(written, _JOULES))


def share(written: float | str) -> float | None:
    """A share of 1: `98 %` or `0.98`; from 0 to 1."""
    found = _number(written, _SHARES)
    # 99.1 % is 0.991, not 0.9909999999999999
    return round(found, 12) if found is not None and 0 <= found <= 1 else None


def plain(written: float | str) -> float | None:
    """Any number."""
    return _number(written, {"": 1.0})


def _number(written: float | str, factors: dict[str, float]) -> float | None:
    if isinstance(written, bool) or not isinstance(written, (int, float, str)):
        return None
    if not isinstance(written, str):
        return float(written) if math.isfinite(written) else None
    found = re.fullmatch(rf"\s*{_NUMBER}\s*([^\W\d_]*|%)\s*", written, re.IGNORECASE)
    if found is None or found[2].lower() not in factors:
        return None
    number = float(found[1].replace(",", "").replace("_", "")) * factors[found[2].lower()]
    return number if math.isfinite(number) else None


def _positive(number: float | None, least: float = 0.0) -> float | None:
    return number if number is not None and number > 0 and number >= least else None
