"""Axis labels with units, in Vega's expression language; `measurement.units` writes the same in Python."""

from __future__ import annotations

SIZE = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, '~r') + ' GB' : "
    "datum.value >= 1e6 ? format(datum.value / 1e6, '~r') + ' MB' : "
    "datum.value >= 1e3 ? format(datum.value / 1e3, '~r') + ' KB' : format(datum.value, '~r') + ' B'"
)
SHARE = "format(100 * datum.value, '.3~r')"
COUNT = (
    "datum.value >= 1e9 ? format(datum.value / 1e9, '.3~r') + ' G' : "
    "datum.value >= 1e6 ? format(datum.value / 1e6, '.3~r') + ' M' : "
    "datum.value >= 1e3 ? format(datum.value / 1e3, '.3~r') + ' k' : format(datum.value, '.3~r')"
)
JOULES = (
    "datum.value >= 0.9995 ? format(datum.value, '.3~r') + ' J' : "
    "datum.value >= 0.9995e-3 ? format(datum.value * 1e3, '.3~r') + ' mJ' : "
    "datum.value >= 0.9995e-6 ? format(datum.value * 1e6, '.3~r') + ' µJ' : "
    "format(datum.value * 1e9, '.3~r') + ' nJ'"
)
NUMBER = "format(datum.value, '.4~r')"

# by the name of a unit in `measurement.quantities`; milliseconds stand in the axis's title
LABELS = {"share": SHARE, "bytes": SIZE, "count": COUNT, "J": JOULES, "ms": NUMBER, "": NUMBER}
TITLED = {"share": ", %", "ms": ", ms"}  # what a title says so that the labels need not
