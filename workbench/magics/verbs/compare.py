"""`%compress compare net small`: two models side by side, and a paired test on the same samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.job import Job
from workbench.magics.arguments import Request
from workbench.magics.grammar import DATA, Verb
from workbench.magics.page import Page, Table, Title, Words
from workbench.magics.session import Session, Subject
from workbench.magics.verbs.measure import options_of

if TYPE_CHECKING:
    from workbench.comparison import Comparison


def page(comparison: Comparison) -> Page:
    """A comparison to read: its figures, what the recipes differ in, and its layers."""
    from workbench.comparison import rendering

    names = (comparison.before, comparison.after)
    header = ("", "kind", *names, "change", "is it real?")
    figures = Table(header, rendering.figure_rows(comparison), code=frozenset(), numbers=frozenset({2, 3, 4}))
    blocks: list[Any] = [Title(" and ".join(names)), figures]
    blocks += [Words(each) for each in rendering.remarks(comparison)]
    if comparison.steps:
        rows = [(each.text,) for each in comparison.steps]
        blocks += [Title("recipe"), Table(("",), rows)]
    layers = rendering.layer_rows(comparison)
    blocks += [Title("layer by layer"), Table(rendering.LAYERS, layers)] if layers else []
    return Page(tuple(blocks))


def _run(request: Request, session: Session) -> None:
    a, b = (session.subject(name, request.data) for name in request.words)
    options = options_of(request, a, session)
    session.show(page(session.run(Job(lambda: _comparing(a, b, options), seed=0, threads=a.work.threads))))


def _comparing(a: Subject, b: Subject, options: dict[str, Any]) -> Any:
    from workbench.comparison import comparing

    return comparing(a.work, _model(a, a), _model(b, a), names=(a.name, b.name), **options)


def _model(subject: Subject, base: Subject) -> Any:
    """What to measure on the first one's workload: a version, another model, or its own baseline."""
    if subject.version is not None:
        return subject.version
    return None if subject.work is base.work else subject.work.model


VERB = Verb(
    "compare net small",
    "two models side by side, with a paired test on the same samples",
    _run,
    words=("model", "model"),
    required=2,
    flags=(*DATA, "--split", "--runtimes"),
)
