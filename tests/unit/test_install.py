"""`pip install` into the environment where a person's model lives, and what the wheel brings along."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import repository
from repository import ROOT

import workbench
from workbench.labextension import shipping

pytestmark = pytest.mark.slow

PACKAGE = ROOT / "workbench"
# runs in IPython without a notebook, as in a terminal; the last line is what the test reads
OPENING = """
%load_ext workbench
import json
import os
import workbench
print()
print(json.dumps([workbench.__file__, workbench.__version__]))
"""
HELPING = """
%load_ext workbench
%compress help
"""
LOADING = """
import json
import os
import workbench
work = workbench.examples.load("digits")
print()
print(json.dumps([type(work.model).__module__, len(work.classes)]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel as `pip install` builds it, made here without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def own_python(wheel, tmp_path_factory) -> Path:
    """The Python of a person's own environment: it has our dependencies, and gets only our wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    here = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=here))
    # only the folder: the editable install of this checkout hangs on a .pth file in it, not followed
    (packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(site_packages())))
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps"]
    installed = subprocess.run([*pip, "--force-reinstall", str(wheel)], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return python


def site_packages() -> list[str]:
    return [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]


def ipython(python: Path, folder: Path, script: str) -> str:
    """What a script prints that IPython runs in `folder`."""
    path = folder / "script.ipy"
    path.write_text(script)
    command = [str(python), "-m", "IPython", "--no-banner", "--colors=NoColor", str(path)]
    # hatch names the environment of the tests in VIRTUAL_ENV, and IPython would warn about another one
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    ran = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert not ran.stderr, ran.stderr
    return ran.stdout


def contents(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if not name.endswith("/")}


def test_wheel_brings_every_file_of_the_package(wheel):
    front_end = PACKAGE / "labextension"  # its sources stay in the checkout, but for what Python needs
    built_here = {front_end / "hatch_build.py", front_end / "rebuild.py"}
    files = [path for path in repository.files() if path.is_relative_to(PACKAGE) and path not in built_here]
    own = {
        str(path.relative_to(ROOT))
        for path in files
        if path.suffix == ".py" or not path.is_relative_to(front_end)
    }
    assert own <= contents(wheel)
    kinds = {Path(name).suffix for name in own}
    assert {".py", ".js", ".safetensors"} <= kinds  # code, the chart view, the trained examples


def test_wheel_brings_licence_and_notices(wheel):
    kept = {name.partition(".dist-info/licenses/")[2] for name in contents(wheel)}
    assert {"LICENSE", "workbench/examples/data/NOTICE.md"} <= kept


def test_wheel_brings_the_front_end_and_the_lessons(wheel):
    data = {name.partition(".data/data/")[2]: name for name in contents(wheel) if ".data/data/" in name}
    built = PACKAGE / "labextension" / "built"
    assert {f"{shipping.PLACE}/{path.relative_to(built)}" for path in files_of(built)} < set(data)
    with zipfile.ZipFile(wheel) as archive:
        index = json.loads(archive.read(data[f"{shipping.PLACE}/lessons/index.json"]))
    # the solutions stay in the repository
    assert [each["file"] for each in index] == [path.name for path in repository.lessons()]
    assert all(each["title"] and f"{shipping.PLACE}/lessons/{each['file']}" in data for each in index)


def test_wheel_brings_nothing_else(wheel):
    tops = {name.partition("/")[0] for name in contents(wheel)}
    kinds = (".dist-info", ".data")
    assert {top for top in tops if not top.endswith(kinds)} == {"workbench"}
    package = [name for name in contents(wheel) if name.startswith("workbench/")]
    assert not [name for name in package if name.endswith((".pyc", ".sqlite", ".ipynb", ".ts", ".tsx"))]
    assert not [name for name in contents(wheel) if "node_modules" in name]


def test_front_end_is_enabled_in_the_environment_it_is_installed_in(own_python):
    outside = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    command = [str(own_python), "-m", "jupyterlab.labextensions", "list"]
    environment = {**outside, "PATH": str(own_python.parent)}  # no Node there
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    told = re.sub(r"\x1b\[\d*m", "", listed.stdout + listed.stderr)
    assert f"{shipping.NAME} v{workbench.__version__} enabled OK (python, {shipping.NAME})" in told
    folder = own_python.parent.parent / shipping.PLACE
    assert json.loads((folder / "package.json").read_text())["jupyterlab"]["_build"]["load"]


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_wheel_is_small(wheel):
    assert wheel.stat().st_size < 8_000_000  # bytes; data and checkpoints are the most of it


def test_extension_loads_from_the_installed_package(own_python, tmp_path):
    file, version = json.loads(ipython(own_python, tmp_path, OPENING).splitlines()[-1])
    assert Path(file).is_relative_to(own_python.parent.parent)
    assert version == workbench.__version__


def test_help_of_the_magic_works_in_plain_ipython(own_python, tmp_path):
    assert "PruneWeights" in ipython(own_python, tmp_path, HELPING)


def test_examples_load_from_the_installed_package(own_python, tmp_path):
    module, classes = json.loads(ipython(own_python, tmp_path, LOADING).splitlines()[-1])
    assert module.startswith("workbench.")
    assert classes == 10
