"""A packed file back into a candidate. Nothing in it is believed: sizes are checked before memory is used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from workbench import structure
from workbench.candidate import Candidate, plain_copy
from workbench.constraints import Constraint, Constraints
from workbench.errors import StorageError, WorkbenchError, WorkloadError, shown
from workbench.fields import Fields
from workbench.recipe import Recipe
from workbench.storage import activations, container, dense, header
from workbench.storage.container import Container
from workbench.storage.content import Part, Reading, Shared
from workbench.storage.encodings import Encoded, decode
from workbench.storage.packing import STREAM
from workbench.tensors import DTYPES, NAMES, Named, by_shape, tensors


@dataclass(frozen=True)
class Header:
    """What a packed file says about itself.

    Attributes:
        recipe: how the candidate was made; empty where this workbench cannot read it, and `notes` says so.
        fingerprint: of the original model, weights included.
        figures: accuracy and metrics that were measured before it was stored.
        level: "packed" or "coded".
        student: the class of the model, where it is not that of the workload's; empty where it is.
    """

    recipe: Recipe
    seed: int
    fingerprint: str
    level: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    student: str = ""


@dataclass(frozen=True, eq=False)
class Unpacked:
    """A candidate read from a file, and the file's header."""

    candidate: Candidate
    header: Header


@dataclass(frozen=True)
class Stored:
    """One tensor of a file: what its record says, and the bytes of its parts."""

    names: tuple[str, ...]
    dtype: str
    shape: tuple[int, ...]
    constraints: tuple[Any, ...]
    encoded: Encoded

    @property
    def name(self) -> str:
        """The first name, under which it is stored."""
        return self.names[0]


def unpack(data: bytes | memoryview, model: nn.Module) -> Unpacked:
    """The candidate a packed file holds, on a copy of `model`, with its constraints; `model` is not changed.

    Args:
        data: a whole file.
        model: the original, or a new instance of its class: its weights do not matter, its structure does.

    Raises:
        StorageError: the file is damaged, foreign, of a later format or hostile, or was made from another
            model; the line names what is wrong, and the first tensor that differs.
    """
    opened = container.read(data)
    header.check_format(opened.metadata)
    container.check_sum(data, opened)
    head = header.from_metadata(opened.metadata)
    stored = list(contents(opened, head))
    rebuilt = _rebuilt(model, head, stored)
    own = _check_tensors(stored, tensors(rebuilt))
    constraints: dict[str, tuple[Constraint, ...]] = {}
    shared = Shared()
    for each in stored:
        try:
            reading = Reading(each.shape, DTYPES[each.dtype], None, (), False, each.name, shared)
            tensor, chain = decode(each.encoded, list(each.constraints), reading)
        except StorageError as error:
            raise StorageError(f"{each.name[:80]}: {error}") from None
        _assign(rebuilt, each, tensor, own)
        if chain:
            constraints[each.name] = chain
    found = read_header(head)
    base = plain_copy(model) if found.student else None
    rounded = activations.from_records(head, rebuilt)
    candidate = Candidate(rebuilt.eval(), Constraints(constraints), activations=rounded, base=base)
    return Unpacked(candidate, found)


def contents(opened: Container, head: Fields) -> Iterator[Stored]:
    """The tensors of a file, in the order of their records, plain ones last.

    Raises:
        StorageError: a record that does not fit the bytes there are.
    """
    stream = opened.data(STREAM) if STREAM in opened.entries else memoryview(b"")
    position, seen = 0, set()
    for given in head.items("tensors"):
        record = Fields(given, "a tensor's record")
        name = record.text("name", longest=2000)
        record.where = f"the record of {name[:60]!r}"
        lengths = record.integers("bytes", longest=64)
        if position + sum(lengths) > len(stream):
            raise StorageError(f"{record.where} asks for more bytes than there are")
        parts = []
        for length in lengths:
            parts.append(stream[position : position + length])
            position += length
        if name in seen:
            raise StorageError(f"{record.where} is there twice")
        seen.add(name)
        yield _stored(opened, record, name, parts)
    if position != len(stream):
        raise StorageError(f"{len(stream) - position:,} packed bytes belong to no tensor")
    for name, entry in opened.entries.items():
        if name not in seen and name != STREAM:
            encoded = Encoded((), None, Part([dense.NAME, {}], opened.data(name)))
            yield Stored((name,), entry.dtype, entry.shape, (), encoded)


def read_header(head: Fields) -> Header:
    """The parts of the header that describe where the weights come from."""
    recipe, notes = Recipe(), ()
    try:
        recipe = Recipe.from_records(head.items("recipe", longest=1000))
    except WorkbenchError as error:  # a technique of somebody's package: the weights load without it
        notes = (f"the recipe in the file cannot be read here: {error}",)
    return Header(
        recipe=recipe,
        seed=head.integer("seed", default=0, low=-(2**63), high=2**64),
        fingerprint=head.object("original").text("fingerprint", default="", longest=64),
        level=head.text("level", default="packed", longest=20),
        figures=head.object("figures").given,
        notes=notes,
        student=student_class(head),
    )


def student_class(head: Fields) -> str:
    """The class of a student that is not of the workload's own class, as the file names it, or nothing."""
    return head.object("student").text("class", default="", longest=200)


def header_of(data: bytes | memoryview) -> Header:
    """The header of a packed file.

    Raises:
        StorageError: not a packed file.
    """
    opened = container.read(data)
    header.check_format(opened.metadata)
    return read_header(header.from_metadata(opened.metadata))


