"""What is being measured: the baseline, somebody's model, a candidate or a version, as one candidate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.workload import Workload


def subject(work: Workload, model: Any = None) -> Candidate:
    """The candidate that stands for `model`; the baseline's where it is None.

    A user's own model is copied, so that its mode and weights are left as they are.

    Raises:
        WorkbenchError: it is neither a model nor a candidate nor a version, or does not take the data.
    """
    from torch import nn

    from workbench.candidate import Candidate

    if model is None:
        return Candidate(work.baseline)
    if isinstance(model, Candidate):
        return model
    if isinstance(model, nn.Module):
        candidate = Candidate.of(model)
        candidate.model.to(work.device)
        _check_takes_example(work, candidate.model)
        return candidate
    if isinstance(candidate := getattr(model, "candidate", None), Candidate):
        return candidate
    raise WorkbenchError(
        f"a {type(model).__name__} cannot be measured; give a torch.nn.Module, a candidate or a version"
    )


def stored_bytes(candidate: Candidate, model: Any = None) -> int | None:
    """Bytes on disk: of a version's packed file, of the plain file of a model; a bare candidate has none."""
    from torch import nn

    from workbench.measurement.size import file_bytes

    if model is None or isinstance(model, nn.Module):
        return file_bytes(candidate.model)
    packed = getattr(model, "packed", None)
    return len(packed) if packed is not None else None


def name_of(work: Workload, model: Any = None) -> str:
    """What the report of a model is called."""
    if model is None:
        return work.name
    name = getattr(model, "name", None)
    if isinstance(name, str) and name:
        return name
    return f"{work.name}, compressed" if hasattr(model, "constraints") else type(model).__name__


def _check_takes_example(work: Workload, model: Any) -> None:
    import torch

    if work.example is None:
        return
    try:
        with torch.no_grad():
            work.call(model, work.example)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise WorkbenchError(f"the model does not take the data of {work.name}: {reason}") from error
