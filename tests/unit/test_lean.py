"""Widgets that look the same share their layout and style; what is shared stays as it is."""

from __future__ import annotations

import ipywidgets
import pytest
import small

from workbench.panels import Workbench
from workbench.panels.closing import close
from workbench.panels.parts import lean
from workbench.versions import VersionTree


def test_widgets_that_look_the_same_share_layout_and_style():
    one, other = lean.Button(description="one"), lean.Button(description="other")
    assert isinstance(one, ipywidgets.Button)
    assert one.layout is other.layout and one.style is other.style
    wide = lean.Text(style={"description_width": "auto"}), lean.Text(style={"description_width": "112px"})
    assert wide[0].style is not wide[1].style and wide[0].style.description_width == "auto"


def test_what_is_shared_refuses_to_be_changed():
    button = lean.Button()
    with pytest.raises(AttributeError, match="this Layout is shared: give the widget another one"):
        button.layout.display = "none"
    with pytest.raises(AttributeError, match="this ButtonStyle is shared"):
        button.style.button_color = "red"
    button.layout = ipywidgets.Layout(width="9em")  # one of its own
    button.layout.width = "8em"
    assert lean.Button().layout.width is None


def test_one_is_hidden_without_the_others():
    one, other = lean.HTML(), lean.HTML()
    lean.show(one, False)
    assert (one.layout.display, other.layout.display) == ("none", None)
    lean.show(one, True)
    assert one.layout is other.layout
    lean.veil(one, False)
    assert (one.layout.visibility, other.layout.visibility) == ("hidden", None)


def test_layout_of_its_own_is_closed_when_it_is_hidden():
    plain = ipywidgets.HTML()
    own = plain.layout
    lean.show(plain, False)
    assert own.comm is None and plain.layout.comm is not None


def test_closing_one_panel_leaves_what_others_share():
    one, other = lean.VBox([lean.HTML()]), lean.VBox([lean.HTML()])
    close(one)
    assert one.comm is None and other.layout.comm is not None and other.children[0].style.comm is not None


def test_shared_ones_are_made_again_when_somebody_closed_all_widgets():
    before = lean.HTML().layout
    before.close()
    again = lean.HTML().layout
    assert again is not before and again.comm is not None


def test_a_studio_opens_with_few_models():
    """Every model is a message to the page, and a model there: half of the first paint."""
    work = small.workload()
    Workbench(work, tree=VersionTree(None, work)).close()  # what is shared is there now
    before = len(ipywidgets.widget._instances)
    panel = Workbench(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work))
    assert len(ipywidgets.widget._instances) - before < 125
    panel.close()
