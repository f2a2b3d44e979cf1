"""Axis labels with units, in Vega's expression language; `measurement.units` writes the same in Python."""

from __future__ import annotations

SIZE = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' GB' : "
    "datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' MB' : "
    "datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + ' KB' : format(datum.value, '~r') + ' B'"
)
SHARE = "format(100 * datum.value, '.3~r')"
