"""Every control of every panel in the lessons, at both of its ends, raises nothing."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator
from typing import Any

import ipywidgets
import nbformat
import pytest
import repository
from panel_controls import unfold

from workbench import versions

pytestmark = pytest.mark.slow

VIEW = "application/vnd.jupyter.widget-view+json"
RAISED = re.compile(r"^\w*(Error|Exception|Warning): ")  # how a panel writes what is no error of ours
PATIENCE = 120  # seconds
TABS = ("Training", "Samples", "Versions", "Compare", "Layers")


def cells_to_the_panel(path) -> tuple[str, ...]:
    """The code of a lesson up to the first cell that shows a panel."""
    found: list[str] = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        found.append(cell.source)
        if any(VIEW in output.get("data", {}) for output in cell.outputs):
            return tuple(found)
    raise AssertionError(f"{path.name} shows no panel")


@pytest.fixture(params=repository.lessons(), ids=lambda path: path.name)
def panel(request, tmp_path, monkeypatch) -> Iterator[Any]:
    """The panel of a lesson, as the cells above it make it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(versions, "_trees", {})
    names: dict[str, Any] = {"__builtins__": builtins, "__name__": "lesson"}
    for code in cells_to_the_panel(request.param):
        exec(re.sub(r"^%.*$", "", code, flags=re.MULTILINE), names)
    (shown,) = [each for each in names.values() if hasattr(each, "session") and hasattr(each, "recipe")]
    for title in TABS if hasattr(shown, "tab") else ():
        shown.tab = title  # which makes it
    unfold(shown)
    shown.wait(PATIENCE)
    yield shown
    shown.close()
    versions.keep_in(None)


def controls(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """Every widget below one that a person can set to a value."""
    for child in getattr(widget, "children", ()):
        yield from controls(child)
    if ends(widget) and not getattr(widget, "disabled", False):
        yield widget


def ends(widget: ipywidgets.Widget) -> list[Any]:
    """The values at the ends of a control; none for what is no control."""
    if isinstance(widget, (ipywidgets.Checkbox, ipywidgets.ToggleButton)):
        return [not widget.value, widget.value]
    if isinstance(widget, (ipywidgets.Dropdown, ipywidgets.ToggleButtons, ipywidgets.RadioButtons)):
        return [value for _, value in widget._options_full]
    if hasattr(widget, "min") and hasattr(widget, "max") and hasattr(widget, "value"):
        return (
            []
            if isinstance(widget, (ipywidgets.FloatProgress, ipywidgets.IntProgress))
            else _low_high(widget)
        )
    return []


def _low_high(widget: ipywidgets.Widget) -> list[Any]:
    base = getattr(widget, "base", None)  # a slider over powers has its ends as exponents
    return [base**end if base else end for end in (widget.min, widget.max)]


def test_both_ends_of_every_control_raise_nothing(panel):
    begun = str(panel.recipe)
    seen = 0
    for control in list(controls(panel)):
        if control.comm is None:
            continue  # replaced since, as another control was moved
        for value in ends(control):
            if value not in ends(control):
                continue  # a choice that another one has taken off the list
            control.value = value
            assert not RAISED.match(panel.error), f"{control.description!r} at {value!r}: {panel.error}"
            seen += 1
        panel.wait(PATIENCE)
        assert not RAISED.match(panel.error), f"{control.description!r}: {panel.error}"
        panel.recipe = begun
    panel.wait(PATIENCE)
    assert seen >= 4 and not panel.error
