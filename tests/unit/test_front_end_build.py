"""The built front end that is in the repository is what its sources make, and fits the package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from repository import ROOT

import workbench
from workbench.labextension import rebuild, shipping

FOLDER = ROOT / "workbench" / "labextension"
LARGEST = 300_000  # bytes


def test_built_files_are_of_these_sources():
    built_of = json.loads(rebuild.RECORD.read_text())
    assert rebuild.record(FOLDER) == built_of, "the front end changed: hatch run frontend:build"


def test_front_end_has_the_version_of_the_package():
    versions = {
        json.loads((FOLDER / name / "package.json").read_text())["version"] for name in (".", "built")
    }
    assert versions == {workbench.__version__}, "change package.json, then: hatch run frontend:build"
    assert f'"{workbench.__version__}"' in "".join(
        path.read_text() for path in FOLDER.glob("built/static/*.js")
    )


def test_front_end_is_small():
    assert sum(path.stat().st_size for path in shipping.BUILT.rglob("*") if path.is_file()) < LARGEST


def test_lock_file_names_every_package_with_its_hash():
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert packages and all("integrity" in each for each in packages.values())


def test_digest_does_not_depend_on_line_ends(tmp_path):
    for name, text in (("unix", b"a\nb\n"), ("windows", b"a\r\nb\r\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.ts").write_bytes(text)
    assert rebuild.digest(tmp_path / "unix", ["x.ts"]) == rebuild.digest(tmp_path / "windows", ["x.ts"])
    (tmp_path / "windows" / "x.ts").write_bytes(b"a\nc\n")
    assert rebuild.digest(tmp_path / "unix", ["x.ts"]) != rebuild.digest(tmp_path / "windows", ["x.ts"])


def test_colours_are_those_of_the_theme():
    style = (FOLDER / "style" / "index.css").read_text()
    panel, _, charts = style.partition("/* charts with colours of their own")
    assert "#" not in panel and "rgb" not in panel
    assert "--jp-" in charts


def test_every_word_that_is_shown_can_be_translated():
    settings = json.loads((FOLDER / "schema" / "plugin.json").read_text())
    assert all(each["title"] for each in settings["properties"].values())
    assert settings["properties"]["loadMagics"]["default"] is False
    panel = (FOLDER / "src" / "panel.tsx").read_text()
    assert panel.count("trans.__(") > 20


def test_settings_offer_every_runtime_there_is():
    from workbench.runtimes import runtimes

    settings = json.loads((FOLDER / "schema" / "plugin.json").read_text())["properties"]
    offered = {each["const"]: each["title"] for each in settings["runtime"]["oneOf"]}
    assert offered == {name: runtime.title for name, runtime in runtimes().items()}


def test_put_replaces_what_was_there(tmp_path):
    old = tmp_path / shipping.NAME / "static" / "old.js"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    place = shipping.put(tmp_path, tmp_path / "scratch")
    assert not old.exists()
    assert (place / "package.json").read_bytes() == (shipping.BUILT / "package.json").read_bytes()
    titles = [each["title"] for each in json.loads((place / "lessons" / "index.json").read_text())]
    assert titles and all(titles)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_sources_compile_are_clean_and_make_the_built_files():
    """Where Node is there and npm answers; elsewhere the recorded hashes have to do."""
    if shutil.which("npm") is None:
        pytest.skip("no npm on the PATH; hatch run frontend:check brings its own")
    command = [sys.executable, str(FOLDER / "rebuild.py"), "--check"]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode == rebuild.NO_NODE:
        pytest.skip(f"the front end's tools cannot be had here: {built.stderr}")
    assert built.returncode == 0, built.stdout + built.stderr
