"""What Binder builds: pinned, without CUDA, run once before it ships, and found at one address.

No image is built here: pins and scripts are read, and repo2docker, where it is installed, renders the build.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from repository import ROOT

sys.path.insert(0, str(ROOT / "binder"))
import badge
import pin
import smoke

BINDER = ROOT / "binder"
LINES = [
    line
    for line in (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith(("#", "--"))
]
PINS = dict(line.split("==") for line in LINES)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_line_names_one_version():
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.+]*", line) for line in LINES)
    assert sorted(LINES, key=lambda line: line.split("==")[0]) == LINES


def test_the_pins_are_what_the_project_asks_for():
    for line in PROJECT["dependencies"]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(PINS[pin.normal(wanted.name)]), line


def test_torch_is_the_cpu_build_and_nothing_is_for_graphics_cards():
    assert {name for name, version in PINS.items() if "+" in version} == set(pin.CPU_BUILDS)
    assert all(PINS[name].endswith("+cpu") for name in pin.CPU_BUILDS)
    assert not [name for name in PINS if smoke.CUDA.match(name) or pin.ONLY_CUDA.match(name)]
    assert smoke.CUDA.match("nvidia-cublas-cu12") and smoke.CUDA.match("triton")


def test_nothing_is_left_to_be_chosen_at_build_time():
    missing = []
    for name, version in PINS.items():
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if found.version.partition("+")[0] != version.partition("+")[0]:
            continue  # another version may need other packages
        for line in found.requires or ():
            inner = Requirement(line)
            is_needed = inner.marker is None or inner.marker.evaluate({"extra": ""})
            if is_needed and pin.normal(inner.name) not in PINS and not pin.ONLY_CUDA.match(inner.name):
                missing.append(f"{name} needs {line}")
    assert not missing


def test_pin_writes_the_cpu_build_and_leaves_cuda_out():
    text = pin.pinned({"torch": "2.14.1+cu130", "numpy": "2.4.6"})
    assert text.endswith("torch==2.14.1+cpu\nnumpy==2.4.6\n") and pin.CPU_INDEX in text
    assert not [name for name in pin.needed() if pin.ONLY_CUDA.match(name)]


def test_python_is_one_the_project_takes():
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    assert Requirement(f"python{PROJECT['requires-python']}").specifier.contains(version)


@pytest.mark.parametrize("script", ["postBuild", "start"])
def test_scripts_are_whole_and_stop_at_the_first_error(script):
    path = BINDER / script
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text()
    assert "set -euo pipefail" in text and os.access(path, os.X_OK)
    assert "OMP_NUM_THREADS=1" in text  # one processor


def test_the_build_ends_with_a_run_of_the_quickstart():
    assert (BINDER / "postBuild").read_text().rstrip().endswith("python binder/smoke.py")
    assert smoke.QUICKSTART.exists()


def test_a_lesson_that_does_not_run_stops_the_build(monkeypatch, capsys):
    monkeypatch.setattr(smoke, "problems", lambda: iter(["the quickstart does not run"]))
    assert smoke.main() == 1
    assert "does not run" in capsys.readouterr().err
    monkeypatch.setattr(smoke, "problems", lambda: iter([]))
    assert smoke.main() == 0


def test_the_badge_names_the_address_the_tag_and_the_quickstart():
    text = badge.lines("https://github.com/someone/course", "v1.2")
    assert (
        "mybinder.org/v2/gh/someone/course/v1.2?urlpath=lab%2Ftree%2Fnotebooks%2F00-quickstart.ipynb" in text
    )
    assert "colab.research.google.com/github/someone/course/blob/v1.2/notebooks/00-quickstart.ipynb" in text
    assert (ROOT / badge.FIRST).exists()
    with pytest.raises(ValueError, match="OWNER/NAME"):
        badge.lines("https://example.org/x", "v1")


def test_the_address_is_kept_in_one_place():
    with_address = '[project]\n[project.urls]\nRepository = "https://github.com/a/b.git"\n'
    assert badge.address(with_address) == "https://github.com/a/b"
    assert badge.address("[project]\n") is None
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if badge.address((ROOT / "pyproject.toml").read_text(encoding="utf-8")) is None:
        assert "mybinder.org/v2/" not in readme
    else:
        assert badge.badge() in readme


def test_repo2docker_finds_what_to_build():
    pytest.importorskip("repo2docker", reason="pip install jupyter-repo2docker")
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(ROOT)]
    rendered = subprocess.run(command, capture_output=True, text=True, timeout=120)
    told = rendered.stdout + rendered.stderr
    assert rendered.returncode == 0, told[-2000:]
    assert "python=3.11" in told
    for step in ('-r "binder/requirements.txt"', "RUN ./binder/postBuild", "binder/start"):
        assert step in told
