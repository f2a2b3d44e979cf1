"""A version goes into one file and comes back the same; the file on disk is whole or not there."""

from __future__ import annotations

import copy
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch
import torch
from packing import gridded, lenet, masked, round_trip
from small import net, same, states, workload
from torch import nn

import workbench
from workbench.candidate import Candidate
from workbench.constraints import Codebook, Grid, Mask
from workbench.errors import StorageError
from workbench.recipe import Recipe
from workbench.storage import estimate_bytes, export, inventory, load, pack, save, unpack
from workbench.storage.content import LEVELS
from workbench.versions import Version

RECIPE = Recipe.parse("PruneWeights(0.9) | FineTune(epochs=2) | Quantize(weights=4)")
FULL_LENET = 266_610 * 4  # bytes of the parameters as float32


def squeezed(model: nn.Module, sparsity: float = 0.5, bits: int = 4) -> Candidate:
    return gridded(masked(Candidate.of(model), sparsity), bits)


def version(model: nn.Module | None = None, **options: object) -> Version:
    work = workload(model)
    candidate = squeezed(work.baseline)
    packed = pack(candidate, recipe=RECIPE, original=work.baseline, seed=3, **options)
    return Version.new(work, recipe=RECIPE, seed=3, packed=packed, name="small")


def test_a_saved_version_loads_to_the_same_weights_recipe_and_outputs(tmp_path: Path):
    saved, inputs = version(), torch.randn(5, 6)
    written = save(saved, tmp_path / "small.safetensors")
    assert written == (tmp_path / "small.safetensors").stat().st_size == saved.packed_bytes
    loaded = load(tmp_path / "small.safetensors", net(seed=9))
    assert same(states(saved.candidate.model), states(loaded.candidate.model))
    assert torch.equal(saved(inputs), loaded(inputs))
    assert (loaded.recipe, loaded.seed, loaded.name) == (RECIPE, 3, "small")


def test_the_coded_file_is_smaller_and_the_same(tmp_path: Path):
    work = workload(net(hidden=200))
    candidate = squeezed(work.baseline, 0.8)
    packed = pack(candidate, recipe=RECIPE, original=work.baseline, level="packed")
    saved = Version.new(work, recipe=RECIPE, seed=0, packed=packed)
    coded = save(saved, tmp_path / "coded.safetensors", level="coded")
    assert coded < saved.packed_bytes
    loaded = load(tmp_path / "coded.safetensors", net(hidden=200, seed=1))
    assert same(states(loaded.candidate.model), states(saved.candidate.model))
    assert save(loaded, tmp_path / "again.safetensors") == coded
    assert save(loaded, tmp_path / "again.safetensors", level="packed") == saved.packed_bytes


def test_loading_leaves_the_given_model_alone(tmp_path: Path):
    save(version(), tmp_path / "small.safetensors")
    model = net(seed=5)
    before = states(model)
    loaded = load(tmp_path / "small.safetensors", model)
    assert same(before, states(model))
    with torch.no_grad():
        loaded.model[0].weight.zero_()
    assert not same(states(loaded.model), states(loaded.candidate.model))


def test_constraints_come_back_so_that_one_can_go_on():
    candidate = squeezed(net())
    back = round_trip(candidate).candidate
    for name in ("0.weight", "2.weight"):
        assert torch.equal(back.constraints.of(name, Mask).keep, candidate.constraints.of(name, Mask).keep)
        assert back.constraints.of(name, Grid).bits == 4
    again = masked(back, 0.75)
    assert int((again.model.get_parameter("0.weight") == 0).sum()) >= 36


@pytest.mark.parametrize(("level", "at_least"), [("packed", 30), ("coded", 38)])
def test_lenet_at_90_percent_and_4_bits_is_far_smaller_than_float32(level: str, at_least: int):
    torch.manual_seed(0)
    candidate = squeezed(lenet(), 0.9, 4)
    data = pack(candidate, recipe=RECIPE, original=lenet(), level=level)
    assert FULL_LENET / len(data) > at_least


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("sparsity", "bits"), [(0.9, 4), (0.5, 8), (0.95, 2), (0.1, 3)])
def test_the_estimate_is_within_two_percent(sparsity: float, bits: int, level: str):
    torch.manual_seed(0)
    candidate = squeezed(lenet(), sparsity, bits)
    written = len(pack(candidate, recipe=RECIPE, original=lenet(), level=level))
    assert estimate_bytes(candidate, level) == pytest.approx(written, rel=0.02)


