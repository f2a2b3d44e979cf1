"""The model that a session's figures are about: of its version, else of its preview, else the original."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.panels.state.session import Session


def candidate(session: Session) -> Candidate:
    """The candidate of what is shown; from what the previewer keeps, where it has been previewed.

    Raises:
        WorkbenchError: the recipe cannot be previewed.
    """
    if (version := session.version) is not None:
        return version.candidate
    return session.estimates.previewer.shown(session.recipe, names=session.names)


def candidate_or_original(session: Session) -> Candidate:
    """The same, or the original where the recipe cannot be previewed."""
    try:
        return candidate(session)
    except WorkbenchError:  # the preview has said it
        return original(session)


def original(session: Session) -> Candidate:
    """The untouched model, whatever a recipe is gone on from."""
    return session.estimates.original