def _stored(opened: Container, record: Fields, name: str, parts: list[memoryview]) -> Stored:
    """A tensor's parts in the order they were written: constraints, positions, values."""
    chain = record.items("constraints", longest=16)
    is_entry = name in opened.entries and name != STREAM
    has_positions = "positions" in record
    if len(parts) != len(chain) + (0 if is_entry else 1 + has_positions):
        raise StorageError(f"{record.where} has {len(parts)} parts, which do not fit its encodings")
    constraints = tuple(Part(each, part) for each, part in zip(chain, parts, strict=False))
    if is_entry:
        entry = opened.entries[name]
        dtype, shape, positions = entry.dtype, entry.shape, None
        values = Part([dense.NAME, {}], opened.data(name))
    else:
        dtype, shape = record.text("dtype"), tuple(record.integers("shape"))
        positions = Part(record.given["positions"], parts[-2]) if has_positions else None
        values = Part(record.given.get("values"), parts[-1])
    if dtype not in DTYPES:
        raise StorageError(f"{record.where}: unknown dtype {dtype[:20]!r}")
    names = (name, *record.texts("also"))
    return Stored(names, dtype, shape, tuple(chain), Encoded(constraints, positions, values))


def _rebuilt(model: nn.Module, head: Fields, stored: list[Stored]) -> nn.Module:
    """A copy of the given model with the file's structure, after it was seen to be the right original."""
    if isinstance(model, type):
        raise StorageError(f"{model.__name__} is a class; give a model of it: {model.__name__}()")
    if not isinstance(model, nn.Module):
        raise StorageError(f"give the model to load into, like Net(); got {type(model).__name__}")
    try:
        copy = plain_copy(model)
    except WorkloadError as error:
        raise StorageError(str(error)) from None
    original = head.object("original")
    expected = original.text("structure", default="", longest=64)
    records = head.items("structure")
    if expected and structure.structure_fingerprint(copy) != expected:
        if name := student_class(head):
            name = shown(name)[1:-1]
            raise StorageError(
                f"this is a student of a class of its own, {name}, and no {type(model).__name__}; "
                f"define {name} and give a new one: version.on({name}()), or wb.load(path, {name}())"
            )
        if not records:  # the names and shapes say more
            _check_tensors(stored, tensors(copy))
        _refuse(copy, original)
    return structure.rebuild(copy, records) if records else copy


def _refuse(model: nn.Module, original: Fields) -> None:
    """Say in which layer the given model differs from the original."""
    path = structure.first_difference(model, original.text("modules", default="", longest=1_000_000))
    where = f"first in {path}" if path else "in its last modules"
    raise StorageError(
        f"the file was made from a model with another structure than this {type(model).__name__}, {where}; "
        "load it into a new instance of the original class, made with the same arguments"
    )


def _check_tensors(stored: list[Stored], expected: list[Named]) -> dict[str, Named]:
    """The file holds every tensor of the model and no other, and they fit; the model's by name."""
    held = {name for each in stored for name in each.names}
    wanted = {name for each in expected for name in each.names}
    if missing := next((name for each in expected for name in each.names if name not in held), None):
        raise StorageError(f"the file has no tensor {missing!r}, which this model has; is it another model?")
    if extra := next((name for each in stored for name in each.names if name not in wanted), None):
        raise StorageError(
            f"the file has a tensor {extra[:80]!r}, which this model has not; is it another model?"
        )
    if sum(len(each.names) for each in stored) != len(held):
        raise StorageError("a tensor is named twice in the file")
    own = {name: each for each in expected for name in each.names}
    for each in stored:
        _check_fit(each, own)
    return own


def _check_fit(stored: Stored, own: Mapping[str, Named]) -> None:
    """A tensor fits the model's under all its names; its type may be another float, as casting makes it."""
    dtype = DTYPES[stored.dtype]
    for name in stored.names:
        tensor = own[name].tensor
        if tuple(tensor.shape) != stored.shape:
            raise StorageError(
                f"{name} is {by_shape(stored.shape)} in the file and {by_shape(tensor.shape)} in this model; "
                "load it into a new instance of the original class, made with the same arguments"
            )
        if dtype != tensor.dtype and not (dtype.is_floating_point and tensor.is_floating_point()):
            raise StorageError(
                f"{name} is {stored.dtype} in the file and {NAMES[tensor.dtype]} in this model"
            )
        if own[name].is_parameter != own[stored.name].is_parameter:
            raise StorageError(f"{name} and {stored.name} cannot be one tensor: one of them is a buffer")


def _assign(model: nn.Module, stored: Stored, tensor: Tensor, own: Mapping[str, Named]) -> None:
    """Put a tensor where its names say, as one object: in place where the model's own fits, else anew."""
    named = own[stored.name]
    fits = not named.tensor.is_meta and named.tensor.dtype == tensor.dtype
    if fits and set(named.names) == set(stored.names):
        with torch.no_grad():
            named.tensor.copy_(tensor)
        return
    device = "cpu" if named.tensor.is_meta else named.tensor.device
    tensor = tensor.to(device)
    if named.is_parameter:
        can_train = tensor.is_floating_point() or tensor.is_complex()
        tensor = nn.Parameter(tensor, requires_grad=named.tensor.requires_grad and can_train)
    for name in stored.names:
        path, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(path), leaf, tensor)
