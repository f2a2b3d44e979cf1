"""Every exercise has a check that passes on a right answer, fails on wrong ones, and never raises."""

from __future__ import annotations

import math
import re
from typing import Any

import cases
import nbformat
import numpy as np
import pytest
import repository
import torch

from workbench.course import exercises, judge
from workbench.course.registry import families

EXERCISES = {each.name: each for each in exercises()}
SAID = re.compile(r"^\S ([a-z-]+(?:-\d+)?): ([a-z ]+)\.", re.MULTILINE)
NO_ANSWERS = [
    object(),
    "something",
    b"bytes",
    [],
    {},
    math.nan,
    math.inf,
    -1e300,
    [None] * 8,
    torch.ones(2, 2),
]


def family_of(name: str) -> str:
    return re.sub(r"-\d+$", "", name)


def case(name: str) -> cases.Case:
    return cases.case(name, family_of(name))


def checked() -> list[Any]:
    """The names of the exercises; those whose check trains are marked."""
    return [pytest.param(name, marks=pytest.mark.slow if case(name).is_slow else ()) for name in EXERCISES]


def test_there_are_exercises_in_every_family():
    assert {family_of(name) for name in EXERCISES} == set(families())


def test_numbers_of_a_family_have_no_gap():
    for family in families():
        own = [name for name in EXERCISES if re.fullmatch(rf"{family}-\d+", name)]
        numbers = [int(name.rpartition("-")[2]) for name in own]
        assert numbers == list(range(1, len(numbers) + 1)), family


@pytest.mark.parametrize("name", checked())
def test_a_right_answer_is_right(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verdict = judge(name, cases.made(case(name).right))
    assert verdict.is_right, str(verdict)


@pytest.mark.parametrize("name", checked())
def test_wrong_answers_are_told_what_is_off(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert case(name).wrong
    for answer, words in case(name).wrong:
        verdict = judge(name, cases.made(answer))
        assert verdict.state in ("off", "unreadable"), (answer, str(verdict))
        assert words.lower() in verdict.words.lower(), str(verdict)


@pytest.mark.parametrize("name", EXERCISES)
def test_no_answer_at_all_is_no_error(name):
    assert judge(name).state == judge(name, ...).state == judge(name, None).state == "open"
    assert EXERCISES[name].question in judge(name).words


@pytest.mark.parametrize("name", checked())
def test_whatever_is_given_nothing_is_raised_and_nothing_passes(name):
    for answer in NO_ANSWERS:
        verdict = judge(name, answer)
        assert verdict.state in ("unreadable", "off"), (answer, str(verdict))
        assert "\n" not in str(verdict)


@pytest.mark.parametrize("name", checked())
def test_numbers_of_other_libraries_are_numbers(name):
    right = case(name).right
    if isinstance(right, (int, float)):
        assert judge(name, np.asarray(right)).is_right
        assert judge(name, torch.tensor(right, dtype=torch.float64)).is_right
    elif isinstance(right, list) and all(isinstance(each, (int, float)) for each in right):
        assert judge(name, np.asarray(right)).is_right
        assert judge(name, tuple(right)).is_right


@pytest.fixture(scope="module")
def solved() -> dict[str, list[str]]:
    """For each exercise what was said of it where it is solved; the notebook test compares it with a run."""
    said: dict[str, list[str]] = {}
    for path in repository.solutions():
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                text = str(output.get("data", {}).get("text/plain", output.get("text", "")))
                for name, headline in SAID.findall(text):
                    said.setdefault(name, []).append(headline)
    return said


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_is_solved_in_the_solutions(name, solved):
    assert solved.get(name) == ["right"]


def names_in(code: Any) -> list[str]:
    return re.findall(r"check\(\"([^\"]+)\"", code)


def test_every_exercise_is_asked_for_in_one_lesson():
    asked = [
        name
        for path in repository.lessons()
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for name in names_in(cell.source)
    ]
    assert sorted(asked) == sorted(EXERCISES)
