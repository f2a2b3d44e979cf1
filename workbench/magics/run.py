"""A line without a verb: a recipe makes a version and its report; without a recipe, the studio opens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workbench.errors import listed, nearest
from workbench.magics.arguments import Request
from workbench.magics.display import is_notebook
from workbench.magics.errors import CompressError
from workbench.magics.page import Code, Page, Words
from workbench.magics.session import Session, Subject
from workbench.magics.steps import recipe_of
from workbench.options import Reference, describe
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from workbench.versions import Version


def run(request: Request, session: Session) -> None:
    """What a line asks for that begins with a model, or with nothing."""
    if not request.model and not request.parts and not request.flags:
        _check_shows_panels(session)
        _open(session.example(), session)
        return
    names = session.names
    if request.model:
        session.find(request.model)
    elif request.parts:
        raise CompressError(f"name the model first: %compress net {_start(request)}; {names.known_models()}")
    recipe = recipe_of(request.parts)
    into = names.check_free(request.flags["--into"]) if "--into" in request.flags else None
    if not len(recipe):
        _check_flags_of_a_panel(request)
        _check_shows_panels(session)
        _open(session.subject(request.model, request.data), session)
        return
    subject = session.subject(request.model, request.data)
    _check_trainable(recipe, subject, session)
    _compress(request, session, subject, recipe, into)


def _compress(request: Request, session: Session, subject: Subject, recipe: Recipe, into: str | None) -> None:
    from workbench.run import job

    seed = request.number("--seed", 0)
    name = request.flags.get("--name")
    code = code_of(subject, recipe, seed=seed, name=name, into=into)
    version: Version = session.run(
        job(
            subject.work,
            recipe,
            seed,
            names=_references(recipe, session),
            parent=subject.version,
            tree=session.tree(subject),
            name=name,
        ),
        Page((Code(code),)),
    )
    session.put(into, version)
    session.show(version)
    _offer_data(subject, session)
    if not into:
        session.show(Page((Words(f"kept as {version.name}; --into NAME puts it into a variable"),)))


def code_of(
    subject: Subject, recipe: Recipe, *, seed: int = 0, name: str | None = None, into: str | None = None
) -> str:
    """The line of Python that makes the same version again (after `import workbench as wb`)."""
    references = ", ".join(f'"{each}": {each}' for each in reference_names(recipe))
    options = [
        f"seed={seed}" if seed else "",
        f"parent={subject.version_code}" if subject.version is not None else "",
        f"name={json.dumps(name, ensure_ascii=False)}" if name else "",
        f"names={{{references}}}" if references else "",
    ]
    text = str(recipe)
    quoted = f'"{text}"' if '"' not in text and "\\" not in text else repr(text)
    arguments = ", ".join([subject.code, quoted, *filter(None, options)])
    return f"{into + ' = ' if into else ''}wb.compress({arguments})"


def reference_names(recipe: Recipe) -> tuple[str, ...]:
    """The bare names in a recipe, which are looked up where it runs."""
    values = (getattr(step, option.name) for step in recipe for option in describe(step))
    return tuple(dict.fromkeys(value.name for value in values if isinstance(value, Reference)))


def _references(recipe: Recipe, session: Session) -> dict[str, object]:
    """What the bare names of a recipe stand for, looked up before anything runs."""
    names = session.names
    for name in reference_names(recipe):
        if name not in names.variables:
            near = nearest(name, names.models())
            raise CompressError(
                f"the recipe names {name!r}, which this notebook does not have{near}; {names.known_models()}"
            )
    return {name: names.variables[name] for name in reference_names(recipe)}


def _check_trainable(recipe: Recipe, subject: Subject, session: Session) -> None:
    """Refuse to train without data before anything runs, with the flags that would help."""
    step = next((step for step in recipe if step.trains), None)
    if step is None or subject.work.train is not None:
        return
    from workbench.magics.offers import offer

    flags = offer(session.names, subject.work)
    if "--train" not in flags:  # validation and test data are not to train on
        flags = "--train NAME, the variable that holds training data"
    raise CompressError(f"{type(step).__name__} needs data to train on; add: {flags}")


def _open(subject: Subject, session: Session) -> None:
    """Show the studio on a model."""
    from workbench.panels import Workbench

    _offer_data(subject, session)
    tree = session.tree(subject)
    if subject.version is not None and subject.version in tree:
        tree.select(subject.version)
    session.show(Workbench(subject.work, tree=tree))


def _offer_data(subject: Subject, session: Session) -> None:
    """Where no data were named, show the flags that would name some."""
    if subject.work.validation is None:
        from workbench.magics.offers import offer

        flags = offer(session.names, subject.work) or "--validation val_loader"
        line = f"no data named, so no accuracy; to see it: %compress {subject.name} {flags}"
        session.show(Page((Words(line),)))


def _check_shows_panels(session: Session) -> None:
    if not is_notebook(session.shell):
        raise CompressError(
            "the studio needs a notebook; here, add a recipe: %compress net PruneWeights(sparsity=0.9)"
        )


def _check_flags_of_a_panel(request: Request) -> None:
    """A studio has no result yet, so that `--into` and the like would be silently lost."""
    lost = [flag for flag in ("--into", "--name", "--seed") if flag in request.flags]
    if lost:
        raise CompressError(
            f"{listed(lost)} needs a recipe: %compress {request.model} PruneWeights(sparsity=0.9) {lost[0]} "
            f"{request.flags[lost[0]]}"
        )


def _start(request: Request) -> str:
    """The recipe as it was written, for a line that says what to write before it."""
    written = (f"{each.flag} {each.text}".strip() for each in request.parts if each.kind in ("text", "flag"))
    return " ".join(written) or "..."
