"""Numbers as people read them: bytes, counts, shares, times and their changes, with units.

Sizes are decimal: 1 KB = 1,000 bytes. Whatever is not known (None, NaN) is written as a dash. Nothing in
this file needs torch, so charts, panels and magics can all write a figure the same way.
"""

from __future__ import annotations

import math

from workbench.measurement import typed

UNKNOWN = "–"
SIZE_NOTE = "1 KB = 1,000 bytes"

_SIZES = ((1e9, " GB"), (1e6, " MB"), (1e3, " KB"))
_COUNTS = ((1e9, " G"), (1e6, " M"), (1e3, " k"))


def size(number: float | None) -> str:
    """Bytes in decimal units, three digits: `44.1 KB`."""
    return _scaled(number, _SIZES, " B")


def bytes_of(written: float | str) -> int | None:
    """The bytes that a number or a text like `30 KB` means; None where it means none."""
    found = typed.size(written)
    return None if found is None else int(found)


def count(number: float | None) -> str:
    """A count, three digits: `384 k`, `1.82 G`."""
    return _scaled(number, _COUNTS, "")


def exact(number: int | None) -> str:
    """A count to the last digit: `266,610`."""
    return UNKNOWN if number is None else f"{number:,}"


def share(number: float | None, digits: int = 1) -> str:
    """A share as a percentage: `99.1 %`."""
    return f"{100 * number:.{digits}f} %" if _is_known(number) else UNKNOWN


def share_range(value: float | None, low: float | None, high: float | None, digits: int = 1) -> str:
    """A share with its interval: `99.1 % (98.5–99.5)`."""
    if not (_is_known(low) and _is_known(high)):
        return share(value, digits)
    return f"{share(value, digits)} ({100 * low:.{digits}f}–{100 * high:.{digits}f})"


def points(difference: float | None, digits: int = 1) -> str:
    """A difference of two shares in percentage points, with its sign: `−0.1`."""
    return signed(100 * difference, digits) if _is_known(difference) else UNKNOWN


def signed(number: float | None, digits: int = 1) -> str:
    """A number with its sign, a true minus; what rounds to zero has none: `+0.3`, `−2.0`, `0.0`."""
    if not _is_known(number):
        return UNKNOWN
    text = f"{number:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def joules(number: float | None) -> str:
    """An energy: `1.30 mJ`, `18 µJ`, `4.2 nJ`."""
    if not _is_known(number):
        return UNKNOWN
    for factor, unit in ((1.0, "J"), (1e-3, "mJ"), (1e-6, "µJ")):
        if number >= 0.9995 * factor:
            return f"{_three_digits(number / factor)} {unit}"
    return f"{_three_digits(1e9 * number)} nJ"


def milliseconds(number: float | None) -> str:
    """A time given in milliseconds: `0.21 ms`, `18 µs`, `1.30 s`."""
    if not _is_known(number):
        return UNKNOWN
    if number >= 999.5:
        return f"{number / 1000:.2f} s"
    return f"{_three_digits(number)} ms" if number >= 0.0995 else f"{_three_digits(1000 * number)} µs"


def milliseconds_range(value: float | None, low: float | None, high: float | None) -> str:
    """A time with its quartiles, all in the unit of the first: `0.21 ms (0.20–0.24)`."""
    if not (_is_known(value) and _is_known(low) and _is_known(high)):
        return milliseconds(value)
    factor = 0.001 if value >= 999.5 else 1 if value >= 0.0995 else 1000
    return f"{milliseconds(value)} ({_three_digits(factor * low)}–{_three_digits(factor * high)})"


def seconds(number: float | None) -> str:
    """A stretch of time as a clock shows it: `0:07`, `1:10`, `1:02:03`."""
    if not _is_known(number):
        return UNKNOWN
    minutes, rest = divmod(math.ceil(number), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def times(number: float | None) -> str:
    """A ratio: `39×`, `1.2×`, `0.84×`."""
    return f"{_ratio(number)}×" if _is_known(number) else UNKNOWN


def times_range(value: float | None, low: float | None, high: float | None) -> str:
    """A ratio with its interval, to three digits, since it may be close to 1: `1.02× (0.99–1.05)`."""
    if not (_is_known(value) and _is_known(low) and _is_known(high)):
        return times(value)
    return f"{_three_digits(value)}× ({_three_digits(low)}–{_three_digits(high)})"


def smaller(now: float | None, before: float | None) -> str:
    """How much smaller a quantity is than before: `▼ 39×`; `▲ 1.2×` where larger, `=` where the same."""
    if not (_is_known(now) and _is_known(before)) or now <= 0 or before <= 0:
        return UNKNOWN
    if abs(now - before) <= 0.0005 * before:
        return "="
    ratio = max(now / before, before / now)
    close = 3 if ratio < 1.005 else 2
    text = f"{ratio:.{close}f}×" if ratio < 1.05 else times(ratio)  # not ▼ 1.0×
    return f"▼ {text}" if now < before else f"▲ {text}"


def _is_known(number: float | None) -> bool:
    return number is not None and math.isfinite(number)


def _scaled(number: float | None, units: tuple[tuple[float, str], ...], smallest: str) -> str:
    if not _is_known(number):
        return UNKNOWN
    for factor, unit in units:
        if abs(number) >= factor * 0.9995:  # 999.6 KB is written 1.00 MB, not 1000 KB
            return f"{_three_digits(number / factor)}{unit}"
    return f"{number:.0f}{smallest}"


def _three_digits(number: float) -> str:
    magnitude = abs(number)
    return f"{number:.{0 if magnitude >= 99.95 else 1 if magnitude >= 9.995 else 2}f}"


def _ratio(number: float) -> str:
    magnitude = abs(number)
    return f"{number:.{0 if magnitude >= 19.95 else 1 if magnitude >= 0.995 else 2}f}"