def test_estimating_a_large_model_samples_and_stays_within_two_percent():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2000, 1500), nn.ReLU(), nn.Linear(1500, 10))
    candidate = squeezed(model, 0.9, 4)
    written = len(pack(candidate, original=model))
    assert estimate_bytes(candidate) == pytest.approx(written, rel=0.02)


def test_the_inventory_adds_up_to_the_file():
    for level in LEVELS:
        data = pack(squeezed(lenet(), 0.9), original=lenet(), level=level)
        assert sum(each.bytes for each in inventory(data)) == len(data)


def test_what_is_not_encoded_is_read_by_any_safetensors_reader(tmp_path: Path):
    saved = version()
    save(saved, tmp_path / "small.safetensors", level="packed")
    plain = safetensors.torch.load_file(tmp_path / "small.safetensors")
    assert torch.equal(plain["0.bias"], saved.model[0].bias)


def test_a_file_in_which_nothing_is_coded_is_plain_at_every_level():
    for level in ("packed", "coded"):
        plain = safetensors.torch.load(pack(Candidate.of(net()), original=net(), level=level))
        assert same(dict(plain), states(net()))


def test_the_same_candidate_gives_the_same_bytes():
    candidate = squeezed(net())
    assert pack(candidate, original=net()) == pack(candidate, original=net())


class Tied(nn.Module):
    """An embedding that is its own output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.out = nn.Linear(16, 50, bias=False)
        self.out.weight = self.embedding.weight


def test_tied_tensors_are_stored_once_and_tied_again():
    candidate = squeezed(Tied())
    data = pack(candidate, original=Tied())
    assert sum(each.bytes for each in inventory(data) if each.tensor) < 50 * 16
    model = unpack(data, Tied()).candidate.model
    assert model.out.weight is model.embedding.weight


def test_a_tied_tensor_must_fit_under_all_its_names():
    other = Tied()
    other.out = nn.Linear(16, 49, bias=False)
    data = pack(squeezed(Tied()), original=Tied())
    with pytest.raises(StorageError, match=r"out\.weight is 50×16 in the file and 49×16 in this model"):
        unpack(data, other)


def test_layers_tied_by_a_technique_are_tied_again():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    candidate = Candidate.of(model)
    candidate.model[1].weight = candidate.model[0].weight
    back = unpack(pack(candidate, original=model), copy.deepcopy(model)).candidate.model
    assert back[1].weight is back[0].weight
    assert back[1].bias is not back[0].bias


def test_a_codebook_of_two_layers_stays_one():
    candidate = Candidate.of(net())
    values = torch.tensor([-0.3, 0.1, 0.4])
    books = {
        name: Codebook(values, torch.randint(0, 3, candidate.model.get_parameter(name).shape).to(torch.uint8))
        for name in ("0.weight", "2.weight")
    }
    back = round_trip(candidate.constrained(books)).candidate.constraints
    assert back.of("0.weight", Codebook).values is back.of("2.weight", Codebook).values


def test_batch_norm_buffers_half_floats_and_strange_memory_come_back():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1).half())
    with torch.no_grad():
        model[0].weight = nn.Parameter(torch.randn(3, 4, 3, 3).transpose(0, 1))  # not contiguous
        model[1].num_batches_tracked.fill_(7)
        model[1].running_mean.fill_(-0.0)
        model[2].weight.fill_(float("nan"))
    candidate = Candidate.of(model)
    back = round_trip(candidate).candidate.model
    assert back[1].num_batches_tracked.item() == 7 and back[1].num_batches_tracked.shape == ()
    assert torch.signbit(back[1].running_mean).all()
    assert back[2].weight.dtype == torch.float16 and back[2].weight.isnan().all()
    assert torch.equal(back[0].weight, model[0].weight)


def test_a_cast_model_loads_into_the_class_as_it_is():
    candidate = Candidate.of(net())
    data = pack(Candidate(candidate.model.to(torch.bfloat16)), original=net())
    assert unpack(data, net()).candidate.model[0].weight.dtype == torch.bfloat16


def test_another_model_is_refused_by_its_first_tensor():
    data = pack(squeezed(net()), original=net())
    with pytest.raises(StorageError, match=r"0\.weight is 8×6 in the file and 9×6 in this model"):
        unpack(data, net(hidden=9))
    with pytest.raises(StorageError, match=r"no tensor '3\.weight'"):
        unpack(data, nn.Sequential(*net(), nn.Linear(3, 3)))


def test_a_layer_with_other_arguments_is_refused_by_name():
    one, other = nn.Sequential(nn.Conv2d(1, 2, 3)), nn.Sequential(nn.Conv2d(1, 2, 3, stride=2))
    with pytest.raises(StorageError, match="another structure than this Sequential, first in 0"):
        unpack(pack(Candidate.of(one), original=one), other)


def test_a_class_in_the_place_of_a_model_gets_a_line(tmp_path: Path):
    save(version(), tmp_path / "small.safetensors")
    with pytest.raises(
        StorageError, match=r"small\.safetensors: Tied is a class; give a model of it: Tied\(\)"
    ):
        load(tmp_path / "small.safetensors", Tied)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="got str"):
        load(tmp_path / "small.safetensors", "net")  # type: ignore[arg-type]


def test_paths_that_cannot_be_written_get_one_line(tmp_path: Path):
    saved = version()
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.safetensors").mkdir()
    for path, words in {
        "small": "must end in .safetensors; write 'small.safetensors'",
        "small.pt": "must end in .safetensors",
        "none/small.safetensors": "there is no folder",
        "file/small.safetensors": "there is no folder",
        "folder.safetensors": "is a folder",
    }.items():
        with pytest.raises(StorageError) as caught:
            save(saved, tmp_path / path)
        assert words in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(StorageError, match="save takes a version"):
        save(saved.model, tmp_path / "small.safetensors")  # type: ignore[arg-type]
    with pytest.raises(StorageError, match="level must be one of packed, coded"):
        save(saved, tmp_path / "small.safetensors", level="tiny")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder.safetensors"]


def test_a_folder_that_may_not_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StorageError, match=r"could not be written in .*: Permission denied; .* untouched"):
        save(version(), tmp_path / "small.safetensors")


def test_a_full_disk_leaves_the_old_file_as_it_was(tmp_path: Path):
    path = tmp_path / "small.safetensors"
    path.write_bytes(b"old")
    saved = version()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, most))  # what a full disk does, without filling one
    try:
        with pytest.raises(StorageError, match="could not be written"):
            save(saved, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["small.safetensors"]


WRITER = """
import os, sys
from pathlib import Path
from workbench.storage import files
data = Path(sys.argv[1]).read_bytes()
for _ in sys.stdin:  # a child for each line, so that torch is imported once
    if child := os.fork():
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)
    else:
        while True:
            files.write(Path(sys.argv[2]), data)
