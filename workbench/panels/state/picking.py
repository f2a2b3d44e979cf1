"""Which versions of a session are selected, and which limits they are held against.

The version worked from is the tree's head; the selection of many narrows lists and rings marks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from workbench.errors import VersionError, shown
from workbench.exploration import limits as limits_of
from workbench.exploration.limits import Limits, Outcome
from workbench.measurement.found import Found
from workbench.measurement.quantities import ACCURACY, STORED, Quantity, quantities

if TYPE_CHECKING:
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

_found: WeakKeyDictionary[Version, Found] = WeakKeyDictionary()


class Kept(Protocol):
    """What a session gives."""

    work: Workload
    tree: VersionTree
    runtime: str


class Picking:
    """The selection and the limits of a session."""

    def __init__(self, session: Kept) -> None:
        self.limits = Limits()
        self._session = session
        self._ids: tuple[str, ...] = ()
        self._outcome: tuple[tuple[Any, ...], Outcome] = ((), Outcome())

    @property
    def selection(self) -> list[Version]:
        """The selected versions, oldest first; none where all are listed."""
        wanted = set(self._ids)
        return [each for each in self._session.tree.versions if each.id in wanted] if wanted else []

    @property
    def listed(self) -> list[Version]:
        """The versions a list shows, oldest first: those selected, or all."""
        return self.selection or self._session.tree.versions

    def select(self, which: Iterable[Version | str] | Version | str | None) -> bool:
        """Select these versions (or their names), none with None; whether that is another selection.

        Raises:
            VersionError: one of them does not exist.
        """
        ids = self._meant(which)
        is_other = set(ids) != set(self._ids)
        self._ids = ids
        return is_other

    def toggle(self, id: str) -> None:
        """Add a version to the selection, or take it away; the first addition keeps the one worked from."""
        head = self._session.tree.head
        ids = self._ids or ((head.id,) if head is not None else ())
        self._ids = tuple(each for each in ids if each != id) if id in self._ids else (*ids, id)
        self._ids = tuple(dict.fromkeys(self._ids))

    @property
    def by(self) -> Quantity:
        """What the best version is best by: accuracy, else the first metric, else the size."""
        first = next(iter(quantities(self._session.work, ()).values()))
        return first if first.kind == "measured" else STORED

    def outcome(self) -> Outcome:
        """What the limits say of the versions there are."""
        session = self._session
        versions = session.tree.versions
        key = (self.limits, session.runtime, tuple(versions))
        if key != self._outcome[0]:
            models = [(each.id, found_of(each)) for each in versions]
            self._outcome = (key, limits_of.outcome(self.limits, models, session.runtime, self.by))
        return self._outcome[1]

    def told(self) -> str:
        """The outcome in words; empty without limits."""
        versions = {each.id: each for each in self._session.tree.versions}
        names = {id: each.name for id, each in versions.items()}
        shown_by = dict.fromkeys((self.by, STORED))

        def figures(id: str) -> str:
            return ", ".join(_figure(quantity, found_of(versions[id])) for quantity in shown_by)

        said = limits_of.told(self.outcome(), names, figures, self.by)
        return f"{said} The original fits too." if said and self._original_fits() else said

    def _original_fits(self) -> bool:
        """Whether the original keeps the limits, as the newest report tells."""
        reports = [each.report for each in self._session.tree.versions if each.report is not None]
        if not reports:
            return False
        return limits_of.judge(self.limits, Found.of_baseline(reports[-1]), self._session.runtime).fits

    def _meant(self, which: Iterable[Version | str] | Version | str | None) -> tuple[str, ...]:
        from workbench.versions import Version

        if which is None:
            return ()
        if isinstance(which, (str, Version)):
            which = (which,)
        if not isinstance(which, Iterable):
            raise VersionError(f"a selection is a list of versions or their names, got {shown(which)}")
        tree = self._session.tree
        known = {each.id: each.id for each in tree.versions}  # looked up once: there may be a thousand
        ids = (each.id if isinstance(each, Version) else each for each in which)
        return tuple(dict.fromkeys(known.get(each) or tree.get(each).id for each in ids))


def _figure(quantity: Quantity, found: Found) -> str:
    """A figure; an accuracy with the data it is of, since versions are chosen by the same data."""
    split = f" {found.accuracy.split}" if quantity is ACCURACY and found.accuracy is not None else ""
    return quantity.text(found) + split


def found_of(version: Version) -> Found:
    """The figures of a version; of one without a report what its file weighs."""
    if version not in _found:
        report = version.report
        _found[version] = (
            Found.of_report(report) if report is not None else Found(stored=version.packed_bytes)
        )
    return _found[version]
