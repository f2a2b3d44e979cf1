"""Whatever a file holds, reading it gives a model or one typed line, soon, and touches nothing else."""

from __future__ import annotations

import base64
import json
import random
import resource
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from packing import gridded, masked, mutated, resigned
from small import net
from torch import nn

from workbench.candidate import Candidate
from workbench.constraints import Codebook
from workbench.errors import StorageError
from workbench.storage import container, header, load, pack, unpack

pytestmark = pytest.mark.slow

Json = dict[str, Any]


def original() -> nn.Sequential:
    return net(nn.ReLU(), nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU())


def candidate() -> Candidate:
    """One of everything: a grid under a mask, a codebook, a changed structure."""
    made = masked(Candidate.of(original()), 0.5)
    made.model[2] = nn.Sequential(nn.Linear(8, 2), nn.Linear(2, 8)).eval()
    weight = made.model[5].weight
    codes = torch.randint(0, 3, weight.shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    made = gridded(
        Candidate(made.model, type(made.constraints)({"0.weight": made.constraints["0.weight"]})), 4
    )
    return made.constrained({"5.weight": Codebook(torch.tensor([0.1, 0.2, -0.3]), codes)})


PACKED = {level: pack(candidate(), original=original(), level=level) for level in ("packed", "coded")}


def forged(change: Callable[[Json, Json], None], level: str = "packed") -> bytes:
    """A file whose outer and inner headers were changed by somebody who can sign."""
    opened = container.read(PACKED[level])
    start = 8 + struct.unpack("<Q", PACKED[level][:8])[0]
    outer = json.loads(PACKED[level][8:start])
    inner = header.from_metadata(opened.metadata).given
    change(outer, inner)
    if isinstance(outer.get("__metadata__"), dict) and header.KEY in outer["__metadata__"]:
        outer["__metadata__"].update(header.to_metadata(inner))
    return with_header(outer, bytes(opened.payload))


def with_header(outer: Any, payload: bytes) -> bytes:
    text = json.dumps(outer, separators=(",", ":")).encode()
    return resigned(struct.pack("<Q", len(text)) + text + payload)


def with_inner(text: str) -> bytes:
    """A file with any text as its inner header."""
    opened = container.read(PACKED["packed"])
    start = 8 + struct.unpack("<Q", PACKED["packed"][:8])[0]
    outer = json.loads(PACKED["packed"][8:start])
    outer["__metadata__"][header.KEY] = text
    return with_header(outer, bytes(opened.payload))


def refused(data: bytes, words: str = "") -> str:
    """The one line that a file gets, within a second and without much memory."""
    model = original()
    started = time.perf_counter()
    with pytest.raises(StorageError) as caught:
        unpack(data, model)
    assert time.perf_counter() - started < 1
    line = str(caught.value)
    assert words in line and "\n" not in line and len(line) < 400
    return line


def peak(data: bytes) -> int:
    """The most bytes in use at once while a file is refused."""
    model = original()
    tracemalloc.start()
    try:
        with pytest.raises(StorageError):
            unpack(data, model)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_file_itself_is_good():
    for data in (*PACKED.values(), forged(lambda outer, inner: None)):
        unpack(data, original())


def test_every_truncation_is_noticed():
    for data in PACKED.values():
        for length in [*range(40), *range(40, len(data), 37), len(data) - 1]:
            refused(data[:length])
    assert "cut short: 1 bytes are missing" in refused(PACKED["packed"][:-1])


def test_bytes_behind_the_end_are_noticed():
    refused(PACKED["packed"] + b"x", "1 bytes too many")


def test_every_flipped_bit_is_noticed():
    data = PACKED["packed"]
    for position in [*range(24), *range(24, len(data), 11)]:
        for bit in (0, 6):
            broken = bytearray(data)
            broken[position] ^= 1 << bit
            refused(bytes(broken))


@pytest.mark.parametrize("level", PACKED)
def test_a_few_hundred_mutations_see_only_our_errors(level: str):
    """Half of them signed again, so that they reach what lies behind the checksum."""
    data, dice, model = PACKED[level], random.Random(0), original()
    refusals = 0
    for index in range(400):
        broken = mutated(data, dice)
        try:
            unpack(resigned(broken) if index % 2 else broken, model)
        except StorageError as error:
            refusals += 1
            assert "\n" not in str(error)
    assert refusals > 200


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@pytest.mark.parametrize("level", PACKED)
def test_mutated_inner_headers_see_only_our_errors(level: str):
    """Every value of the inner header in turn becomes something else, under a good checksum."""
    strange = [None, True, -1, 0, 10**30, 2**60, 1.5, "", "x", "ans", [], {}, [[]], ["bits", {}], {"at": "0"}]
    dice, model = random.Random(0), original()

    def places(value: Any) -> list[tuple[Any, Any]]:
        keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        own = [(value, key) for key in keys]
        return own + [each for key in keys for each in places(value[key])]

    count = len(places(header.from_metadata(container.read(PACKED[level]).metadata).given))
    for index in range(count):
        for value in dice.sample(strange, 2):

            def change(outer: Json, inner: Json, index: int = index, value: Any = value) -> None:
                holder, key = places(inner)[index]
                holder[key] = value

            try:
                unpack(forged(change, level), model)
            except StorageError as error:
                assert "\n" not in str(error)


def test_files_of_others_are_named(tmp_path: Path):
    foreign = safetensors.torch.save({"weight": torch.ones(2, 2)})
    refused(foreign, "a safetensors file, but not a packed model")
    refused(b"PK\x03\x04" + b"\0" * 1000, "does not begin like a safetensors file")
    refused(b"\x10\0\0\0\0\0\0\0" + b"<html>" + b"x" * 100, "does not begin like a safetensors file")
    refused(b"", "0 bytes are too few")
    for name, words in {"none.safetensors": "there is no file", "": "is not a file"}.items():
        with pytest.raises(StorageError, match=words):
            load(tmp_path / name, original())


def test_a_large_foreign_file_is_not_read(tmp_path: Path):
    path = tmp_path / "large.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", 2**40))
        file.truncate(2**33)  # eight gigabytes, of which none is on the disk
    started = time.perf_counter()
    with pytest.raises(StorageError, match=r"large\.safetensors: not a packed model"):
        load(path, original())
    assert time.perf_counter() - started < 1


