"""What is shipped of the mails are numbers of frequent words; no name, address or quotation is among them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from workbench.errors import WorkloadError
from workbench.examples import find, load
from workbench.examples.parts import mails
from workbench.examples.training import mails as making

MAIL = """From: A <a@example.org>
Subject: Re: [list] Printers
Content-Type: text/plain

On Monday Bob wrote:
> the old printer
We asked Carol about the printer, and Carol says call 555-1234 or write to
carol@example.org, see http://example.org/printers today.
It isn't far.
--
Carol Example, Street 5
"""


@pytest.fixture
def mail(tmp_path: Path) -> making.Mail:
    path = tmp_path / "1.txt"
    path.write_text(MAIL)
    return making.read(path, 0)


def test_a_text_becomes_numbers_and_marks() -> None:
    found = mails.numbers("Free! Call 555 or see www.example.org or write to me@example.org, Zyxwv")
    said = [mails.words()[number] for number in found[0].tolist()]
    assert found.shape == (1, mails.LENGTH) and found.dtype == torch.int64
    assert said[:5] == ["free", "call", "<number>", "or", "see"]
    assert said[5:11] == ["<link>", "or", "write", "to", "<address>", "<other>"]
    assert set(said[11:]) == {"<nothing>"}


def test_the_list_holds_plain_words_only() -> None:
    listed = mails.words()
    assert len(set(listed)) == len(listed) == 2048
    assert listed[: len(mails.MARKS)] == mails.MARKS
    assert all(re.fullmatch("[a-z]+('[a-z]+)?", word) for word in listed[len(mails.MARKS) :])
    for name in ("john", "justin", "david", "matthias", "beberg", "dublin", "monday"):
        assert name not in listed
    assert not making.LEFT_OUT & set(listed)


def test_a_mail_is_read_without_headers_quotations_and_signature(mail: making.Mail) -> None:
    assert " ".join(mail.first) == (
        "printers we asked carol about the printer and carol says call <number> or write to "
        "<address> see <link> today it isn't far"
    )


def test_names_are_what_is_written_large_within_a_sentence(mail: making.Mail) -> None:
    known = making.frequent([mail])
    assert "carol" not in known and {"printer", "asked", "<address>"} <= set(known)


def test_a_mail_that_repeats_one_before_it_counts_once(mail: making.Mail) -> None:
    nearly = making.Mail([*mail.words[:-2], ("else", True)], 0)
    other = making.Mail([("quite", False), ("another", True), ("thing", True), ("here", True)], 1)
    assert making.told_apart([mail, nearly, other]) == [mail, other]


def test_without_the_corpus_the_line_says_where_it_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    with pytest.raises(WorkloadError, match="datasets-spam-assassin into FOLDER/mails"):
        making.pack()


def test_what_follows_a_mail_changes_nothing_but_its_place() -> None:
    """The net's mean is over the words that are there: an empty end is neither attended to nor counted."""
    work = load("mails")
    inputs = work.validation.first()[0][:8].clone()
    inputs[:, 40:] = 0
    net = find("mails").trained()
    with torch.no_grad():
        before = net(inputs)
        net.words.weight[0] += 1  # the vector of nothing
        torch.testing.assert_close(net(inputs), before)


def test_the_shipped_file_is_small() -> None:
    assert mails.FILE.stat().st_size < 300_000
