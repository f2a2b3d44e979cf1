"""The magics find models and data by name, remember a workload per model, and offer the data they find."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
import small
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from workbench import versions
from workbench.errors import WorkbenchError
from workbench.magics.namespace import Namespace
from workbench.magics.offers import offer
from workbench.magics.session import Session


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """A session on a namespace of its own; no shell is needed to look things up."""
    monkeypatch.chdir(tmp_path)
    variables: dict[str, object] = {"net": small.net()}
    return Session(SimpleNamespace(user_ns=variables, user_ns_hidden={})), variables


def loader(seed: int = 0, **options: object) -> DataLoader:
    return DataLoader(TensorDataset(*small.blobs(24, seed)), batch_size=8, **options)


def error(action) -> str:
    with pytest.raises(WorkbenchError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_unknown_model_lists_those_there_are(notebook):
    session, variables = notebook
    variables["teacher"] = small.net(seed=1)
    assert error(lambda: session.subject("nte")) == "no model named 'nte'; this notebook has: net, teacher"


def test_without_models_the_example_is_offered():
    assert "%compress alone opens an example" in error(lambda: Namespace({}).model("net"))


def test_a_misspelt_verb_is_recognised(notebook):
    assert "did you mean 'measure'?" in error(lambda: notebook[0].subject("mesure"))


def test_what_is_no_model_says_what_it_is(notebook):
    session, variables = notebook
    variables |= {"number": 3, "Net": nn.Linear, "state": small.net().state_dict()}
    assert "'number' is of type int, not a torch.nn.Module" in error(lambda: session.subject("number"))
    assert "Net is a class; make a model of it first" in error(lambda: session.subject("Net"))
    assert "OrderedDict" in error(lambda: session.subject("state"))


def test_losses_and_private_names_are_not_listed_as_models():
    variables = {"net": small.net(), "loss": nn.CrossEntropyLoss(), "_": small.net(), "n": 3}
    assert list(Namespace(variables).models()) == ["net"]


@pytest.mark.parametrize("text", ["data.val", "loaders[0]", "make()", "3", "'text'", "a b", "lambda: 0"])
def test_nothing_is_evaluated(notebook, text):
    session, variables = notebook
    variables["make"] = lambda: pytest.fail("it was called")
    line = error(lambda: session.subject("net", {"validation": text}))
    assert "--validation takes the name of a variable" in line
    assert "assign it first" in line


def test_unknown_data_lists_what_there_is(notebook):
    session, variables = notebook
    variables["val_loader"] = loader()
    line = error(lambda: session.subject("net", {"validation": "val_laoder"}))
    assert "did you mean 'val_loader'?" in line


def test_a_pair_of_variables_is_data(notebook):
    session, variables = notebook
    variables["x"], variables["y"] = small.blobs(20)
    assert session.subject("net", {"test": "(x, y)"}).work.test.n == 10  # half of it is validation


def test_the_same_model_and_data_are_the_same_workload(notebook):
    session, variables = notebook
    variables["val"] = loader()
    first = session.subject("net", {"validation": "val"})
    assert session.subject("net", {"validation": "val"}).work is first.work
    assert session.subject("net").work is first.work  # the data named last are remembered
    assert session.subject().work is first.work  # and so is the model


def test_a_pair_is_the_same_data_each_time(notebook):
    session, variables = notebook
    variables["x"], variables["y"] = small.blobs(20)
    work = session.subject("net", {"test": "(x, y)"}).work
    assert session.subject("net", {"test": "(x, y)"}).work is work


def test_a_trained_model_makes_a_new_workload(notebook):
    session, variables = notebook
    variables["val"] = loader()
    before = session.subject("net", {"validation": "val"}).work
    with torch.no_grad():
        variables["net"][0].weight += 1
    after = session.subject("net").work
    assert after is not before
    assert after.validation is not None


def test_other_data_make_a_new_workload(notebook):
    session, variables = notebook
    variables |= {"val": loader(), "other": loader(1)}
    before = session.subject("net", {"validation": "val"}).work
    assert session.subject("net", {"validation": "other"}).work is not before


def test_a_loader_that_was_made_again_is_used(notebook):
    session, variables = notebook
    variables["val"] = loader()
    before = session.subject("net", {"validation": "val"}).work
    variables["val"] = loader(1)
    assert session.subject("net").work is not before
    del variables["val"]
    assert session.subject("net").work.validation is not None


def test_a_model_that_left_the_notebook_is_let_go(notebook):
    session, variables = notebook
    session.subject("net")
    gone = weakref.ref(variables.pop("net"))
    variables["other"] = small.net(seed=1)
    session.subject("other")
    session.subject("other")
    gc.collect()
    assert gone() is None


def test_a_workload_stands_for_its_model(notebook):
    session, variables = notebook
    variables["work"] = small.workload()
    assert session.subject("work").work is variables["work"]
    assert session.subject("work").code == "work"


def test_the_line_of_python_makes_the_same_workload(notebook):
    session, variables = notebook
    variables["val"] = loader()
    subject = session.subject("net", {"validation": "val"})
    assert subject.code == "wb.Workload(net, validation=val)"


def test_without_a_name_the_only_model_is_meant(notebook):
    session, variables = notebook
    assert session.subject().name == "net"
    other = Session(SimpleNamespace(user_ns={**variables, "teacher": small.net()}, user_ns_hidden={}))
    assert "say which model; this notebook has: net, teacher" in error(other.subject)


@pytest.mark.parametrize("name", ["net", "work", "2small", "class", "a.b"])
def test_a_result_never_replaces_a_model(notebook, name):
    session, variables = notebook
    variables["work"] = small.workload()
    before = dict(variables)
    assert "--into" in error(lambda: session.names.check_free(name))
    assert variables == before


def test_data_the_model_takes_are_offered_by_flag(notebook):
    session, variables = notebook
    variables |= {
        "train_loader": loader(),
        "val_loader": loader(1),
        "wrong": TensorDataset(torch.zeros(4, 7), torch.zeros(4).long()),  # the net takes 6 features
        "text": "val",
    }
    variables["x_test"], variables["y_test"] = small.blobs(12, 2)
    assert offer(session.names, session.subject("net").work) == (
        "--train train_loader --validation val_loader --test (x_test, y_test)"
    )


@pytest.mark.parametrize(
    "inputs, targets",
    [("x", "y"), ("X_val", "y_val"), ("val_images", "val_labels"), ("inputs", "targets"), ("xs", "ys")],
)
def test_pairs_of_tensors_are_told_by_their_names(notebook, inputs, targets):
    session, variables = notebook
    variables[inputs], variables[targets] = small.blobs(12)
    assert offer(session.names, session.subject("net").work) == f"--validation ({inputs}, {targets})"


class Endless(IterableDataset):
    def __iter__(self):
        inputs, targets = small.blobs(1)
        while True:
            yield inputs[0], targets[0]


def test_looking_for_data_changes_nothing(notebook):
    session, variables = notebook
    net = variables["net"].train()
    variables |= {"shuffled": loader(shuffle=True), "stream": DataLoader(Endless(), batch_size=2)}
    work, weights, random = session.subject("net").work, small.states(net), torch.get_rng_state()
    assert offer(session.names, work) == "--validation shuffled"
    assert torch.equal(torch.get_rng_state(), random)
    assert small.same(small.states(net), weights)
    assert net.training
    assert not small.hooks(net)


def test_without_data_nothing_is_offered(notebook):
    session, _ = notebook
    assert offer(session.names, session.subject("net").work) == ""


def test_looking_at_versions_unpacks_none(notebook):
    session, variables = notebook
    work = session.subject("net").work

    class Version:  # told by its name and where it comes from, as everything here
        __module__ = "workbench.versions"
        name = "v1"

        def __init__(self) -> None:
            self.work = work

        @property
        def model(self) -> object:
            pytest.fail("it was unpacked")

    variables["small"] = Version()
    assert session.subject("small").work is work
    assert session.subject("net").work is work


def test_trees_begun_in_memory_move_beside_the_notebook(notebook):
    tree = versions.tree_for(small.workload(small.net(seed=9)))
    assert not tree.is_kept
    try:
        versions.keep_in(Path.cwd() / ".workbench")  # what loading the extension does
        assert tree.is_kept
        assert tree.path == Path.cwd() / ".workbench" / "versions.sqlite"
    finally:
        versions.keep_in(None)