def test_a_file_of_the_future_asks_for_a_newer_workbench():
    def change(outer: Json, inner: Json) -> None:
        outer["__metadata__"]["workbench_format"] = "2"

    data = container.read(PACKED["packed"])
    start = 8 + struct.unpack("<Q", PACKED["packed"][:8])[0]
    outer = json.loads(PACKED["packed"][8:start])
    change(outer, {})
    refused(
        with_header(outer, bytes(data.payload)), "format 2, this workbench reads format 1; install a newer"
    )
    outer["__metadata__"]["workbench_format"] = "9" * 5000
    refused(with_header(outer, bytes(data.payload)), "does not say its format")


def test_huge_lengths_are_refused_before_anything_is_allocated():
    for length in (2**63, 2**64 - 1, 2**40, 3_999_999):
        refused(struct.pack("<Q", length) + PACKED["packed"][8:])

    def huge_shape(outer: Json, inner: Json) -> None:
        outer["0.bias"]["shape"] = [2**50, 2**50]

    def huge_offsets(outer: Json, inner: Json) -> None:
        outer["0.bias"].update(shape=[2**40], data_offsets=[0, 2**42])

    def huge_tensor(outer: Json, inner: Json) -> None:
        inner["tensors"][0]["shape"] = [2**30, 2**20]

    def huge_part(outer: Json, inner: Json) -> None:
        inner["tensors"][0]["bytes"][-1] = 2**50

    def huge_layer(outer: Json, inner: Json) -> None:
        inner["structure"] = [{"at": "0", "set": {"in_features": 2**15, "out_features": 2**15}}]

    for change in (huge_shape, huge_offsets, huge_tensor, huge_part, huge_layer):
        data = forged(change)
        refused(data)
        assert peak(data) < 5_000_000


def test_overlapping_tensors_and_holes_are_refused():
    def overlap(outer: Json, inner: Json) -> None:
        first, second = sorted((each for each in outer if each.endswith("bias")), key=str)[:2]
        size = outer[second]["data_offsets"][1] - outer[second]["data_offsets"][0]
        start = outer[first]["data_offsets"][0]
        outer[second]["data_offsets"] = [start, start + size]

    def hole(outer: Json, inner: Json) -> None:
        del outer["0.bias"]

    refused(forged(overlap), "overlaps")
    refused(forged(hole))


