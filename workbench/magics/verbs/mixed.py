"""`%compress mixed net --max-size "30 KB"`: bits for each layer that reach a target, as a recipe to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.magics.arguments import Request
from workbench.magics.errors import CompressError
from workbench.magics.grammar import DATA, Verb
from workbench.magics.offers import offer
from workbench.magics.page import Code, Page, Table, Title, Words
from workbench.magics.session import Session

if TYPE_CHECKING:
    from workbench.exploration.mixed_precision import Mixed

_TECHNIQUE = "Quantize"  # where none is named
_WHOLE = 32


def page(mixed: Mixed) -> Page:
    """A choice of bits as something to read."""
    rows = [(layer, "whole" if bits >= _WHOLE else str(bits)) for layer, bits in mixed.bits.items()]
    return Page(
        (
            Title(mixed.summary),
            Table(("layer", "bits"), rows, numbers=frozenset({1})),
            Code(str(mixed.step)),
            Words("Chosen on the validation data: what it is worth on new data, a run on test data tells."),
        )
    )


def _run(request: Request, session: Session) -> None:
    from workbench.exploration.mixed_precision import job

    into = session.names.check_free(request.flags["--into"]) if "--into" in request.flags else None
    options = _options(request)
    subject = session.subject(request.model, request.data)
    if subject.version is not None:
        raise CompressError(
            f"{subject.name} is a version; bits are chosen for a model: "
            '%compress mixed NAME --max-size "30 KB", where NAME is the model it was made of'
        )
    if subject.work.validation is None:
        flags = offer(session.names, subject.work) or "--validation NAME"
        raise CompressError(f"{subject.name} has no validation data to judge by; name some: {flags}")
    technique = request.words[1] if len(request.words) > 1 else _TECHNIQUE
    mixed = session.run(job(subject.work, technique, **options))
    session.put(into, mixed)
    session.show(page(mixed))


def _options(request: Request) -> dict[str, Any]:
    """What the flags say."""
    options: dict[str, Any] = {}
    if "--max-size" in request.flags:
        options["max_size"] = request.flags["--max-size"]
    if text := request.flags.get("--max-drop"):
        try:
            options["max_drop"] = float(text)
        except ValueError:
            raise CompressError(
                f"--max-drop must be a share like 0.005, half a point, got {text!r}"
            ) from None
    if "--samples" in request.flags:
        options["samples"] = request.number("--samples", 0)
    if "--seed" in request.flags:
        options["seed"] = request.number("--seed", 0)
    return options


VERB = Verb(
    'mixed net --max-size "30 KB"',
    "bits for each layer that reach a size or a loss, as a recipe",
    _run,
    words=("model", "step"),
    flags=(*DATA, "--max-size", "--max-drop", "--samples", "--seed", "--into", "--model"),
)
