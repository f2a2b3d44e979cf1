"""What the left-hand panel is told of a kernel, and that nothing it is told can do harm."""

from __future__ import annotations

import json
import time
import types

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from torch import nn

import workbench as wb
from workbench import versions
from workbench.labextension import asking, listing, spelling, telling
from workbench.magics import arguments, verbs
from workbench.preferences import Preferences, prefer, preferred


@pytest.fixture(scope="module")
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.fixture
def notebook(shell, tmp_path, monkeypatch):
    """The variables of an empty notebook in a folder of its own, with no versions yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(versions, "_trees", {})
    before = preferred()
    shell.user_ns.clear()
    yield shell.user_ns
    shell.user_ns.clear()
    shell.run_line_magic("unload_ext", "workbench")
    versions.keep_in(None)
    prefer(before)


def ask(do: str, **more) -> dict:
    question = json.dumps({"do": do, "front_end": wb.__version__, **more})
    answer = asking.ask(question)
    assert json.loads(json.dumps(answer)) == answer  # plain JSON
    return answer


def small_work() -> wb.Workload:
    torch.manual_seed(0)
    inputs = torch.randn(40, 6)
    return wb.Workload(nn.Sequential(nn.Linear(6, 4)), validation=(inputs, torch.arange(40) % 4))


def test_models_are_listed_with_class_parameters_and_size(notebook):
    notebook.update(
        net=nn.Linear(3, 2), loss=nn.ReLU(), x=torch.zeros(3), cls=nn.Linear, _hidden=nn.Linear(1, 1)
    )
    (net,) = ask("list")["models"]
    assert (net["name"], net["class"], net["parameters"], net["bytes"]) == ("net", "Linear", 8, 32)
    assert net["line"] == "%compress net"


@pytest.mark.slow
def test_versions_are_listed_with_their_figures_under_the_name_of_their_model(notebook):
    notebook["work"] = work = small_work()
    first = wb.compress(work, "PruneWeights(sparsity=0.5)")
    wb.compress(work, "Quantize(weights=4)", parent=first)
    (family,) = ask("list")["families"]
    assert family["name"] == "work"
    one, two = family["versions"]
    assert (one["name"], one["bytes"], one["is_head"]) == ("v1", first.packed_bytes, False)
    assert one["accuracy"] == first.report.accuracy.value
    assert one["speedup"] == first.report.latency["pytorch"].speedup
    assert two["is_head"] and two["line"] == "%compress v2"


@pytest.mark.slow
def test_code_of_a_version_makes_the_same_version(notebook):
    notebook["work"] = work = small_work()
    first = wb.compress(work, "PruneWeights(sparsity=0.5)", seed=3)
    second = wb.compress(work, "Quantize(weights=4)", parent=first)
    (family,) = ask("list")["families"]
    code = family["versions"][1]["code"]
    scope = {"work": work}
    exec(code.replace("wb.compress", "made = wb.compress"), scope)
    assert torch.equal(scope["made"].model[0].weight, second.model[0].weight)


@pytest.mark.slow
def test_two_versions_of_a_name_are_told_apart(notebook):
    notebook["work"], notebook["other"] = small_work(), wb.Workload(nn.Linear(3, 3))
    notebook["v2"] = 3  # a variable would be found before the version
    for work in (notebook["work"], notebook["other"]):
        wb.compress(work, "PruneWeights(sparsity=0.5)")
    wb.compress(notebook["work"], "PruneWeights(sparsity=0.8)")
    families = ask("list")["families"]
    words = [(each["name"], each["word"], each["id"]) for family in families for each in family["versions"]]
    assert all(word == id for _, word, id in words)
    assert {name for name, _, _ in words} == {"v1", "v2"}


def test_a_version_in_a_variable_is_called_by_it(notebook):
    notebook["work"] = work = small_work()
    notebook["small"] = wb.compress(work, "PruneWeights(sparsity=0.5)")
    (family,) = ask("list")["families"]
    assert family["versions"][0]["word"] == "small"


NAMES = [
    "net",
    "my net",
    "save",
    "größe",
    "a'b",
    'a"b',
    "net(1)",
    "x # y",
    "--flag",
    "PruneWeights",
    "a|b",
    "a\\",
]


@pytest.mark.parametrize("name", [*NAMES, *verbs.names()])
def test_line_for_a_name_is_read_back_as_that_name(name):
    line = spelling.line(name)
    request = arguments.parse(line.removeprefix("%compress "))
    assert (request.verb, request.model, request.parts) == ("", name, ())


@pytest.mark.parametrize("name", ["", "a\nb", "a'b\"c d"])
def test_name_that_cannot_be_written_gets_no_line(name):
    assert spelling.line(name) is None


def test_magic_reaches_every_model_that_is_listed(notebook, shell):
    shell.run_line_magic("load_ext", "workbench")
    for name in ("net", "my net", "save", "größe"):
        notebook[name] = nn.Linear(3, 3)
    for model in ask("list")["models"]:
        shell.run_line_magic(
            "compress", f"{model['line'].removeprefix('%compress')} PruneWeights(sparsity=0.5)"
        )
    assert next(tree.work.model for tree in versions.trees()) is notebook["net"]
    assert sum(map(len, versions.trees())) == 4


def test_objects_that_do_not_let_themselves_be_looked_at_are_no_models(notebook):
    class Shy:
        @property
        def __class__(self):
            raise RuntimeError("do not look")

    notebook.update(shy=Shy(), net=nn.Linear(1, 1), module=types.ModuleType("module"))
    assert [each["name"] for each in ask("list")["models"]] == ["net"]


def test_model_without_sizes_yet_is_listed_without_them(notebook):
    notebook["lazy"] = nn.LazyLinear(3)
    (lazy,) = ask("list")["models"]
    assert lazy["parameters"] is None


def test_a_thousand_variables_take_milliseconds(notebook):
    notebook.update({f"x{i}": [list(range(100))] * 100 for i in range(1000)}, net=nn.Linear(1, 1))
    ask("list")
    begun = time.thread_time()
    assert len(ask("list")["models"]) == 1
    assert time.thread_time() - begun < 0.1  # 5 to 15 ms on a machine with nothing else to do


def test_too_many_models_are_counted_and_not_listed(notebook):
    notebook.update({f"net{i}": nn.Linear(1, 1) for i in range(listing.MOST + 5)})
    told = ask("list")
    assert (len(told["models"]), told["left_out"]) == (listing.MOST, 5)


def test_save_writes_the_bytes_and_asks_before_it_replaces(notebook, tmp_path):
    notebook["work"] = work = small_work()
    version = wb.compress(work, "PruneWeights(sparsity=0.5)")
    assert "v1 written to" in ask("save", id=version.id, path="small")["said"]
    assert (tmp_path / "small.safetensors").read_bytes() == version.packed
    assert ask("save", id=version.id, path="small")["exists"] == "small.safetensors"
    assert "said" in ask("save", id=version.id, path="small", replace=True)
    assert "there is no folder" in ask("save", id=version.id, path="no/where.safetensors")["error"]


def test_version_that_is_gone_is_said_in_a_line(notebook):
    assert "no longer there" in ask("save", id="0" * 12, path="x")["error"]


@pytest.mark.parametrize("question", ["", "[]", "{}", '{"do": "eval"}', '{"do": ["list"]}', "{'do': 'list'}"])
def test_question_that_is_none_is_refused_in_a_line(question):
    assert "does not know" in asking.ask(question)["error"]


def test_versions_of_the_two_sides_are_compared(notebook):
    assert not ask("list")["differ"]
    assert json.loads(json.dumps(asking.ask('{"do": "list", "front_end": "0.0.1"}')))["differ"]


def test_answer_reaches_the_front_end_as_json(notebook, shell):
    told = shell.user_expressions(
        {"told": "__import__('workbench.labextension.asking', fromlist=['ask']).ask('{}')"}
    )
    assert told["told"]["data"]["application/json"]["version"] == wb.__version__


def test_preferences_are_what_new_workloads_and_panels_begin_with(notebook):
    from workbench.panels.state.session import Session

    ask("prepare", settings={"runtime": "onnxruntime", "threads": 2})
    work = wb.Workload(nn.Linear(3, 3))
    session = Session(work)
    session.close()
    assert (work.threads, session.runtime) == (2, "onnxruntime")
    ask("prepare", settings={"runtime": "pytorch", "threads": 0})
    assert preferred() == Preferences()
    assert "threads must lie" in ask("prepare", settings={"threads": -1})["error"]


def test_magics_are_loaded_only_where_that_is_chosen(notebook):
    assert not ask("prepare", settings={})["are_magics_loaded"]
    assert ask("prepare", settings={}, load_magics=True)["are_magics_loaded"]


def test_front_ends_are_told_when_any_tree_changes(notebook, monkeypatch):
    sent = []

    class Comm:
        def __init__(self, target_name: str) -> None:
            assert target_name == telling.TARGET

        def send(self, data: dict) -> None:
            sent.append(self)

        def close(self) -> None:
            sent.append("closed")

    monkeypatch.setattr("comm.create_comm", Comm)
    monkeypatch.setattr(telling, "_comms", type(telling._comms)())
    for _ in range(telling.MOST + 1):
        ask("list", listen=True)
    assert sent == ["closed"]  # the oldest made room
    wb.compress(small_work(), "PruneWeights(sparsity=0.5)")
    assert len(sent) > telling.MOST
