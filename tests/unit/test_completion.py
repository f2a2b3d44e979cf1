"""Tab offers what can come next in a line or cell of %compress, and needs no torch to know it."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest

from workbench.magics import verbs
from workbench.magics.completion import complete, written
from workbench.magics.grammar import RUN
from workbench.magics.namespace import Namespace
from workbench.options import describe
from workbench.technique import short_flags, techniques


def offered(before: str, **variables: object) -> list[str]:
    return [each.text for each in complete(before, Namespace(variables)).found]


@pytest.fixture
def net():
    torch = pytest.importorskip("torch")
    return torch.nn.Linear(2, 2)


def test_the_first_word_is_a_verb_or_a_model(net):
    assert offered("", net=net) == [*verbs.names(), "net"]
    assert offered("mea") == ["measure"]
    assert offered("n", net=net, note=3) == ["net"]


def starting(letters: str) -> list[str]:
    """The techniques whose names begin so, of which there is one at least."""
    found = [name for name in techniques() if name.startswith(letters)]
    assert found
    return found


def test_after_the_model_come_techniques():
    assert offered("net ") == list(techniques())
    assert offered("net Pru") == starting("Pru")
    assert offered("net PruneWeights(0.9) | Fi") == ["FineTune"]
    assert offered("net PruneWeights(0.9)|Fi") == ["FineTune"]
    assert offered("--model save Qu") == starting("Qu")


def test_after_a_step_comes_a_bar_or_a_flag():
    assert offered("net PruneWeights(0.9) ") == ["| ", *short_flags(), *RUN]


@pytest.mark.parametrize("name", techniques())
def test_every_option_of_every_technique_is_offered(name):
    options = [f"{each.name}=" for each in describe(techniques()[name])]
    assert offered(f"net {name}(") == options


def test_options_already_given_are_not_offered_again():
    assert "scope=" not in offered("net PruneWeights(scope='layer', ")
    assert "sparsity=" not in offered("net PruneWeights(0.9, ")


def test_choices_are_offered_as_they_are_written():
    assert offered("net PruneWeights(scope=")[:2] == ["'global'", "'layer'"]
    assert offered("net PruneWeights(scope='l") == ["'layer'"]
    assert offered("net PruneWeights(scope=l") == ["'layer'"]
    assert complete("net PruneWeights(scope='l", Namespace({})).fragment == "'l"


def test_flags_are_derived_from_the_techniques():
    assert set(short_flags()) <= set(offered("net --"))
    assert offered("net --bits 4 --gran") == ["--granularity"]
    assert offered("net --gran") == []  # it belongs to a technique that was not written
    assert offered("net --bits 4 --granularity ") == ["channel", "tensor", "group"]


def test_flags_given_once_are_not_offered_again_but_steps_are():
    after = offered("net --bits 4 --into small --")
    assert "--into" not in after
    assert "--bits" in after


def test_values_of_flags_are_offered(net):
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader([(torch.zeros(2), 0)])
    assert offered("net --validation ", net=net, loader=loader) == ["loader"]
    assert offered("--model ", net=net, loader=loader) == ["net"]
    assert offered("measure net --split ") == ["train", "validation", "test"]
    assert offered("net --into ") == []


@pytest.mark.parametrize("name", verbs.names())
def test_a_verb_offers_its_own_flags(name):
    assert offered(f"{name} --") == list(verbs.find(name).flags)


def test_help_offers_techniques_and_verbs():
    assert offered("help ") == [*techniques(), *verbs.names()]


@pytest.mark.parametrize("before", ["net # Pru", "net PruneWeights(layers={'", "net nothing("])
def test_nothing_is_offered_where_nothing_is_known(before):
    assert offered(before) == []


def test_only_lines_and_cells_of_compress_are_completed():
    assert written("%compress net Pru") == "net Pru"
    assert written("x = 1\n%compress net Pru") == "net Pru"
    assert written("%%compress net\nPruneWeights(0.9)\n| Fi") == "net\nPruneWeights(0.9)\n| Fi"
    assert written("compress(work, Pru") is None
    assert written("%compression Pru") is None
    assert written("%compress net\nPru") is None


COMPLETED = """
import sys
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "workbench")
shell.user_ns["net"] = object()
def completions(text):
    with provisionalcompleter():
        return [(text[:each.start] + each.text) for each in shell.Completer.completions(text, len(text))]
assert completions("%compress mea") == ["%compress measure"], completions("%compress mea")
cell = "%%compress net --into small\\nPruneWeights(sparsity=0.9)\\n| Quantize(gra"
assert completions(cell) == [cell + "nularity="], completions(cell)
assert shell.complete("", "%compress net PruneWeights(spa", 30) == ("spa", ["sparsity="])
assert "torch" not in sys.modules
shell.run_line_magic("unload_ext", "workbench")
assert "measure" not in "".join(completions("%compress mea"))
assert "compress" not in shell.magics_manager.magics["line"]
print("done")
"""


def test_a_real_shell_completes_lines_and_cells_without_torch():
    ran = subprocess.run([sys.executable, "-c", COMPLETED], capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip().endswith("done"), ran.stderr


def test_models_are_found_only_where_torch_is_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert offered("", net=types.SimpleNamespace()) == list(verbs.names())