"""


def test_a_kill_during_save_leaves_a_whole_file_or_none(tmp_path: Path):
    path = tmp_path / "small.safetensors"
    model = nn.Linear(1000, 1000)
    whole = pack(Candidate.of(model), original=model)
    (tmp_path / "data").write_bytes(whole)
    command = [sys.executable, "-c", WRITER, str(tmp_path / "data"), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(workbench.__file__).parent.parent)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as writer:
        for wait in range(20):
            print("write", file=writer.stdin, flush=True)
            child = int(writer.stdout.readline())
            time.sleep(wait / 1000)  # the moment of the kill is the point of the test
            os.kill(child, signal.SIGKILL)
            assert writer.stdout.readline() == "gone\n"
            assert not path.exists() or path.read_bytes() == whole
        print("write", file=writer.stdin, flush=True)  # and left alone, it does write
        child = int(writer.stdout.readline())
        while not path.exists():
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
    assert path.read_bytes() == whole


def test_export_knows_its_suffixes_and_what_it_needs(tmp_path: Path):
    with pytest.raises(StorageError, match=r"'small\.tflite' names no format .* those that work: \.onnx"):
        export(version(), tmp_path / "small.tflite")
    save(version(), tmp_path / "small.safetensors")
    loaded = load(tmp_path / "small.safetensors", net())
    with pytest.raises(StorageError, match="export needs the inputs of one sample"):
        export(loaded, tmp_path / "small.onnx")


@pytest.mark.slow
def test_an_exported_version_gives_the_same_outputs(tmp_path: Path):
    onnxruntime = pytest.importorskip("onnxruntime")
    saved = version()
    assert export(saved, tmp_path / "small.onnx") == (tmp_path / "small.onnx").stat().st_size
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx", providers=["CPUExecutionProvider"])
    inputs = torch.randn(1, 6)
    (outputs,) = session.run(None, {session.get_inputs()[0].name: inputs.numpy()})
    assert torch.allclose(torch.from_numpy(outputs), saved(inputs), atol=1e-5)


def test_save_sweeps_up_what_a_killed_save_left(tmp_path):
    from workbench.storage import files

    path = tmp_path / "small.safetensors"
    abandoned, fresh = (path.with_name(f".{path.name}.{each}.tmp") for each in ("0badc0de", "0000cafe"))
    for each in (abandoned, fresh):
        each.write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    files.write(path, b"whole")
    assert not abandoned.exists()
    assert fresh.exists()  # somebody may be writing it
    assert path.read_bytes() == b"whole"
