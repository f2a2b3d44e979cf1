"""Numbers as people read them: bytes, counts, shares and times with their units."""

from __future__ import annotations

import math

_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"), (1, "B"))
_COUNTS = ((1e9, " G"), (1e6, " M"), (1e3, " k"), (1, ""))


def size(number: float | None) -> str:
    """Bytes in decimal units, three digits: `44.1 KB`."""
    return _scaled(number, _SIZES, " ")


def count(number: float | None) -> str:
    """A count in thousands, three digits: `384 k`, `1.82 G`."""
    return _scaled(number, _COUNTS, "")


def share(number: float | None, digits: int = 1) -> str:
    """A share as a percentage: `99.1 %`."""
    return "–" if number is None or not math.isfinite(number) else f"{100 * number:.{digits}f} %"


def milliseconds(number: float | None) -> str:
    """A time given in milliseconds: `0.21 ms`, `1.30 s`."""
    if number is None or not math.isfinite(number):
        return "–"
    return f"{number / 1000:.2f} s" if number >= 1000 else f"{_three_digits(number)} ms"


def seconds(number: float | None) -> str:
    """A stretch of time as a clock shows it: `0:07`, `1:10`."""
    if number is None or not math.isfinite(number):
        return "–"
    minutes, rest = divmod(math.ceil(number), 60)
    return f"{minutes}:{rest:02d}"


def times(number: float | None) -> str:
    """A ratio: `39×`, `1.2×`."""
    return "–" if number is None or not math.isfinite(number) else f"{_ratio_digits(number)}×"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, with its sign: `−0.1`."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def _scaled(number: float | None, units: tuple[tuple[float, str], ...], gap: str) -> str:
    if number is None or not math.isfinite(number):
        return "–"
    for factor, unit in units:
        # 999.6 KB is written 1.00 MB, not 1000 KB
        if abs(number) >= factor * 0.9995 and factor > 1:
            return f"{_three_digits(number / factor)}{gap}{unit}"
    return f"{number:.0f}{gap}{units[-1][1]}"


def _three_digits(number: float) -> str:
    size = abs(number)
    return f"{number:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f}"


def _ratio_digits(number: float) -> str:
    return f"{number:.{0 if abs(number) >= 20 else 1}f}"


# the same for an axis, in Vega's expression language
SIZE_EXPRESSION = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' GB' : "
    "datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' MB' : "
    "datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + ' KB' : format(datum.value, '~r') + ' B'"
)
SHARE_EXPRESSION = "format(100 * datum.value, '.3~r')"
