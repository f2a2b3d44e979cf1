"""`%compress history`: the versions of a model, oldest first, and which one is current."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.magics.arguments import Request
from workbench.magics.grammar import DATA, Verb
from workbench.magics.page import Page, Table, Title, Words
from workbench.magics.session import Session, Subject
from workbench.measurement import units

if TYPE_CHECKING:
    from workbench.versions import Version, VersionTree

_HEADER = ("", "version", "made from", "accuracy", "stored", "recipe")


def page(subject: Subject, tree: VersionTree) -> Page:
    """The versions of a tree as a table."""
    name = subject.work.name
    versions = list(tree.versions)
    if not versions:
        first = f"%compress {subject.name} PruneWeights(sparsity=0.9)"
        return Page((Words(f"{name} has no versions yet; make one: {first}"), *_warnings(tree)))
    names = {each.id: each.name for each in versions}
    head = getattr(tree.head, "id", None)
    rows = [_row(each, names, each.id == head) for each in versions]
    here = names.get(head or "", "the original")
    title = Title(f"{name}: {len(rows)} version{'s' * (len(rows) > 1)}, now at {here}")
    table = Table(_HEADER, rows, code=frozenset({1, 5}), numbers=frozenset({3, 4}))
    return Page((title, table, *_broken(versions), *_warnings(tree)))


def _warnings(tree: VersionTree) -> Iterator[Words]:
    return (Words(each) for each in (tree.warning, tree.unreadable) if each)


def _broken(versions: list[Version]) -> Iterator[Words]:
    """A line for each version in which an earlier step's promise does not stand whole."""
    for each in versions:
        promises = each.promises
        if any(promise.kept < 1 for promise in promises):
            yield Words(f"{each.name} {each.standing}")


def _row(version: Version, names: dict[str, str], is_head: bool) -> tuple[str, ...]:
    report = version.report
    accuracy = report.accuracy.value if report is not None and report.accuracy is not None else None
    return (
        "▶" if is_head else "",
        version.name,
        names.get(version.parent or "", "the original"),
        units.share(accuracy),
        units.size(version.packed_bytes),
        f"{version.recipe}{' (stopped)' if version.is_stopped else ''}",
    )


def _run(request: Request, session: Session) -> None:
    subject = session.subject(request.model, request.data)
    session.show(page(subject, session.tree(subject)))


VERB = Verb(
    "history net",
    "the versions of a model and how they came about; they survive a restart",
    _run,
    words=("model",),
    flags=(*DATA, "--model"),
)
