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

from repository import ROOT


def test_notebooks_use_the_kernel_of_the_environment_they_are_opened_in(tmp_path):
    foreign = tmp_path / "kernels" / "python3"  # as `ipython kernel install --user` leaves it elsewhere
    foreign.mkdir(parents=True)
    spec = {"argv": ["/nowhere/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    (foreign / "kernel.json").write_text(json.dumps({**spec, "display_name": "other", "language": "python"}))
    command = [sys.executable, "-m", "jupyter", "kernelspec", "list", "--json"]
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    folder = json.loads(listed.stdout)["kernelspecs"]["python3"]["resource_dir"]
    assert Path(folder).is_relative_to(sys.prefix)


def test_lab_opens_the_quickstart_ready_to_run(tmp_path):
    environments = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["envs"]
    lab = environments["default"]["scripts"]["lab"].replace("{args}", "--no-browser")
    environment = {**os.environ, "JUPYTER_DATA_DIR": str(tmp_path)}
    listed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    folder = json.loads(listed.stdout)["kernelspecs"]["python3"]["resource_dir"]
    assert Path(folder).is_relative_to(sys.prefix)


def test_lab_opens_the_quickstart_ready_to_run(tmp_path):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["envs"]["default"][
        "scripts"
    ]
    lab = scripts["lab"].replace("{args}", "--no-browser --ServerApp.port_retries=100")
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(shlex.split(lab), cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        opened = awaited(tmp_path, "jpserver-*-open.html", server).read_text()
        record = json.loads(awaited(tmp_path, "jpserver-*.json", server).read_text())
        assert "lab/tree/00-quickstart.ipynb" in opened
        served = record["url"] + "api/{}?token=" + record["token"]
        notebook = json.load(urllib.request.urlopen(served.format("contents/00-quickstart.ipynb")))
        kernels = json.load(urllib.request.urlopen(served.format("kernelspecs")))
    finally:
        server.terminate()
        server.wait(30)
    assert notebook["content"]["metadata"]["kernelspec"]["name"] == kernels["default"] == "python3"


def awaited(folder: Path, pattern: str, server: subprocess.Popen) -> Path:
    """The file the server writes once it listens."""
    for _ in range(600):
        if found := [path for path in folder.glob(pattern) if path.stat().st_size]:
            return found[0]
        assert server.poll() is None, (folder / "log").read_text()
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text())
