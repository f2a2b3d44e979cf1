"""A notebook opens at once: what `import workbench` and `%load_ext workbench` may not import or cost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions, requires

import pytest

LIMIT = 0.3  # seconds of processor time
TRIALS = 5
START = {"import": "", "load_ext": "from IPython.core.interactiveshell import InteractiveShell as Shell\n"}
LOAD = {"import": "import workbench", "load_ext": "Shell.instance().run_line_magic('load_ext', 'workbench')"}
# the shell itself is made before the clock starts, so that only the extension is measured
WARM = {"import": "", "load_ext": "Shell.instance()"}
MEASURED = """
import json, sys, time
{warm}
before, started = set(sys.modules), time.process_time()
{load}
print(json.dumps([time.process_time() - started, sorted(set(sys.modules) - before)]))
"""
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ImportError("unimportable in this test: " + name)
sys.meta_path.insert(0, Blocker())
"""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def heavy() -> tuple[str, ...]:
    """The import names of everything the package depends on, but IPython, which is there already."""
    needed = {
        canonical(re.match(r"[\w.-]+", line).group())
        for line in requires("compression-workbench")
        if "extra ==" not in line
    } - {"ipython"}
    found = packages_distributions().items()
    return tuple(sorted(top for top, names in found if needed & {canonical(name) for name in names}))


def python(script: str) -> str:
    """The last line that a fresh interpreter prints."""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("way", LOAD)
def test_opening_imports_nothing_heavy_and_is_quick(way):
    script = START[way] + MEASURED.format(warm=WARM[way], load=LOAD[way])
    trials = [json.loads(python(script)) for _ in range(TRIALS)]
    imported = {name.partition(".")[0] for name in trials[0][1]}
    assert "workbench" in imported
    assert {"torch", "numpy", "yaml", "altair", "ipywidgets"} <= set(heavy())
    assert not imported & set(heavy())
    assert min(seconds for seconds, _ in trials) < LIMIT


TORCH_FREE = {
    "listing": """
from workbench.technique import techniques
assert {"PruneWeights", "Quantize", "FineTune"} <= set(techniques())""",
    "describing": """
from workbench.options import describe
from workbench.technique import techniques
assert all(describe(technique) is not None for technique in techniques().values())""",
    "parsing": """
text = "PruneWeights(sparsity=0.9) | FineTune(epochs=2)"
assert str(wb.Recipe.parse(text)) == text""",
    "refusing": """
from workbench.errors import WorkbenchError
try:
    wb.Recipe.parse("PruneWeigths(sparsity=0.9)")
except WorkbenchError as error:
    assert "PruneWeights" in str(error)
else:
    raise AssertionError("an unknown technique was parsed")""",
    "JSON": """
recipe = wb.Recipe.parse("Quantize(weights=4)")
assert wb.Recipe.from_json(recipe.to_json()) == recipe""",
}


@pytest.mark.parametrize("what", TORCH_FREE)
def test_recipes_need_no_torch(what):
    prelude = BLOCKED.format(names=set(heavy())) + "import workbench as wb\n"
    assert python(f"{prelude}{TORCH_FREE[what]}\nprint('done')") == "done"


def test_panels_are_there_before_torch():
    assert python(BLOCKED.format(names={"torch"}) + "\nimport workbench.panels\nprint('done')") == "done"


COMPLETION = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "workbench")
def complete(line):
    return shell.complete(line, line)[1]
assert any("PruneWeights" in match for match in complete("%compress net Pru"))
assert any("sparsity" in match for match in complete("%compress net PruneWeights(spa"))
assert any("measure" in match for match in complete("%compress mea"))
print("done")
"""


def test_completion_needs_no_torch():
    assert python(BLOCKED.format(names=set(heavy())) + COMPLETION) == "done"


def test_blocker_of_these_tests_blocks():
    script = BLOCKED.format(names={"torch"}) + "import torch"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "unimportable in this test" in ran.stderr


def test_every_public_name_is_there():
    import workbench

    assert not [name for name in dir(workbench) if getattr(workbench, name, None) is None]
