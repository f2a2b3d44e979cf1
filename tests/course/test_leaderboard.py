"""Receipts are judged by the model in them: what they say of themselves counts for nothing."""

from __future__ import annotations

import json

import making
import pytest
import torch

from workbench.course import BOARD, hand_in, standings, verify
from workbench.course.__main__ import main
from workbench.course.leaderboard.board import CourseError
from workbench.course.trials import example
from workbench.storage import pack

GOOD = "PruneWeights(0.5) | Quantize(6)"
SMALLER = "PruneWeights(0.6) | Quantize(5)"


@pytest.fixture(scope="module")
def content(tmp_path_factory) -> dict:
    """What a good receipt holds."""
    return json.loads(making.receipt(GOOD, folder=tmp_path_factory.mktemp("good")).read_text())


@pytest.fixture
def folder(tmp_path, content):
    """A folder with a good receipt in it."""
    (tmp_path / "receipt-ada.json").write_text(json.dumps(content))
    return tmp_path


def put(folder, content: dict, name: str = "receipt.json") -> None:
    (folder / name).write_text(json.dumps(content))


def test_a_receipt_holds_after_its_model_was_loaded_and_judged(folder):
    (ada,) = standings(folder)
    assert (ada.name, ada.holds, ada.why) == ("Ada", True, "")
    assert ada.bytes == len(making.version(GOOD).packed_as("coded"))
    assert ada.accuracy.split == "test" and ada.accuracy.n == 3000 and ada.accuracy.value >= BOARD.accuracy


def test_smallest_file_comes_first_and_only_the_best_of_a_name_counts(folder):
    making.receipt(SMALLER, "Emmy", folder)
    making.receipt("PruneWeights(0.3) | Quantize(7)", "Emmy Noether", folder)
    (folder / "later").mkdir()
    making.receipt(SMALLER, "Ada", folder / "later")
    found = standings(folder)
    assert [each.name for each in found] == ["Ada", "Emmy", "Emmy Noether"]
    assert [each.file for each in found.surpassed] == ["receipt-ada.json"]
    assert str(found).count("the same file as another") == 2
    assert [line.split(",")[0] for line in found.csv().splitlines()] == ["place", "1", "2", "3", ""]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"said": {"bytes": 100, "accuracy": 0.98}}, "says 100 bytes"),
        ({"said": {"bytes": 1, "accuracy": 0.999}}, "says 99.9 % right"),
        ({"said": {"bytes": 1, "accuracy": float("nan")}}, "measured"),
        ({"said": {"bytes": 1}}, "says no accuracy"),
        ({"said": {"bytes": -1, "accuracy": 1}}, "whole number"),
        ({"file": "not base64!"}, "not whole"),
        ({"file": making.text(b"\0" * 200)}, "cannot be used"),
        ({"file": 3}, "as a text"),
        ({"board": "another"}, "another leaderboard"),
        ({"workbench_receipt": 2}, "format 2"),
    ],
)
def test_what_does_not_hold_is_refused_with_the_reason(tmp_path, content, changes, why):
    put(tmp_path, {**content, **changes})
    found = standings(tmp_path)
    assert not len(found)
    (refused,) = found.refused
    assert why in refused.why and "\n" not in refused.why


def test_a_model_that_is_not_good_enough_on_test_data_is_refused(tmp_path, content):
    packed = making.version("PruneWeights(0.97)").packed
    put(tmp_path, {**content, "file": making.text(packed)})
    (refused,) = standings(tmp_path).refused
    assert "of 3,000 test samples right, 2,910 are needed" in refused.why


def test_a_changed_byte_of_the_model_is_seen(tmp_path, content):
    import base64

    packed = bytearray(base64.b64decode(content["file"]))
    packed[len(packed) // 2] ^= 1
    put(tmp_path, {**content, "file": making.text(bytes(packed))})
    assert not standings(tmp_path).ranked


def test_a_model_of_another_net_is_refused(tmp_path, content):
    work = example("digits")
    other = pack(work.candidate(), original=work.baseline)
    put(tmp_path, {**content, "file": making.text(other)})
    (refused,) = standings(tmp_path).refused
    assert "cannot be used" in refused.why


@pytest.mark.parametrize("data", [b"", b"[1, 2]", b"\xff\xfe", b"{" * 100_000, b'{"a": 1, "a": 2}', b"null"])
def test_what_is_no_receipt_is_refused_and_nothing_is_raised(tmp_path, data):
    (tmp_path / "receipt.json").write_bytes(data)
    (refused,) = standings(tmp_path).refused
    assert refused.why and "\n" not in refused.why


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "receipt.json").open("wb") as file:
        file.truncate(10**9)  # a hole: no byte is on the disk
    (refused,) = standings(tmp_path).refused
    assert "at most" in refused.why


def test_names_cannot_write_into_the_table_of_a_terminal_a_page_or_a_spreadsheet(tmp_path, content):
    put(tmp_path, {**content, "name": "=1+1 \x1b[31m<script>\n" + "x" * 900})
    found = standings(tmp_path)
    (ranked,) = found
    assert ranked.name.isprintable() and len(ranked.name) <= 60
    assert "<script>" not in found._repr_html_() and "\x1b" not in str(found)
    assert "'=1+1" in found.csv()


def test_data_that_nobody_has_seen_can_be_used_instead(folder):
    images, _ = example("lenet-300-100").test.first()
    wrong_labels = torch.zeros(len(images), dtype=torch.long)
    (refused,) = standings(folder, test=(images, wrong_labels)).refused
    assert f"of {len(images):,} test samples right" in refused.why


def test_handing_in_needs_a_name_a_version_and_an_accuracy_within_reach(tmp_path):
    good = making.version(GOOD)
    with pytest.raises(CourseError, match="needs a name"):
        hand_in(good, " \n", tmp_path)
    with pytest.raises(CourseError, match=r"takes a version, .* got str"):
        hand_in("small.safetensors", "Ada", tmp_path)
    with pytest.raises(CourseError, match="prune less"):
        hand_in(making.version("PruneWeights(0.99)"), "Ada", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_line_ranks_and_says_whether_all_hold(folder, capsys):
    assert main(["standings", str(folder)]) == 0
    assert "Ada" in capsys.readouterr().out
    put(folder, {"a": 1})
    assert main(["standings", str(folder), "--csv"]) == 1
    assert "no receipt" in capsys.readouterr().out
    assert main(["standings", str(folder / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_the_command_line_lists_the_exercises(capsys):
    assert main(["exercises"]) == 0
    assert "pruning-1" in capsys.readouterr().out


def test_verify_takes_one_receipt(folder):
    assert verify(folder / "receipt-ada.json").holds
    assert not verify(folder / "nothing.json").holds
