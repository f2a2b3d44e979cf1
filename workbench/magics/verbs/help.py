"""`%compress help`: the lines there are, the verbs, the techniques; `help Quantize` its options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from workbench.errors import nearest
from workbench.magics import verbs
from workbench.magics.arguments import Request
from workbench.magics.errors import CompressError
from workbench.magics.grammar import FLAGS, RUN, Verb
from workbench.magics.page import Code, Page, Table, Title, Words
from workbench.magics.session import Session
from workbench.options import Option, describe
from workbench.technique import Technique, techniques

_LINES = (
    ("%compress", "the studio on a built-in example"),
    ("%compress net --validation val_loader", "the studio on your model"),
    ("%compress net --sparsity 0.9 --epochs 2 --bits 8", "a recipe by short flags, in the order written"),
    ("%compress net --bits 4 --granularity tensor", "further options follow the short flag they belong to"),
    ("%compress net PruneWeights(sparsity=0.9) | FineTune(epochs=2) --into small", "a recipe as text"),
    ("%%compress net --into small", "the recipe in the lines below it, as text or YAML"),
)


def page(words: tuple[str, ...] = ()) -> Page:
    """The help for everything, for a technique or for a verb.

    Raises:
        CompressError: there is no such technique or verb; the line names the nearest.
    """
    if not words:
        return Page(tuple(_everything()))
    name = words[0]
    by_lower = {each.lower(): cls for each, cls in techniques().items()}
    if name in verbs.names():
        return Page(tuple(_verb(verbs.find(name))))
    if cls := by_lower.get(name.lower()):
        return Page(tuple(_technique(cls)))
    near = nearest(name, [*techniques(), *verbs.names()])
    raise CompressError(f"no technique or verb named {name!r}{near}; %compress help lists them")


def _run(request: Request, session: Session) -> None:
    session.show(page(request.words))


def _everything() -> Iterator[Any]:
    yield Title("What you can write")
    yield Table(("", ""), _LINES)
    yield Title("Verbs")
    yield Table(
        ("", ""), [(f"%compress {verb.usage}", verb.summary) for verb in map(verbs.find, verbs.names())]
    )
    for family, members in groupby(techniques().items(), key=lambda item: item[1].family):
        yield Title(f"Techniques: {family}")
        rows = [(name, cls.flag or "", cls.summary()) for name, cls in members]
        yield Table(("", "", ""), rows, code=frozenset({0, 1}))
    yield Title("Flags of a run")
    yield _flags(RUN)
    yield Words(
        "%compress help Quantize shows the options of a technique, %compress help save those of a verb."
    )


def _technique(cls: type[Technique]) -> Iterator[Any]:
    name, options = cls.__name__, describe(cls)
    yield Title(f"{name}: {cls.summary()}")
    for paragraph in (cls.__doc__ or "").split("\n\n")[1:]:
        yield Words(" ".join(paragraph.split()))
    if options:
        yield Table(
            ("option", "default", "range", "unit", "what it is"),
            [(each.name, repr(each.default), each.range, each.unit, each.help) for each in options],
            code=frozenset({0, 1}),
        )
    yield Title("Written as")
    yield Code("\n".join(_spellings(cls, options)))


def _spellings(cls: type[Technique], options: tuple[Option, ...]) -> Iterator[str]:
    yield f"%compress net {cls()}"
    if cls.flag:
        more = "".join(f" --{each.name.replace('_', '-')} {each.default}" for each in options[1:2])
        yield f"%compress net {cls.flag} {options[0].default}{more}"


def _verb(verb: Verb) -> Iterator[Any]:
    yield Title(f"%compress {verb.usage}")
    yield Words(verb.summary)
    if verb.flags:
        yield _flags(verb.flags)


def _flags(names: Iterable[str]) -> Table:
    flags = (FLAGS[name] for name in names)
    return Table(("", ""), [(f"{each.name} {each.metavar}", each.help) for each in flags])


VERB = Verb(
    "help Quantize",
    "the options of a technique or verb, or everything there is",
    _run,
    words=("technique",),
)
