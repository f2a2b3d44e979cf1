"""A technique of another package is a technique like any other; a broken one is left out with a warning."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

PLUGIN = ROOT / "tests" / "contract" / "plugin"
GOOD = {"PruneRandomly": "prune_randomly:PruneRandomly"}


def installed(folder: Path, entries: dict[str, str], name: str = "somebodys-package", **files: str) -> Path:
    """A folder that looks to Python as if a package with these entry points were installed in it."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}" for key, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[workbench.techniques]", *lines, ""]))
    for file, text in files.items():
        (folder / f"{file}.py").write_text(text)
    return folder


def python(script: str, *folders: Path) -> Any:
    """What a fresh interpreter that finds these folders prints, as JSON; what it warns of, as text."""
    path = os.pathsep.join([*map(str, folders), str(ROOT), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-W", "always::UserWarning", "-c", script],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.strip().splitlines()[-1]), ran.stderr


LISTED = """
import json, sys
import workbench as wb
from workbench.options import describe
from workbench.technique import short_flags, techniques
found = techniques()
print(json.dumps({
    "names": list(found),
    "flags": {flag: cls.__name__ for flag, cls in short_flags().items()},
    "torch": "torch" in sys.modules,
    **({
        "summary": found["PruneRandomly"].summary(),
        "options": [[each.name, each.kind, each.low, each.high] for each in describe(found["PruneRandomly"])],
        "parsed": str(wb.Recipe.parse("PruneRandomly(0.3) | Quantize(weights=4)")),
        "is_public": wb.PruneRandomly is found["PruneRandomly"] and "PruneRandomly" in dir(wb),
    } if "PruneRandomly" in found else {}),
}))
"""


def test_a_plug_in_is_listed_described_flagged_and_parsed_without_torch(tmp_path):
    seen, warned = python(LISTED, installed(tmp_path, GOOD), PLUGIN)
    assert {"PruneWeights", "Quantize", "FineTune", "PruneRandomly"} <= set(seen["names"])
    assert seen["names"].index("PruneRandomly") < seen["names"].index("Quantize")  # among its family
    assert seen["flags"]["--random"] == "PruneRandomly"
    assert seen["summary"].startswith("Set single weights to zero, drawn at random")
    assert seen["options"] == [["share", "float", 0, 1]]
    assert seen["parsed"] == "PruneRandomly(share=0.3) | Quantize(weights=4)"
    assert seen["is_public"]
    assert not seen["torch"]
    assert not warned


CHECKED = """
import json, sys
from workbench.technique import find
from workbench.testing import CHECKS
for check in CHECKS:
    check(find("PruneRandomly"))
print(json.dumps(len(CHECKS)))
"""


def test_a_plug_in_passes_the_shipped_checks(tmp_path):
    count, _ = python(CHECKED, installed(tmp_path, GOOD), PLUGIN)
    assert count > 10


TAKEN = """
from workbench.options import option
from workbench.technique import Technique
class {name}(Technique, family="pruning", flag={flag!r}):
    "Something else of a name that is taken."
    share: float = option(0.5, "a share", low=0, high=1)
"""


@pytest.mark.parametrize(
    ("entry", "text", "words"),
    [
        ("trouble:Missing", "", "the technique 'It' of trouble:Missing could not be loaded: "),
        ("trouble:It", "raise RuntimeError('half\\ninstalled')", "could not be loaded: half"),
        ("trouble:It", "def broken(:", "could not be loaded: "),
        ("trouble:It", "import sys; sys.exit(3)", "could not be loaded: "),
        ("no_such_module:It", "", "could not be loaded: No module named 'no_such_module'"),
        ("trouble:It", "It = 3", "trouble:It is not a technique: it must subclass workbench.Technique"),
        ("trouble:It", "class It: pass", "trouble:It is not a technique"),
        (
            "trouble:Quantize",
            TAKEN.format(name="Quantize", flag="--odd"),
            "a technique named Quantize is built in",
        ),
        ("trouble:It", TAKEN.format(name="It", flag="--bits"), "its flag --bits is taken by Quantize"),
    ],
)
def test_a_broken_plug_in_is_left_out_with_a_warning(tmp_path, entry, text, words):
    folder = installed(tmp_path, {"It": entry, **GOOD}, trouble=text)
    seen, warned = python(LISTED, folder, PLUGIN)
    assert words in warned
    assert warned.count("UserWarning") == 1
    assert "PruneRandomly" in seen["names"]  # the others still work
    assert seen["flags"]["--bits"] == "Quantize"
    assert ("It" in seen["names"]) == ("flag" in words)


def test_two_plug_ins_of_one_name_are_told_apart(tmp_path):
    first = installed(tmp_path / "a", GOOD)
    text = TAKEN.format(name="PruneRandomly", flag="--odd")
    second = installed(tmp_path / "b", {"PruneRandomly": "other:PruneRandomly"}, "others-package", other=text)
    seen, warned = python(LISTED, first, second, PLUGIN)
    assert seen["names"].count("PruneRandomly") == 1
    assert "there are two techniques named PruneRandomly" in warned
