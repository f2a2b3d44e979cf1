"""The examples load offline, do what their checkpoints claim, and keep their data apart."""

from __future__ import annotations

import dataclasses
import gzip
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench.errors import WorkloadError
from workbench.examples import find, load, names
from workbench.examples.parts import checkpoint, idx, mnist
from workbench.examples.parts.example import DATA, Splits
from workbench.examples.training.loop import correct, train

PARAMETERS = {"digits": 38_282, "lenet-300-100": 266_610, "lenet-5": 431_080, "mails": 302_338}
AT_LEAST = {
    "digits": 0.98,
    "lenet-300-100": 0.983,
    "lenet-5": 0.99,
    "mails": 0.93,
}  # on the shipped test samples
# Rounding differs between processors, and a sample on the border of two classes may fall on the other side.
BORDERLINE = 3
SPLITS = ("train", "validation", "test")

needs_full_set = pytest.mark.skipif(
    mnist.on_disk() is None, reason="the full MNIST is not on disk; name its folder by WORKBENCH_DATA"
)


@pytest.fixture(scope="module")
def subset() -> Splits:
    return mnist.splits("subset")


@pytest.fixture
def no_full_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def same_images(a: torch.Tensor, b: torch.Tensor) -> set[bytes]:
    first, second = ({image.tobytes() for image in images.numpy()} for images in (a, b))
    return first & second


# --- which examples there are ---


def test_the_examples_are_the_files() -> None:
    assert names() == ("digits", "lenet-5", "lenet-300-100", "mails")
    assert all(find(name).name == name for name in names())


def test_names_import_no_torch() -> None:
    program = (
        "import sys, workbench.examples as e; e.names(); print({'torch', 'numpy'}.intersection(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"


def test_unknown_name_is_one_line_with_the_nearest() -> None:
    with pytest.raises(WorkloadError) as caught:
        load("lenet5")
    assert str(caught.value) == (
        "no example named 'lenet5' among digits, lenet-5, lenet-300-100, mails; did you mean 'lenet-5'?"
    )


def test_unknown_choice_of_data_is_one_line() -> None:
    with pytest.raises(WorkloadError, match="data must be one of auto, full, subset, got 'all'"):
        load("digits", data="all")


# --- loading ---


@pytest.mark.parametrize("name", PARAMETERS)
def test_loads_offline(name: str, no_full_set: Path, no_network: None) -> None:
    work = load(name)
    assert sum(parameter.numel() for parameter in work.model.parameters()) == PARAMETERS[name]
    assert not work.model.training
    assert work.classes == (("wanted", "spam") if name == "mails" else tuple("0123456789"))
    assert work.name.startswith(f"{name} · ")
    assert work.name.endswith(f"{work.validation.n:,} validation")
    assert work.notes == ()  # nothing had to be split: all three sets are given
    assert min(work.validation.n, work.test.n) >= 300


def test_digits_load_in_under_a_second() -> None:
    # In a process of its own, where nothing but torch has been imported yet
    program = (
        "import time, torch; torch.set_num_threads(1); start = time.process_time()\n"
        "from workbench.examples import load; load('digits'); print(time.process_time() - start)"
    )
    assert float(subprocess.check_output([sys.executable, "-c", program], text=True)) < 1


def test_loading_twice_gives_models_of_their_own() -> None:
    first, second = load("digits"), load("digits")
    with torch.no_grad():
        first.model.fc2.weight.zero_()
    assert second.model.fc2.weight.abs().sum() > 0
    assert load("digits").model.fc2.weight.abs().sum() > 0


# --- the checkpoints ---


@pytest.mark.parametrize("name", PARAMETERS)
def test_accuracy_on_the_shipped_test_samples_is_as_claimed(name: str) -> None:
    example, test = find(name), find(name).splits("subset").test
    figures, right = example.figures(), correct(example.trained(), test)
    assert len(test[1]) == int(figures["shipped_test_n"])
    assert abs(right - int(figures["shipped_test_correct"])) <= BORDERLINE
    assert right / len(test[1]) >= AT_LEAST[name]


@needs_full_set
@pytest.mark.parametrize(("name", "least"), [("lenet-300-100", 0.984), ("lenet-5", 0.992)])
def test_accuracy_on_the_official_test_set_is_as_claimed(name: str, least: float) -> None:
    example, test = find(name), find(name).splits("full").test
    figures, right = example.figures(), correct(example.trained(), test)
    assert len(test[1]) == int(figures["test_n"]) == 10_000
    assert abs(right - int(figures["test_correct"])) <= BORDERLINE
    assert right / 10_000 >= least


@pytest.mark.parametrize("name", PARAMETERS)
def test_checkpoint_says_how_it_was_made(name: str) -> None:
    example = find(name)
    figures, training = example.figures(), example.training
    assert figures["command"] == f"python -m workbench.examples.training {name}"
    settings = {
        field.name: str(getattr(training, field.name)) for field in dataclasses.fields(type(training))
    }
    assert settings.items() <= {"optimizer": "sgd", **figures}.items()  # named where it is another
    assert figures["parameters"] == str(PARAMETERS[name])


@pytest.mark.parametrize("name", PARAMETERS)
def test_readme_has_the_figures_of_the_checkpoint(name: str) -> None:
    lines = (DATA.parent / "README.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{name}`")]
    figures = find(name).figures()
    for split in ("validation", "test"):
        right, n = int(figures[f"{split}_correct"]), int(figures[f"{split}_n"])
        assert f"{100 * right / n:.2f} % ({right} of {n})" in row
    assert f"{PARAMETERS[name]:,}" in row
    assert f"| {figures['seed']} | {figures['epochs']} ({figures['kept_epoch']}) |" in row


