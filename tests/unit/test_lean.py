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
    with lean.sharing() as pool:
        one, other = lean.Button(description="one"), lean.Button(description="other")
        wide = lean.Text(style={"description_width": "auto"}), lean.Text(style={"description_width": "112px"})
    assert isinstance(one, ipywidgets.Button)
    assert one.layout is other.layout and one.style is other.style
    assert wide[0].style is not wide[1].style and wide[0].style.description_width == "auto"
    pool.close()
    assert one.layout.comm is None and wide[0].style.comm is None


def test_widgets_that_come_and_go_have_their_own():
    with lean.sharing() as pool:
        pass
    one, other = lean.Button(), lean.Button()
    assert one.layout is not other.layout and one.style is not other.style
    one.layout.width = "9em"
    assert other.layout.width is None
    pool.close()


def test_what_is_shared_refuses_to_be_changed():
    with lean.sharing() as pool:
        button, other = lean.Button(), lean.Button()
    with pytest.raises(AttributeError, match="this Layout is shared: give the widget another one"):
        button.layout.display = "none"
    with pytest.raises(AttributeError, match="this ButtonStyle is shared"):
        button.style.button_color = "red"
    button.layout = ipywidgets.Layout(width="9em")  # one of its own
    button.layout.width = "8em"
    assert other.layout.width is None
    pool.close()


def test_one_is_hidden_without_the_others():
    with lean.sharing() as pool:
        one, other = lean.HTML(), lean.HTML()
    lean.show(one, False)
    assert not lean.is_shown(one) and lean.is_shown(other)
    lean.show(one, "something")
    assert lean.is_shown(one)
    lean.veil(one, None)
    assert lean.VEILED in one._dom_classes and lean.VEILED not in other._dom_classes
    pool.close()


def test_closing_a_part_leaves_what_the_rest_shares():
    with lean.sharing() as pool:
        part, rest = lean.VBox([lean.HTML()]), lean.VBox([lean.HTML()])
    close(part)
    assert part.comm is None and rest.layout.comm is not None and rest.children[0].style.comm is not None
    pool.close()


def test_a_studio_opens_with_few_models():
    """Every model is a message to the page, and a model there: half of the first paint."""
    work = small.workload()
    Workbench(work, tree=VersionTree(None, work)).close()  # what lives as long as the page is there now
    before = set(ipywidgets.widget._instances)
    panel = Workbench(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work))
    assert len(set(ipywidgets.widget._instances) - before) < 140
    panel.close()
    assert set(ipywidgets.widget._instances) == before
