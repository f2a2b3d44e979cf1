"""A finished candidate with its recipe and its report.

A version's weights are its packed bytes; models in memory are a cache. So a version is the same before and
after a restart, and going on from it gives the same result.
"""

from __future__ import annotations

import dataclasses
import html
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from workbench.promises import Promise, line
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate
    from workbench.measurement.report import Report
    from workbench.run import Stage
    from workbench.storage import Header
    from workbench.workload import Workload

_KEPT_CANDIDATES = 4  # in memory, of all versions together; the others are unpacked again when asked for
_kept: deque[_Cache] = deque()
_lock = threading.RLock()


class _Cache:
    """What a version has unpacked so far."""

    candidate: Candidate | None = None
    model: nn.Module | None = None
    base: nn.Module | None = None


@dataclass(frozen=True, eq=False)
class Version:
    """A finished candidate with its recipe, its report and its place in the tree.

    Attributes:
        id: unique in all trees. parent: the id of the version above it in the tree, None for the original.
        made_from: the id of the version its run began from, None for the original. That is the parent, but
            where it was deleted: then the parent is another one, and the recipe alone does not make this.
        name: unique in its tree; `v1`, `v2`, ... unless it was given another.
        fingerprint: of the workload (of the original model, where the version was loaded from a file).
        report: None where the version was loaded from a file; `wb.measure(work, version)` makes one.
        is_stopped: whether the run was stopped before its recipe's end.
        is_pinned: whether a size limit leaves it alone.
        packed_bytes: the length of `packed`.
        fetch: gives the packed bytes. base: the model they are unpacked into. work: None for a loaded file.
    """

    id: str
    parent: str | None
    name: str
    recipe: Recipe
    seed: int
    fingerprint: str
    report: Report | None
    packed_bytes: int
    fetch: Callable[[], bytes] = field(repr=False)
    base: nn.Module = field(repr=False)
    work: Workload | None = field(default=None, repr=False)
    stages: tuple[Stage, ...] = field(default=(), repr=False)
    is_stopped: bool = False
    created: str = ""
    note: str = ""
    is_pinned: bool = False
    made_from: str | None = None
    cache: _Cache = field(default_factory=_Cache, repr=False)

    @classmethod
    def new(
        cls,
        work: Workload,
        *,
        recipe: Recipe,
        seed: int,
        packed: bytes,
        report: Report | None = None,
        stages: tuple[Stage, ...] = (),
        candidate: Candidate | None = None,
        parent: Version | str | None = None,
        name: str | None = None,
        is_stopped: bool = False,
        note: str = "",
    ) -> Version:
        """The version a run has made. The report's main figures enter the packed file, and its stored bytes
        become the length of that file; `candidate` saves unpacking it, where that gives the very same."""
        if report is not None:
            from workbench.storage import with_report

            packed = with_report(packed, report)
            size = dataclasses.replace(report.size, stored=len(packed))
            report = dataclasses.replace(report, size=size)
        base = candidate.base if candidate is not None else None
        above = parent.id if isinstance(parent, Version) else parent
        version = cls(
            id=secrets.token_hex(6),
            parent=above,
            made_from=above,
            name=name or "",
            recipe=recipe,
            seed=seed,
            fingerprint=work.fingerprint,
            report=report,
            packed_bytes=len(packed),
            fetch=lambda: packed,
            base=base if base is not None else work.baseline,
            work=work,
            stages=stages,
            is_stopped=is_stopped,
            created=now(),
            note=note,
        )
        if candidate is not None and not candidate.constraints.learned():  # the file rounds what was learned
            version._remember(candidate)
        return version

    @classmethod
    def of_packed(cls, packed: bytes, model: nn.Module, name: str = "") -> Version:
        """The version a packed file holds, read into a copy of `model`.

        Raises:
            StorageError: the file is no packed model, or of another one.
        """
        from workbench.storage import unpack

        unpacked = unpack(packed, model)
        header = unpacked.header
        version = cls(
            id=secrets.token_hex(6),
            parent=None,
            name=name,
            recipe=header.recipe,
            seed=header.seed,
            fingerprint=header.fingerprint,
            report=None,
            packed_bytes=len(packed),
            fetch=lambda: packed,
            base=model,
            created=now(),
            note="; ".join(header.notes),
        )
        version._remember(unpacked.candidate)
        return version

    @property
    def promises(self) -> tuple[Promise, ...]:
        """What its steps promised, each with the share of it that stands after the last one."""
        return self.stages[-1].promises if self.stages else ()

    @property
    def standing(self) -> str:
        """The same in one line; empty where nothing is known."""
        return line(self.promises)

    @property
    def packed(self) -> bytes:
        """The packed file, as `wb.save` writes it."""
        return self.fetch()

    @property
    def candidate(self) -> Candidate:
        """The candidate, unpacked where it is not in memory; treat it as immutable."""
        candidate = self.cache.candidate
        if candidate is None:
            from workbench.storage import unpack

            base = self.cache.base if self.cache.base is not None else self.base
            candidate = unpack(self.packed, base).candidate
        self._remember(candidate)
        return candidate

    @property
    def model(self) -> nn.Module:
        """The compressed model as a plain `nn.Module` of the caller's own: change it as you like."""
        if self.cache.model is None:
            self.cache.model = self.candidate.copy().model
        return self.cache.model

    @property
    def header(self) -> Header:
        """What the packed file says about itself: recipe, seed, figures."""
        from workbench.storage.unpacking import header_of

        return header_of(self.packed)

    def __call__(self, inputs: Any) -> Any:
        """What the compressed model computes for a batch of inputs."""
        import torch

        model = self.candidate.simulated
        with torch.no_grad():
            if self.work is not None:
                return self.work.call(model, inputs)
            if isinstance(inputs, Mapping):
                return model(**inputs)
            return model(*inputs) if isinstance(inputs, tuple) else model(inputs)

    def packed_as(self, level: str) -> bytes:
        """The packed file at another level, "coded" for the smallest.

        Raises:
            StorageError: no such level.
        """
        from workbench.storage.packing import repack

        packed = self.packed
        return packed if level == self.header.level else repack(packed, self.candidate, level)

    def on(self, model: nn.Module) -> Version:
        """This version, unpacked into a copy of `model` from now on: a new net of a student's own class,
        which a tree that was read again after a restart cannot make by itself.

        Raises:
            StorageError: the model has another structure.
        """
        from workbench.storage import unpack

        candidate = unpack(self.packed, model).candidate
        self.cache.base, self.cache.model = model, None
        self._remember(candidate)
        return self

    def changed(self, **changes: Any) -> Version:
        """The same version with another name, note or place; what it has unpacked is shared."""
        return dataclasses.replace(self, **changes)

    def _remember(self, candidate: Candidate) -> None:
        """Keep a candidate in memory, without the latent weights that its file does not hold either."""
        with _lock:
            self.cache.candidate = dataclasses.replace(candidate, latent={}, notes=(), schedules=())
            if self.cache in _kept:
                _kept.remove(self.cache)
            _kept.append(self.cache)
            while len(_kept) > _KEPT_CANDIDATES:
                _kept.popleft().candidate = None

    def __str__(self) -> str:
        stopped = ", stopped" if self.is_stopped else ""
        made_by = str(self.recipe) or "unknown recipe"
        return f"{self.name or 'version'}: {made_by} ({self.packed_bytes:,} bytes{stopped})"

    def _repr_html_(self) -> str:
        shown = getattr(self.report, "_repr_html_", None)
        lines = "".join(f"<div>{html.escape(each)}</div>" for each in (str(self), self.standing) if each)
        return f"{lines}{shown() if shown else ''}"


def now() -> str:
    """The time in ISO form, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