def test_checkpoint_of_the_same_net_is_the_same_file(tmp_path: Path) -> None:
    example = find("digits")
    shipped = example.path.read_bytes()
    header = json.loads(shipped[8 : 8 + int.from_bytes(shipped[:8], "little")])
    checkpoint.write(example.trained(), tmp_path / "again.safetensors", header["__metadata__"])
    assert (tmp_path / "again.safetensors").read_bytes() == shipped
    assert checkpoint.metadata(tmp_path / "again.safetensors") == header["__metadata__"]


def test_nothing_shipped_is_a_pickle() -> None:
    kinds = {"".join(path.suffixes[-2:]) for path in DATA.iterdir()}
    assert kinds == {".csv.gz", ".npz.xz", ".safetensors", ".md"}


# --- the data ---


def test_shipped_mnist_is_at_most_2_mb() -> None:
    assert mnist.SUBSET.stat().st_size <= 2_000_000


def test_notice_names_every_file_of_others() -> None:
    notice = (DATA / "NOTICE.md").read_text(encoding="utf-8")
    for path in DATA.iterdir():
        if path.suffix not in (".safetensors", ".md"):
            assert f"## {path.name}" in notice
    assert "Yann LeCun and Corinna Cortes" in notice
    assert "Share Alike 3.0" in notice


@pytest.mark.parametrize("name", ["digits", "lenet-5", "mails"])
def test_no_sample_is_in_two_sets(name: str) -> None:
    splits = find(name).splits("subset")
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not same_images(getattr(splits, first)[0], getattr(splits, second)[0])


def test_inputs_lie_between_0_and_1(subset: Splits) -> None:
    for inputs, targets in (subset.train, subset.test, find("digits").splits("auto").train):
        assert inputs.dtype == torch.float32
        assert targets.dtype == torch.int64
        assert (inputs.min(), inputs.max()) == (0, 1)
        assert set(targets.tolist()) == set(range(10))


def test_all_digits_are_used_once() -> None:
    splits = find("digits").splits("auto")
    images = torch.cat([getattr(splits, name)[0] for name in SPLITS])
    assert len({image.tobytes() for image in images.numpy()}) == len(images) == 1797


def test_spread_takes_evenly_spaced_samples() -> None:
    assert mnist.spread(10, 5).tolist() == [0, 2, 4, 6, 8]
    assert mnist.spread(5, 3).tolist() == [0, 1, 3]


@needs_full_set
def test_subset_is_a_part_of_the_full_set() -> None:
    shipped, official = mnist.subset(), mnist.full(mnist.on_disk())
    for name in SPLITS:
        (images, labels), (all_images, all_labels) = shipped[name], official[name]
        chosen = mnist.spread(len(all_labels), len(labels))
        assert np.array_equal(images, all_images[chosen])
        assert np.array_equal(labels, all_labels[chosen])


@needs_full_set
def test_full_set_is_55000_5000_and_10000() -> None:
    splits = mnist.splits("full")
    assert splits.title == "MNIST"
    assert [len(getattr(splits, name)[1]) for name in SPLITS] == [55_000, 5_000, 10_000]
    assert not same_images(splits.train[0], splits.test[0])
    assert not same_images(splits.validation[0], splits.test[0])


# --- where the full set is looked for ---


