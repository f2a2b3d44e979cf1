"""The studio without a browser: what its session knows and does, and what its widgets show of it."""

from __future__ import annotations

import random
import threading

import ipywidgets
import pytest
import small

from workbench.errors import WorkbenchError
from workbench.measurement import everything
from workbench.options import describe
from workbench.panels import Workbench, open_panels
from workbench.panels.parts import lean
from workbench.panels.parts.controls import Control, label
from workbench.panels.parts.version_table import VersionTable
from workbench.panels.state.session import Session
from workbench.panels.state.steps import Draft
from workbench.panels.state.telling import Telling
from workbench.panels.state.undo import SAME_MOVE
from workbench.panels.views.strip_box import strip_of
from workbench.recipe import Recipe
from workbench.technique import techniques
from workbench.versions import VersionTree

LONG = "FineTune(epochs=1000)"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Time on PyTorch only, for a moment: what a panel does with a report is tested here, not the report."""
    measuring = everything.measuring

    def fast(*args, **options):
        return measuring(*args, **{**options, "runtimes": ("pytorch",), "seconds": 0.02})

    monkeypatch.setattr("workbench.measurement.measuring", fast, raising=False)


@pytest.fixture
def work():
    return small.workload()


@pytest.fixture
def session(work):
    made = Session(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={}).open()
    made.wait()
    yield made
    made.close()


@pytest.fixture
def panel(work):
    made = Workbench(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={})
    made.wait()
    yield made
    made.close()


def step(session, place=0):
    return session.draft.steps[place].id


def ran(session, recipe):
    """The version a run of this recipe makes."""
    session.write(recipe)
    session.run()
    session.wait()
    assert session.error == ""
    return session.tree.head


def until_it_trains(session):
    """Wait for the first training record of the run."""
    seen = threading.Event()
    session.observe(lambda topic: session.runs.records and seen.set())
    assert seen.wait(30)


# --- the recipe


def test_a_new_panel_begins_with_one_step_of_the_registry(work):
    session = Session(work, tree=VersionTree(None, work))
    assert [type(each).__name__ for each in session.recipe] == ["PruneWeights"]
    session.close()


def test_moving_a_control_previews_the_new_recipe(session):
    before = session.estimates.preview
    session.change(step(session), "sparsity", 0.9)
    session.wait()
    preview = session.estimates.preview
    assert str(preview.recipe) == "PruneWeights(sparsity=0.9)"
    assert preview.is_final and preview.accuracy.n == 48
    assert preview.nonzero < before.nonzero


def test_latest_move_wins(session):
    for percent in range(100):
        session.change(step(session), "sparsity", percent / 100)
    session.wait()
    assert str(session.estimates.preview.recipe) == str(session.recipe) == "PruneWeights(sparsity=0.99)"


def test_value_that_is_refused_becomes_one_line_and_the_last_good_state_stays(session):
    session.change(step(session), "sparsity", 80)
    assert session.error == "sparsity must lie between 0 and 1, got 80; for 80 % write 0.8"
    assert str(session.recipe) == "PruneWeights(sparsity=0.5)"
    session.change(step(session), "sparsity", 0.8)
    assert session.error == ""


def test_writing_a_recipe_keeps_the_steps_that_stay(session):
    pruning = step(session)
    session.write("FineTune(epochs=3) | PruneWeights(sparsity=0.7)")
    assert [each.id for each in session.draft.steps] == [pruning + 1, pruning]
    session.write("PruneWeigths(0.7)")
    assert "did you mean 'PruneWeights'" in session.error
    assert str(session.recipe) == "FineTune(epochs=3) | PruneWeights(sparsity=0.7)"


def test_steps_are_added_switched_moved_and_removed(session):
    session.add("Quantize")
    first, second = (each.id for each in session.draft.steps)
    session.move(second, -1)
    assert str(session.recipe) == "Quantize(weights=8) | PruneWeights(sparsity=0.5)"
    session.move(second, -1)  # no further
    session.switch(second, False)
    assert str(session.recipe) == "PruneWeights(sparsity=0.5)"
    session.write("PruneWeights(sparsity=0.6)")  # the text spells what is on; what is off stays
    assert [each.is_on for each in session.draft.steps] == [False, True]
    session.remove(first)
    assert str(session.recipe) == "" and len(session.draft.steps) == 1


def test_preview_says_that_it_ends_before_training(session):
    session.write("PruneWeights(sparsity=0.5) | FineTune(epochs=3) | Quantize(weights=4)")
    session.wait()
    strip = strip_of(session)
    assert strip.kind == "preview"
    assert strip.sentence == "before training; press Run for FineTune(epochs=3) | Quantize(weights=4)"


def test_preview_that_fails_says_why_and_the_next_one_works(session):
    session.write("ShareWeights(clusters=4, layers=['nowhere'])")
    session.wait()
    assert "nowhere" in session.error and session.estimates.preview is None
    session.write("PruneWeights(sparsity=0.4)")
    session.wait()
    assert session.error == "" and session.estimates.preview is not None


# --- undo


def test_undo_takes_one_move_back_and_redo_does_it_again(session):
    session.add("Quantize")
    session.undo()
    assert str(session.recipe) == "PruneWeights(sparsity=0.5)"
    session.redo()
    assert str(session.recipe) == "PruneWeights(sparsity=0.5) | Quantize(weights=8)"
    session.redo()  # nothing there: nothing happens
    assert not session.can_redo


def test_one_drag_of_a_slider_is_one_move(work):
    now = [0.0]
    session = Session(work, "PruneWeights(0.5)", tree=VersionTree(None, work), clock=lambda: now[0])
    for percent in (60, 70, 80):
        now[0] += SAME_MOVE / 2
        session.change(step(session), "sparsity", percent / 100)
    now[0] += SAME_MOVE * 2
    session.change(step(session), "sparsity", 0.9)
    session.undo()
    assert str(session.recipe) == "PruneWeights(sparsity=0.8)"
    session.undo()
    assert str(session.recipe) == "PruneWeights(sparsity=0.5)"
    session.close()


def test_walk_of_many_moves_leads_back_to_the_start(work):
    session = Session(work, "PruneWeights(0.5)", tree=VersionTree(None, work))
    start, chance = session.draft, random.Random(0)
    for _ in range(200):
        steps = session.draft.steps
        id = chance.choice(steps).id if steps else 0
        moves = [lambda: session.add(chance.choice(list(techniques())))]
        if steps:
            moves += [
                lambda id=id: session.remove(id),
                lambda id=id: session.move(id, chance.choice((-1, 1))),
                lambda id=id: session.switch(id, chance.random() < 0.5),
            ]
        chance.choice(moves)()
    end = session.draft
    while session.can_undo:
        session.undo()
    assert session.draft == start
    while session.can_redo:
        session.redo()
    assert session.draft == end
    session.close()


def test_undo_after_a_run_goes_back_to_the_original_and_deletes_nothing(session):
    version = ran(session, "PruneWeights(sparsity=0.6)")
    session.undo()
    assert session.tree.head is None and session.version is None
    assert session.tree.versions == [version]
    session.redo()
    assert session.version.id == version.id


# --- runs and versions


def test_run_makes_a_version_that_is_shown_as_measured(session):
    version = ran(session, "PruneWeights(sparsity=0.6) | FineTune(epochs=2)")
    assert session.version is version and version.report.accuracy.n == 48
    assert session.status.startswith("v1: ")
    strip = strip_of(session)
    assert strip.kind == "version" and "≈" not in str(strip)
    assert {figure.kind for figure in strip.figures} == {"measured", "stored", "claimed"}


def test_moving_on_from_a_version_shows_an_estimate_again(session):
    ran(session, "PruneWeights(sparsity=0.6)")
    session.change(step(session), "sparsity", 0.7)
    session.wait()
    strip = strip_of(session)
    assert strip.kind == "preview"
    assert all(figure.value.startswith("≈") for figure in strip.figures if figure.kind == "estimated")


def test_second_run_is_refused_while_one_runs(session):
    session.write(LONG)
    session.run()
    until_it_trains(session)
    session.run()
    assert session.error == "a run is going on; press Stop first, or wait for it"
    session.stop()
    session.wait()


def test_stop_keeps_what_there_is(session):
    session.write(LONG)
    session.run()
    until_it_trains(session)
    session.stop()
    assert session.runs.job.state in ("stopping", "stopped")
    session.wait()
    assert session.tree.head.is_stopped
    assert "stopped before the recipe's end" in session.status


def test_empty_recipe_is_not_run(session):
    session.remove(step(session))
    session.run()
    assert session.error == "the recipe is empty; add a step, or switch one on"


def test_run_that_fails_says_why_and_the_next_one_works(session):
    session.write("ShareWeights(clusters=4, layers=['nowhere'])")
    session.run()
    session.wait()
    assert "nowhere" in session.error and session.tree.head is None
    ran(session, "PruneWeights(sparsity=0.6)")


def test_training_records_come_while_it_runs_and_stay_with_the_version(session):
    session.write("FineTune(epochs=2) | PruneWeights(sparsity=0.5) | FineTune(epochs=2)")
    lengths = []
    session.observe(lambda topic: topic == "training" and lengths.append(len(session.training[1])))
    session.run()
    session.wait()
    recipe, records = session.training
    assert recipe == session.recipe
    assert max(record["epoch"] for record in records) == 4  # the second step's epochs count on
    assert sum("validation_accuracy" in record for record in records) >= 4
    assert sorted(lengths[:-1]) == lengths[:-1]  # they only grow while it runs


def test_selecting_a_version_puts_its_recipe_into_the_controls(session):
    first = ran(session, "PruneWeights(sparsity=0.6)")
    ran(session, "PruneWeights(sparsity=0.7)")
    session.select(first)
    session.wait()
    assert str(session.recipe) == "PruneWeights(sparsity=0.6)" and session.version.id == first.id
    assert session.estimates.layers(session.version)[0].nonzero < 48
    session.select(None)
    assert session.tree.head is None
    session.select("v9")
    assert "no version 'v9'" in session.error


def test_recipe_is_previewed_once_the_version_it_spelled_is_no_longer_the_head(session, work):
    session.write("PruneWeights(sparsity=0.5)")
    session.run()
    session.wait()
    session.write("PruneWeights(sparsity=0.9)")
    session.wait()
    session.select("v1")
    session.wait()
    assert session.version is not None
    import workbench as wb

    wb.compress(work, "PruneWeights(sparsity=0.2)", tree=session.tree)  # by another cell
    session.wait()
    assert session.version is None and str(session.recipe) == "PruneWeights(sparsity=0.5)"
    assert session.estimates.preview.recipe == session.recipe  # not what was previewed before


def test_version_made_elsewhere_is_seen(session, work):
    import workbench as wb

    wb.compress(work, "PruneWeights(sparsity=0.3)", tree=session.tree)
    assert session.tree.head is not None and session.can_undo


def test_save_writes_the_version_that_is_shown(session, tmp_path):
    session.save(str(tmp_path / "early"))
    assert session.error == "there is no version to save yet; press Run first"
    version = ran(session, "PruneWeights(sparsity=0.6)")
    session.save(str(tmp_path / "small"))
    path = tmp_path / "small.safetensors"
    assert path.stat().st_size == version.packed_bytes
    assert session.status.startswith(f"v1 written to {path}")
    session.save(str(tmp_path / "no" / "such" / "folder"))
    assert session.error and "\n" not in session.error


def test_baseline_is_learned_in_the_time_between(session):
    known = session.estimates.known
    assert known.accuracy.n == 48 and known.stored > known.claimed > 0
    assert known.latency["pytorch"].median_ms > 0 and known.macs == 6 * 8 + 8 * 3


def test_without_data_everything_but_accuracy_works(work):
    from workbench.workload import Workload

    bare = Workload(small.net())
    session = Session(bare, "PruneWeights(0.5)", tree=VersionTree(None, bare)).open()
    session.wait()
    strip = strip_of(session)
    assert strip.figures[0].detail == "no validation data"
    assert "validation=val_loader" in strip.sentence
    assert strip.figures[1].value.startswith("≈")
    session.run()
    session.wait()
    assert session.error == "" and session.version.report.accuracy is None
    session.close()


def test_data_of_the_notebook_are_offered_and_taken(work):
    from torch.utils.data import DataLoader, TensorDataset

    from workbench.workload import Workload

    train, validation = (DataLoader(TensorDataset(*small.blobs(n)), 16) for n in (96, 48))
    names = {"train_loader": train, "val_loader": validation, "_hidden": train, "other": 3}
    panel = Workbench(Workload(small.net()), "PruneWeights(0.5)", names=names)
    offered = one(panel, ipywidgets.Dropdown, description="validation data")
    assert [value for _, value in offered._options_full] == ["", "val_loader", "train_loader"]
    offered.value = "val_loader"
    panel.wait()
    assert (
        panel.error == "" and panel.preview.accuracy.n == panel.work.validation.n == 24
    )  # half is for tests
    assert not lean.is_shown(offered)
    assert str(panel.recipe) == "PruneWeights(sparsity=0.5)"
    panel.close()


def test_input_shape_is_asked_for_where_it_is_needed():
    from torch import nn

    from workbench.workload import Workload

    panel = Workbench(Workload(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), "PruneWeights(0.5)", names={})
    panel.wait()
    typed = one(panel, ipywidgets.Text, description="input shape")
    assert lean.is_shown(typed) and panel.preview.macs is None
    typed.value = "three"
    assert panel.error == "a shape is whole numbers with commas between, like 3, 224, 224; got 'three'"
    typed.value = "4, 8, 8"
    assert "does not take its input" in panel.error
    typed.value = "3, 8, 8"
    panel.wait()
    assert panel.error == "" and panel.preview.macs == 4 * 3 * 9 * 6 * 6
    panel.close()


def test_closed_session_stops_its_run_and_hears_no_more(work):
    tree = VersionTree(None, work)
    session = Session(work, LONG, tree=tree).open()
    session.run()
    until_it_trains(session)
    session.close()
    session.runs.wait(30)
    assert not session.is_running
    assert tree._observers == []


# --- controls


@pytest.mark.parametrize(
    ("technique", "option"),
    [(cls, option) for cls in techniques().values() for option in describe(cls)],
    ids=lambda each: each.__name__ if isinstance(each, type) else each.name,
)
def test_every_option_has_a_control_that_shows_and_tells_its_value(technique, option):
    told = []
    control = Control(option, option.default, told.append)
    assert control.widget.description == label(option)
    assert option.help in control.widget.tooltip
    for value in _extremes(option):
        control.show(value)
        assert told == []  # showing is not telling
        moved = control._made.to_option(control.widget.value)
        assert option.check(moved) == pytest.approx(option.check(value)) or moved == value
    control.widget.close()


def _extremes(option):
    yield option.default
    choices = option.choices or ()
    yield from ({name: 0.5} for name in choices) if option.kind == "layers" else choices
    yield from (
        each for each in (option.low, option.high) if each is not None and option.kind in ("int", "float")
    )


@pytest.mark.parametrize("kind", ["names", "layers", "reference", "text"])
def test_texts_that_mean_nothing_are_refused_by_the_option(kind):
    from workbench.errors import OptionError
    from workbench.options import Option

    defaults = {"names": (), "layers": {}, "reference": "", "text": ""}
    option = Option("each", kind, defaults[kind], "help")
    told = []
    control = Control(option, option.default, told.append)
    for typed in ("", "fc1, fc2", "{'fc1': 0.5}", "{'fc1':", "[[", "None"):
        control.widget.value = typed
    for value in told:
        try:
            option.check(value)
        except OptionError as error:
            assert "\n" not in str(error)
    control.widget.close()


# --- widgets


def widgets_below(root):
    from workbench.panels.closing import _below

    return list(_below(root, set()))


def one(root, kind, **having):
    """The one widget of a kind below `root` whose traits are these."""
    found = [
        each
        for each in widgets_below(root)
        if isinstance(each, kind) and all(getattr(each, name) == value for name, value in having.items())
    ]
    assert len(found) == 1, found
    return found[0]


def html_of(panel):
    return " ".join(each.value for each in widgets_below(panel) if isinstance(each, ipywidgets.HTML))


def test_slider_moves_the_recipe_and_the_recipe_moves_the_slider(panel):
    slider = one(panel, ipywidgets.FloatSlider, description="sparsity")
    text = one(panel, ipywidgets.Textarea)
    slider.value = 0.75
    assert str(panel.recipe) == text.value == "PruneWeights(sparsity=0.75)"
    text.value = "PruneWeights(sparsity=0.25)"
    assert slider.value == 0.25
    panel.recipe = "PruneWeights(sparsity=0.4)"
    assert slider.value == 0.4 and text.value == "PruneWeights(sparsity=0.4)"
    one(panel, ipywidgets.Button, description="undo").click()
    assert slider.value == 0.25


def test_text_that_is_refused_goes_back_to_what_holds(panel):
    text = one(panel, ipywidgets.Textarea)
    text.value = "PruneWeights(sparsity=80)"
    assert "sparsity must lie between 0 and 1" in panel.error
    assert text.value == "PruneWeights(sparsity=0.5)"
    assert "sparsity must lie between 0 and 1" in html_of(panel)


def test_seldom_used_options_are_folded_away(panel):
    more = one(panel, ipywidgets.ToggleButton, icon="")
    named = [getattr(each, "description", "") for each in widgets_below(panel)]
    assert "sparsity" in named and "regrow" not in named  # made when it is first shown
    panel.recipe = "PruneWeights(sparsity=0.5, regrow=True)"
    more.value = True
    regrow = one(panel, ipywidgets.Checkbox, description="regrow")
    assert regrow.value
    fold = next(each for each in widgets_below(panel) if regrow in getattr(each, "children", ()))
    assert lean.is_shown(fold)
    more.value = False
    assert not lean.is_shown(fold)
    [step] = panel.session.draft.steps
    panel.session.change(step.id, "regrow", False)
    assert not regrow.value


def test_steps_are_added_from_the_registry(panel):
    add = one(panel, ipywidgets.Dropdown, tooltip="Add a step to the recipe")
    assert [value for _, value in add._options_full if value] == list(techniques())
    add.value = "Quantize"
    assert add.value == ""
    assert str(panel.recipe) == "PruneWeights(sparsity=0.5) | Quantize(weights=8)"
    one(panel, ipywidgets.IntSlider, description="weights, bits").value = 4
    assert str(panel.recipe) == "PruneWeights(sparsity=0.5) | Quantize(weights=4)"


def test_run_and_stop_buttons(panel):
    run, stop = (
        one(panel, ipywidgets.Button, description="Run"),
        one(panel, ipywidgets.Button, description="Stop"),
    )
    assert not run.disabled and stop.disabled
    panel.recipe = LONG
    run.click()
    until_it_trains(panel.session)
    assert run.disabled and not stop.disabled
    stop.click()
    assert stop.disabled  # at once, whatever the job is at
    panel.wait()
    assert panel.selected.is_stopped and not run.disabled


def test_strip_writes_estimates_with_almost_and_measurements_without(panel):
    panel.recipe = "PruneWeights(sparsity=0.6)"
    panel.wait()
    assert "○ preview" in html_of(panel) and "≈" in html_of(panel)
    panel.run()
    panel.wait()
    assert "● v1" in html_of(panel) and "≈" not in html_of(panel)


def test_chart_gets_a_hollow_mark_then_a_solid_one(panel):
    def kinds():
        rows = panel.board.shown("tradeoff")
        return [row["kind"] for row in rows if row["kind"] in ("baseline", "preview", "version")]

    assert kinds() == ["baseline", "preview"]
    panel.run()
    panel.wait()
    assert kinds() == ["baseline", "version"]
    panel.recipe = "PruneWeights(sparsity=0.1)"
    panel.wait()
    assert kinds() == ["baseline", "preview", "version"]


def test_clicking_a_mark_selects_its_version(panel):
    panel.run()
    panel.wait()
    version = panel.selected
    click = {"points": [{"id": "original"}], "turn": 1}
    panel.board.selections = {"tradeoff": {"pick": click}}
    assert panel.selected is None
    panel.board.selections = {"tradeoff": {"pick": {"points": [{"id": version.id}], "turn": 2}}}
    assert panel.selected.id == version.id


def shift_click(panel, id, turn):
    panel.board.selections = {"tradeoff": {"pick": {"points": [{"id": id}], "shift": True, "turn": turn}}}


def test_axes_are_chosen_from_python(panel):
    panel.run()
    panel.wait()
    panel.axes = ("macs", "peak_memory")
    assert one(panel, ipywidgets.Dropdown, description="up").value == "peak_memory"
    report = panel.selected.report
    [row] = panel.board.shown("tradeoff:versions")
    assert (row["x"], row["y"]) == (report.macs, report.peak_memory)
    for name in ("x", "y"):
        axis = panel.board.specs["tradeoff"]["layer"][0]["encoding"][name]
        assert axis["title"] == {"x": "MACs (log scale)", "y": "peak memory (log scale)"}[name]
    panel.axes = ("latency:pytroch", "accuracy")
    assert "nothing called 'latency:pytroch' to draw; did you mean 'latency:pytorch'" in panel.error
    assert panel.axes == ("macs", "peak_memory")


def test_shift_and_a_click_select_many(panel):
    first, second = two_versions(panel)
    assert panel.selected.id == second.id
    shift_click(panel, first.id, 1)  # as in any list: the one that was there stays
    assert panel.selection == [first, second] and panel.selected.id == second.id
    shift_click(panel, first.id, 2)
    assert panel.selection == [second]
    shift_click(panel, "original", 3)  # it is no version
    assert panel.selection == [second]
    panel.board.selections = {"tradeoff": {"pick": {"points": [{"id": first.id}], "turn": 4}}}
    assert panel.selection == [] and panel.selected.id == first.id


def test_selection_goes_both_ways(panel):
    first, second = two_versions(panel)
    panel.selection = ["v1"]
    assert panel.selection == [first] and panel.session.listed == [first]
    rings = {row["id"]: row["ring"] for row in panel.board.shown("tradeoff") if row["kind"] == "ring"}
    assert rings == {first.id: "picked", second.id: "head"}
    panel.selection = [second, first, first]
    assert panel.selection == [first, second]
    panel.selection = ["v7"]
    assert "no version 'v7'" in panel.error and panel.selection == [first, second]
    panel.selection = 5
    assert "a list of versions or their names" in panel.error
    panel.selection = None
    assert panel.selection == [] and len(panel.session.listed) == 2
    assert panel.selected.id == second.id  # the one worked from is another thing


def test_versions_are_selected_by_keyboard(panel):
    first, second = two_versions(panel)
    shown = one(panel, ipywidgets.SelectMultiple)
    assert not lean.is_shown(shown) and shown.options == ()
    one(panel, ipywidgets.ToggleButton, description="select").value = True
    assert lean.is_shown(shown) and [id for _, id in shown.options] == [second.id, first.id]
    shown.value = (first.id, second.id)
    assert panel.selection == [first, second]
    panel.selection = [second]
    assert shown.value == (second.id,)


def test_a_rectangle_goes_when_something_else_is_selected(panel):
    first, second = two_versions(panel)
    cleared = []
    panel.board.clear = lambda chart, name: cleared.append((chart, name))
    everywhere = {"x": [0, 1e9], "y": [0, 1]}
    panel.board.selections = {"tradeoff": {"box": {"ranges": everywhere, "turn": 1}}}
    assert panel.selection == [first, second] and cleared == []
    panel.selection = [first]
    assert cleared == [("tradeoff", "box")]
    panel.board.selections = {"tradeoff": {"box": {"ranges": {}, "turn": 2}}}  # not what is selected now
    assert panel.selection == [first]


def test_a_selected_version_that_is_deleted_leaves_the_selection(panel):
    first, second = two_versions(panel)
    panel.selection = [first, second]
    panel.session.tree.delete(first)
    assert [each.id for each in panel.selection] == [second.id]


def test_limits_as_a_person_types_them(panel):
    _, second = two_versions(panel)
    size = limit_field(panel, "size ≤")
    size.value = f"{second.packed_bytes} B"
    assert panel.limits.max_size == second.packed_bytes
    assert "1 of 2 fits; highest accuracy: v2" in told_of_limits(panel)
    assert "n = 48 validation" in told_of_limits(panel)
    assert "The original fits too." in told_of_limits(panel)  # a file of so small a net is mostly header
    panel.limits = {"max_size": 1}
    assert "None of 2 fits" in told_of_limits(panel) and "original" not in told_of_limits(panel)
    panel.limits = {"max_size": second.packed_bytes}
    assert panel.best.id == second.id
    size.value = "much"
    assert panel.error == "size at most: write it like 50 KB, got 'much'"
    assert size.value == f"{second.packed_bytes} B" and panel.limits.max_size == second.packed_bytes
    size.value = ""
    assert panel.error == "" and not panel.limits and panel.best is None
    assert "fit" not in told_of_limits(panel)


def test_limits_go_both_ways(panel):
    from workbench.exploration.limits import Limits

    panel.limits = {"max_size": "256 KiB", "min_accuracy": 0.5}
    assert (
        limit_field(panel, "size ≤").value == "262144" and limit_field(panel, "accuracy ≥").value == "50.0 %"
    )
    assert "press Run" in told_of_limits(panel)
    panel.limits = {"max_weight": 3}
    assert "no limit 'max_weight'; there are max_size" in panel.error
    assert panel.limits == Limits(max_size=262_144, min_accuracy=0.5)
    panel.limits = None
    assert limit_field(panel, "size ≤").value == ""


def test_limits_are_shaded_and_the_best_is_ringed(panel):
    first, second = two_versions(panel)
    panel.limits = {"max_size": first.packed_bytes - 1}
    kinds = {row["kind"]: row for row in panel.board.shown("tradeoff")}
    assert kinds["region"]["x2"] == first.packed_bytes - 1
    versions = {row["id"]: row["fits"] for row in panel.board.shown("tradeoff:versions")}
    assert versions == {first.id: "no", second.id: "yes"}


def two_versions(panel):
    """Two versions, the second smaller and worked from."""
    for sparsity in (0.2, 0.8):
        panel.recipe = f"PruneWeights(sparsity={sparsity})"
        panel.run()
        panel.wait()
    return panel.versions


def limit_field(panel, description):
    return one(panel, ipywidgets.Text, description=description)


def told_of_limits(panel):
    return one(panel, ipywidgets.HTML, _dom_classes=("wb-limits-told",)).value


def test_rectangle_narrows_the_list_of_versions(panel):
    for sparsity in (0.2, 0.8):
        panel.recipe = f"PruneWeights(sparsity={sparsity})"
        panel.run()
        panel.wait()
    smaller = min(panel.versions, key=lambda each: each.packed_bytes)
    box = {"ranges": {"x": [0, smaller.packed_bytes + 1], "y": [0, 1]}, "turn": 1}
    panel.board.selections = {"tradeoff": {"box": box}}
    panel.tab = "Versions"
    shown = one(panel, VersionTable)
    assert [row["id"] for row in shown.rows] == ["", smaller.id]
    panel.board.selections = {"tradeoff": {"box": {"ranges": {}, "turn": 2}}}
    assert len(shown.rows) == 3


def test_list_of_versions_selects(panel):
    panel.run()
    panel.wait()
    panel.tab = "Versions"
    shown = one(panel, VersionTable)
    assert shown.selected == panel.selected.id
    shown._hear(None, {"kind": "select", "id": ""}, [])  # what a click sends
    assert panel.selected is None
    shown._hear(None, {"kind": "select", "id": panel.versions[0].id}, [])
    assert panel.selected.name == "v1"


def test_tabs_are_made_when_they_are_first_looked_at(panel):
    titles = lambda: [each.title for each in panel.views if hasattr(each, "title")]  # noqa: E731
    assert panel.tab == "Layers" and titles() == ["Layers"]
    panel.run()
    panel.wait()
    panel.tab = "Versions"
    assert titles() == ["Layers", "Versions"]
    assert [row["name"] for row in panel.views[-1].table.rows] == ["original", "v1"]
    panel.tab = "Layers"
    panel.tab = "Versions"
    assert titles() == ["Layers", "Versions"]


def test_tab_that_is_not_there_is_said(panel):
    panel.tab = "Version"
    assert panel.error.startswith("there is no tab 'Version'; did you mean 'Versions'?")
    assert panel.tab == "Layers"


def test_latency_takes_the_place_of_size(panel):
    panel.run()
    panel.wait()
    one(panel, ipywidgets.Dropdown, description="against").value = "latency:pytorch"
    [row] = panel.board.shown("tradeoff:versions")
    assert row["x"] == panel.selected.report.latency["pytorch"].median_ms


def test_what_a_view_raises_is_shown(panel):
    def broken():
        raise RuntimeError("a view broke")

    panel._views[-2].refresh = broken
    panel.recipe = "PruneWeights(sparsity=0.9)"
    panel.wait()
    assert panel.error == "RuntimeError: a view broke"


def test_closing_frees_every_widget(work):
    Workbench(work, tree=VersionTree(None, work)).close()  # what lives as long as the page is there now
    before = set(ipywidgets.widget._instances)
    panel = Workbench(work, tree=VersionTree(None, work))
    assert len(set(ipywidgets.widget._instances) - before) > 50
    panel.session.add("Quantize")
    panel.close()
    assert set(ipywidgets.widget._instances) == before


def test_closed_panel_still_names_its_recipe_and_versions_and_says_what_it_cannot(work):
    panel = Workbench(work, "PruneWeights(sparsity=0.5)", tree=VersionTree(None, work), names={})
    panel.run()
    panel.wait()
    made = panel.selected
    panel.close()
    panel.close()
    assert (panel.work, str(panel.recipe), panel.versions, panel.selected) == (
        work,
        "PruneWeights(sparsity=0.5)",
        [made],
        made,
    )
    assert not panel.is_running and repr(panel).startswith("<Workbench of")
    for asked in (
        lambda: panel.preview,
        panel.run,
        panel.still,
        lambda: setattr(panel, "recipe", "Quantize(4)"),
    ):
        with pytest.raises(WorkbenchError, match="the panel is closed; run its cell again"):
            asked()
    with pytest.raises(AttributeError, match="'Workbench' object has no attribute 'nonsense'"):
        _ = panel.nonsense


def test_what_waits_for_a_telling_is_done_though_an_observer_raised():
    telling, done = Telling(), []

    def broken(topics):
        raise RuntimeError("an observer broke")

    telling.observe_all(broken)
    with pytest.raises(RuntimeError, match="an observer broke"), telling.together():
        telling.tell("recipe")
        telling.after(lambda: done.append("begun"))
    assert done == ["begun"]


def test_running_a_cell_again_closes_the_panel_it_made(work, monkeypatch):
    places = iter([("cell", "run 1"), ("cell", "run 1"), ("cell", "run 2"), ("other", "run 3")])
    monkeypatch.setattr(open_panels, "_place", lambda panel: next(places))
    first, second, again, other = (Workbench(work, tree=VersionTree(None, work)) for _ in range(4))
    assert [each._is_closed for each in (first, second, again, other)] == [True, True, False, False]
    again.close(), other.close()


def test_number_of_open_panels_is_bounded(work, monkeypatch):
    monkeypatch.setattr(open_panels, "MOST", 2)
    panels = [Workbench(work, tree=VersionTree(None, work)) for _ in range(4)]
    assert [each._is_closed for each in panels] == [True, True, False, False]
    for each in panels:
        each.close()


def test_draft_keeps_what_is_off_in_its_place():
    draft = Draft.of(Recipe.parse("PruneWeights(0.5) | FineTune(epochs=1) | Quantize(8)"))
    draft = draft.switched(draft.steps[1].id, False)
    written = draft.rewritten(Recipe.parse("PruneWeights(0.9) | Quantize(4)"))
    assert [type(each.technique).__name__ for each in written.steps] == [
        "PruneWeights",
        "FineTune",
        "Quantize",
    ]
    assert [each.id for each in written.steps] == [each.id for each in draft.steps]
