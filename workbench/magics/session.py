"""What the magics remember of one notebook: a workload for each model, and which model was used last.

A model that is compressed twice with the same data is the same workload, so that what was prepared for it and
its history are found again. A model that was trained in between, or other data, makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import ModelChanged
from workbench.magics import display
from workbench.magics.errors import CompressError
from workbench.magics.namespace import Namespace, is_version, is_workload

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from workbench.job import Job
    from workbench.versions import Version, VersionTree
    from workbench.workload import Workload

EXAMPLE = "digits"


@dataclass(frozen=True)
class Subject:
    """What a line is about: a workload, and a version of it where one was named.

    `name` is as a person writes it; `code` makes the workload in Python, `version_code` names the version.
    """

    name: str
    work: Workload
    code: str
    version: Version | None = None
    version_code: str = ""


@dataclass(frozen=True)
class _Kept:
    """A model with its workload and the data it was made with: by split, as written and as found."""

    model: Any
    name: str
    work: Workload
    data: Mapping[str, tuple[str, Any]]


class Session:
    """The magics' memory of one notebook."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self._kept: dict[int, _Kept] = {}
        self._example: Subject | None = None
        self._last: Subject | None = None

    @property
    def names(self) -> Namespace:
        """The notebook's variables as they are now."""
        return Namespace(self.shell.user_ns, self.shell.user_ns_hidden)

    def put(self, name: str | None, value: Any) -> None:
        """Put a result into the notebook, under a name that was checked before; None puts it nowhere."""
        if name:
            self.shell.user_ns[name] = value

    def show(self, value: Any) -> None:
        """Show a page, a report or a panel."""
        display.show(value)

    def run(self, job: Job[Any], header: Any = None) -> Any:
        """Run a job to its end, with its progress under `header`."""
        return display.run(self.shell, job, header)

    def subject(self, name: str = "", data: Mapping[str, str] | None = None) -> Subject:
        """What a line is about: the model it names with the data it names, or the one used last.

        Raises:
            CompressError: no such model, or none was named and none was used yet.
            WorkloadError: the model does not take the data, or cannot be used.
        """
        self._forget_models_that_are_gone()
        subject = self._named(name, data or {}) if name else self._used_last(data or {})
        self._last = subject
        return subject

    def find(self, name: str) -> Any:
        """The model, workload or version called `name`; a version may also be one of the history.

        Raises:
            CompressError: there is none; the line lists those there are.
        """
        if name not in self.names.variables and (found := self._in_history(name)) is not None:
            return found
        return self.names.model(name)

    def version(self, name: str) -> Version:
        """The version called `name`.

        Raises:
            CompressError: there is none, or it is a model that was not compressed yet.
        """
        found = self.find(name)
        if not is_version(found):
            raise CompressError(
                f"{name!r} is not a version yet; make one: %compress {name} Quantize(weights=8) --into small"
            )
        return found

    def example(self) -> Subject:
        """The built-in example, loaded once."""
        if self._example is None:
            from workbench.examples import load

            self._example = Subject(EXAMPLE, load(EXAMPLE), f'wb.examples.load("{EXAMPLE}")')
        self._last = self._example
        return self._example

    def code_of(self, work: Workload) -> str | None:
        """The Python that makes a workload of these magics again; None for one that is not theirs."""
        if self._example is not None and self._example.work is work:
            return self._example.code
        found = next((each for each in self._kept.values() if each.work is work), None)
        return _code(found.name, found.data) if found is not None and found.name.isidentifier() else None

    def tree(self, subject: Subject) -> VersionTree:
        """The history of a workload."""
        from workbench.versions import tree_for

        return tree_for(subject.work)

    def _named(self, name: str, data: Mapping[str, str]) -> Subject:
        value = self.find(name)
        if is_version(value):
            return self._of_version(name, value, data)
        if is_workload(value):
            return self._of_model(f"{name}.model", value.model, data) if data else Subject(name, value, name)
        return self._of_model(name, value, data)

    def _used_last(self, data: Mapping[str, str]) -> Subject:
        models, last = self.names.models(), self._last
        if last is None and len(models) == 1:
            return self._named(next(iter(models)), data)
        if last is None:
            raise CompressError(f"say which model; {self.names.known_models()}")
        if last.name in models:  # looked up again: it may have been trained since
            return self._named(last.name, data)
        return self._of_model(last.name, last.work.model, data) if data else last

    def _of_model(self, name: str, model: Any, data: Mapping[str, str]) -> Subject:
        """The workload of a model: the one made before, where model and data are the same."""
        from workbench.workload import Workload

        kept = self._kept.get(id(model))
        found = self._data(kept, data)
        if kept is None or not _same_data(kept.data, found) or _is_changed(kept.work):
            given = {split: value for split, (_, value) in found.items()}
            kept = _Kept(model, name, Workload(model, **given, name=name), found)
            self._kept[id(model)] = kept
        return Subject(name, kept.work, _code(name, found))

    def _of_version(self, name: str, version: Version, data: Mapping[str, str]) -> Subject:
        """A version with the workload it was made of."""
        if version.work is None:
            raise CompressError(
                f"{name} was loaded without its model and data; name them: "
                f"%compress load FILE --model net --into {name}"
            )
        base = self._made_before(version.work)
        if data:
            base = self._of_model(base.name, base.work.model, data)
        is_variable = name in self.names.variables
        version_code = name if is_variable else f'wb.tree_for({base.code}).get("{version.name}")'
        return Subject(name, base.work, base.code, version, version_code)

    def _made_before(self, work: Workload) -> Subject:
        """A workload with the name it has in this notebook."""
        for each in self._kept.values():
            if each.work is work:
                return Subject(each.name, work, _code(each.name, each.data))
        name = next((name for name, value in self.names.own() if value is work), None)
        return Subject(name or work.name, work, name or "work")

    def _in_history(self, name: str) -> Version | None:
        """A version by its name or id: of the model used last, else of any."""
        from workbench.versions import trees

        for tree in [*([self.tree(self._last)] if self._last is not None else []), *trees()]:
            if name in tree:
                return tree.get(name)
        return None

    def _data(self, kept: _Kept | None, given: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
        """The data by split: those named now, and those named for this model before.

        What was named before is looked up again, since the cell that makes it may have been run again.
        """
        found = dict(kept.data) if kept is not None else {}
        for split, (written, _) in list(found.items()):
            if self.names.has(written):
                found[split] = (written, self.names.value(written, f"--{split}"))
        return found | {
            split: (written, self.names.value(written, f"--{split}")) for split, written in given.items()
        }

    def _forget_models_that_are_gone(self) -> None:
        """A workload holds its model, so that a weak reference would never die: ask the notebook instead."""
        held = {id(_model_of(value)) for value in self.names.models().values()}
        for key in [key for key in self._kept if key not in held]:
            if self._last is None or self._kept[key].work is not self._last.work:
                del self._kept[key]


def _model_of(value: Any) -> Any:
    """The user's model behind a model, a workload or a version."""
    work = value.work if is_version(value) else value
    return work.model if is_workload(work) else work


def _same_data(a: Mapping[str, tuple[str, Any]], b: Mapping[str, tuple[str, Any]]) -> bool:
    """Whether the same objects were named; a pair is made anew each time, so its members are compared."""
    if a.keys() != b.keys():
        return False
    pairs = ((a[split][1], b[split][1]) for split in a)
    return all(
        x is y or (type(x) is type(y) is tuple and len(x) == len(y) and all(map(_is_same, x, y)))
        for x, y in pairs
    )


def _is_same(x: Any, y: Any) -> bool:
    return x is y


def _is_changed(work: Workload) -> bool:
    try:
        work.check_unchanged()
    except ModelChanged:
        return True
    return False


def _code(name: str, data: Mapping[str, tuple[str, Any]]) -> str:
    given = "".join(f", {split}={written}" for split, (written, _) in data.items())
    return f"wb.Workload({name}{given})"