def put_mnist(folder: Path, ending: str = ".gz") -> None:
    """Blank images in the official shapes, as the four files that torchvision writes."""
    folder.mkdir(parents=True)
    for images, labels, count in mnist.FILES.values():
        for name, shape in ((images, (count, 28, 28)), (labels, (count,))):
            sizes = b"".join(size.to_bytes(4, "big") for size in shape)
            raw = bytes((0, 0, 8, len(shape))) + sizes + bytes(int(np.prod(shape)))
            (folder / f"{name}{ending}").write_bytes(gzip.compress(raw, 1) if ending else raw)


@pytest.mark.parametrize(
    "place", ["data/MNIST/raw", "data/mnist/MNIST/raw", "cache/workbench/MNIST/raw"], ids=str
)
def test_auto_finds_the_full_set(place: str, no_full_set: Path, no_network: None) -> None:
    assert mnist.splits("auto").title == "MNIST subset"
    put_mnist(no_full_set / place)
    assert mnist.on_disk() == no_full_set / place
    images, labels = mnist.full(no_full_set / place)["validation"]
    assert images.shape == (5_000, 28, 28)
    assert labels.shape == (5_000,)


def test_unpacked_files_are_read_too(no_full_set: Path) -> None:
    put_mnist(no_full_set / "data/MNIST/raw", ending="")
    assert mnist.full(mnist.on_disk())["test"][0].shape == (10_000, 28, 28)


def test_subset_never_looks_for_the_full_set(no_full_set: Path) -> None:
    put_mnist(no_full_set / "data/MNIST/raw")
    assert mnist.splits("subset").title == "MNIST subset"


def test_missing_full_set_without_network_is_one_line(
    no_full_set: Path, no_network: None, capsys: pytest.CaptureFixture[str]
) -> None:
    waited = socket.getdefaulttimeout()
    start = time.monotonic()
    with pytest.raises(WorkloadError) as caught:
        load("lenet-5", data="full")
    line = str(caught.value)
    assert "\n" not in line
    assert "no network here" in line
    assert "WORKBENCH_DATA" in line
    assert 'data="subset"' in line
    assert capsys.readouterr().out == ""
    assert socket.getdefaulttimeout() == waited
    assert time.monotonic() - start < mnist.TIMEOUT


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gz", b"not gzip"),
        ("b.gz", gzip.compress(bytes(100), mtime=0)[:-9]),
        ("c", b""),
        ("d", bytes((0, 0, 8, 3, 0, 0))),
        ("e", bytes((0, 0, 8, 1, 0, 0, 0, 9)) + b"short"),
        ("f", bytes((0, 0, 13, 1, 0, 0, 0, 1)) + b"fl32"),
    ],
)
def test_broken_file_is_one_line_that_names_it(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WorkloadError) as caught:
        idx.read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "delete it" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_not_mnist_are_one_line(no_full_set: Path) -> None:
    folder = no_full_set / "data/MNIST/raw"
    put_mnist(folder)
    (folder / "t10k-labels-idx1-ubyte").write_bytes(bytes((0, 0, 8, 1, 0, 0, 0, 1, 7)))
    with pytest.raises(WorkloadError, match=r"does not hold the official MNIST: expected 10,000 images"):
        mnist.splits("auto")


# --- the training script ---


def test_same_seed_trains_the_same_weights() -> None:
    example, splits = find("digits"), find("digits").splits("auto")
    once = dataclasses.replace(example.training, epochs=1)
    before = torch.get_rng_state()
    first, second = (train(example, splits, once).net.state_dict() for _ in range(2))
    other = train(example, splits, dataclasses.replace(once, seed=1)).net.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["fc2.weight"], other["fc2.weight"])
    assert torch.equal(torch.get_rng_state(), before)


def test_training_keeps_the_best_epoch_by_validation() -> None:
    example, splits = find("digits"), find("digits").splits("auto")
    seen = []
    trained = train(example, splits, dataclasses.replace(example.training, epochs=3, shift=0), seen.append)
    assert tuple(seen) == trained.epochs
    assert trained.best.validation_correct == max(epoch.validation_correct for epoch in seen)
    assert correct(trained.net, splits.validation) == trained.best.validation_correct


@pytest.mark.slow
def test_training_digits_again_reaches_98_percent() -> None:
    example, splits = find("digits"), find("digits").splits("auto")
    trained = train(example, splits, example.training)
    assert correct(trained.net, splits.test) >= 0.98 * 400


def test_training_looks_at_no_test_data() -> None:
    example, splits = find("digits"), find("digits").splits("auto")
    blind = dataclasses.replace(splits, test=None)
    assert train(example, blind, dataclasses.replace(example.training, epochs=1)).best.number == 1
