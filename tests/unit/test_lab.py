"""`hatch run lab` opens JupyterLab on the quickstart, with the kernel of its own environment."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

QUICKSTART = "00-quickstart.ipynb"


def test_notebooks_use_the_kernel_of_the_environment_they_are_opened_in(tmp_path):
    foreign = tmp_path / "kernels" / "python3"  # as `ipython kernel install --user` leaves it elsewhere
    foreign.mkdir(parents=True)
    spec = {"argv": ["/nowhere/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    (foreign / "kernel.json").write_text(json.dumps({**spec, "display_name": "other", "language": "python"}))
    command = [sys.executable, "-m", "jupyter", "kernelspec", "list", "--json"]
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    folder = json.loads(listed.stdout)["kernelspecs"]["python3"]["resource_dir"]
    environment_of_tests = Path(sys.executable).parent.resolve().parent
    assert Path(folder).resolve().is_relative_to(environment_of_tests)


def test_lab_opens_the_quickstart_ready_to_run(tmp_path):
    default = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["envs"]["default"]
    command = default["scripts"]["lab"].partition(" && ")[2]  # before it the front end is put in its place
    lab = shlex.split(command.replace("{args}", "--no-browser"))
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(lab, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_for(f"/lab/tree/{QUICKSTART}", tmp_path, "jpserver-*-open.html", server)
        record = json.loads(wait_for('"token"', tmp_path, "jpserver-*.json", server))
        kernel = get(record, f"contents/{QUICKSTART}")["content"]["metadata"]["kernelspec"]["name"]
        assert kernel == get(record, "kernelspecs")["default"] == "python3"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(text: str, folder: Path, pattern: str, server: subprocess.Popen) -> str:
    """The content of a file that the server writes once it listens, as soon as it contains `text`."""
    for _ in range(600):
        for path in folder.glob(pattern):
            if text in (content := path.read_text()):
                return content
        assert server.poll() is None, (folder / "log").read_text()
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())


def get(server: dict[str, str], what: str) -> dict:
    """What the server's API answers."""
    with urllib.request.urlopen(f"{server['url']}api/{what}?token={server['token']}", timeout=30) as answer:
        return json.load(answer)