def test_deep_json_is_refused():
    deep = "[" * 200_000 + "]" * 200_000
    refused(struct.pack("<Q", len(deep) + 5) + b'{"a":' + deep.encode())
    refused(with_inner('{"tensors":' + "[" * 100_000 + "]" * 100_000 + "}"), "nested too deeply")
    refused(with_inner('{"tensors":[],"tensors":[]}'), "a name appears twice")
    refused(with_inner('{"seed":' + "9" * 10_000 + "}"))


def test_decompression_bombs_are_not_expanded():
    bomb = with_inner("z" + base64.b85encode(zlib.compress(b" " * 80_000_000, 9)).decode())
    refused(bomb, "larger than any real one")
    assert peak(bomb) < 20_000_000
    refused(with_inner("z" + base64.b85encode(zlib.compress(b"{}")[:-3]).decode()), "damaged")
    refused(with_inner("z not base85 ~~ \u00e9"), "damaged")


def edits() -> dict[str, tuple[Callable[[Json, Json], None], str]]:
    """Single lies in the inner header, and what is said of each."""

    def record(number: int = 0, **changes: Any) -> Callable[[Json, Json], None]:
        return lambda outer, inner: inner["tensors"][number].update(changes)

    def twice(outer: Json, inner: Json) -> None:
        inner["tensors"].append(inner["tensors"][0])

    def gone(outer: Json, inner: Json) -> None:
        inner["tensors"][0]["name"] = "9.weight"

    def hostile(record: Json) -> Callable[[Json, Json], None]:
        return lambda outer, inner: inner.update(structure=[record])

    grid = ["Grid", {"bits": 4, "shape": [8, 1]}]
    return {
        "unknown values": (record(values=["wavelets", {}]), "unknown way to write values: 'wavelets'"),
        "unknown positions": (record(positions=["runs", {}]), "unknown way to write positions: 'runs'"),
        "unknown constraint": (
            record(constraints=[["Sphere", {}], ["Mask", {}]]),
            "unknown constraint 'Sphere'",
        ),
        "one constraint twice": (record(constraints=[grid, grid]), "twice"),
        "unknown codes": (record(values=["grid", {"codes": ["huffman", {}]}]), "unknown way to write codes"),
        "bits": (record(values=["grid", {"codes": ["bits", {"width": 17}]}]), "from 0 to 16"),
        "width": (record(values=["grid", {"codes": ["bits", {"width": 5}]}]), "take"),
        "wrong grid": (record(constraints=[["Grid", {"bits": 4, "shape": [7, 1]}], ["Mask", {}]]), "scales"),
        "wide grid": (
            record(constraints=[["Grid", {"bits": 40, "shape": [8, 1]}], ["Mask", {}]]),
            "from 2 to 16",
        ),
        "dtype": (record(dtype="F128"), "unknown dtype"),
        "whole numbers": (record(dtype="I64"), "is I64 in the file and F32 in this model"),
        "a tensor twice": (twice, ""),
        "another name": (gone, "no tensor '0.weight'"),
        "dunder": (hostile({"at": "__class__", "is": "Identity"}), "structure"),
        "private": (hostile({"at": "0", "set": {"_parameters": 1}}), "structure"),
        "unknown layer": (hostile({"at": "0", "is": "os.system"}), "not allowed in a file"),
        "another codebook": (
            record(1, constraints=[["Codebook", {"of": "../../etc/passwd"}]]),
            "no codebook was written with",
        ),
    }


@pytest.mark.parametrize("what", edits())
def test_a_lie_in_the_header_is_named(what: str):
    change, words = edits()[what]
    refused(forged(change), words)


def test_gaps_that_run_out_of_the_tensor_are_refused():
    from workbench.fields import Fields
    from workbench.storage import gaps

    part = gaps.offer(torch.eye(20).bool().flatten().numpy(), False, "packed").write()
    for count in (10, 399 - 20):
        with pytest.raises(StorageError):
            gaps.read(Fields(part.record[1], "gaps"), memoryview(part.data), count)
    with pytest.raises(StorageError, match="do not take"):
        gaps.read(Fields({"count": 20, "low": 4}, "gaps"), memoryview(bytes(100_000)), 400)


def test_reading_a_hostile_file_does_not_grow_the_process():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for change, _ in edits().values():
        refused(forged(change))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
