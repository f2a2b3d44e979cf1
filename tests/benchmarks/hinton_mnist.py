"""Hinton 2015 retold: nets of two hidden layers on the full MNIST, 800 units taught by 1,200.

    WORKBENCH_DATA=FOLDER python tests/benchmarks/hinton_mnist.py [--seeds 0 1 2] [--keep results.json]

Section 3 of the paper: a teacher with dropout, a bound on the length of each unit's weights and images moved
by up to two pixels makes 67 errors on the 10,000 test images; a smaller net without any of that makes 146,
and 74 once it also matches the teacher's soft targets. The transfer set holds no moved images. What is asked
here: the distilled student closes at least three quarters of the gap. Then the omitted digit: a student that
has never seen a 3 learns from the teacher's soft targets what a 3 is; the paper reports 206 errors, 133 of
them on the 1,010 threes, and 109 (14 on threes) once the bias of that class is raised.

For each seed there is a teacher of its own. All students begin from the same weights and take as many
epochs of the same optimizer, in the same batches: alone by `FineTune`, with their teacher by `Distill`,
soft targets without labels, as in the paper. One thing is not as in the paper: the images on which the
student is taught are moved as the teacher's were. What the moving does by itself is told by a student that
learns alone on moved images, and what the teacher does without it by one that is taught on images as they
are. The teacher's own training is written out here, since it is no compression. The best epoch is chosen on
5,000 validation images. The raised bias is chosen on the test set, as in the paper ("chosen to optimize
overall performance on the test set").

The settings were found without test images, on another seed (7): nets that learned from 45,000 images were
judged on the other 15,000 of the training set. Errors there: the teacher with the paper's dropout and bound
167 after 40 epochs; without either, or with a quarter of the hidden units dropped, 111 after 60 (here it
takes 80). The student alone 273, alone on moved images 120. Taught on moved images for 60 epochs by the
better teacher: 126 at temperature 2, 131 at 4, 121 at 10, 125 at 4 with labels at half weight. Taught on
images as they are, by the first teacher: 215 to 235.

What was found on the test set, over the three seeds 0, 1, 2 (mean and 95 % interval, then each):

    teacher                      82 ± 20   73, 89, 83      the paper: 67
    student alone               147 ± 20   150, 138, 153   the paper: 146
    taught, on moved images      79 ± 5    81, 80, 77      the paper: 74
    taught, images as they are   98 ± 13   96, 94, 104
    alone, on moved images       86 ± 16   93, 86, 80

The student closes the gap to its teacher whole (104 % of the means; by seed 90, 118, 109 %), and 75 % of it
(70, 90, 70 %) on images as they are, as in the paper. Read beside it: moving the images closes 93 % without
any teacher. Taught on them the student makes 12, 6 and 3 errors fewer than alone, 7 ± 11: the teacher's own
part is seen on images as they are (49 errors of 147), and with three seeds not for sure on moved ones.
Without threes: 149, 146, 138 errors, 70, 58, 48 of them on threes; with the bias raised 119, 115, 124, of
them 33, 14, 20.

Everything that is done is kept in a JSON file after each step, so that a run goes on where it was ended.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

import workbench as wb
from workbench.candidate import Candidate
from workbench.data import Batches
from workbench.examples.parts import mnist
from workbench.job import Job
from workbench.technique import Context, Technique, prepared
from workbench.workload import Workload

OMITTED = 3
BATCH = 250
T_95 = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776}  # half-widths of Student's interval, in standard errors
PAPER = {"teacher": 67, "alone": 146, "distilled": 74}
TEACHER_EPOCHS, TEACHER_RATE, DROPPED = 80, 1e-3, 0.25
STUDENT = {"epochs": 60, "learning_rate": 1e-3}
TAUGHT = {"temperature": 10.0, "weights": {"labels": 0.0}}
OMITTED_EPOCHS = 20
CONTROLS = {
    "alone, moved": "what moving the images does without a teacher",
    "distilled, not moved": "what the teacher does without moving them, as in the paper",
}

Pair = tuple[Tensor, Tensor]


def net(hidden: int, drops: bool = False) -> nn.Sequential:
    """Two hidden layers of rectified units, (n, 1, 28, 28) to (n, 10); a teacher's drop units in training."""
    first, second = ([Dropped(DROPPED)] if drops else [] for _ in range(2))
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, hidden), nn.ReLU(), *first, nn.Linear(hidden, hidden), nn.ReLU(),
        *second, nn.Linear(hidden, 10),
    )  # fmt: skip


class Dropped(nn.Module):
    """Dropout by random bytes: torch's own takes a third of a step on one thread."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = round(256 * share)  # in 256ths

    def forward(self, values: Tensor) -> Tensor:
        if not self.training:
            return values
        drawn = torch.randint(-(2**63), 2**63 - 1, (-(-values.numel() // 8),)).view(torch.uint8)
        kept = drawn[: values.numel()].view(values.shape) >= self.share
        return values * kept.to(values.dtype) * (256 / (256 - self.share))


def call(model: nn.Module, images: Tensor) -> Tensor:
    """The model in bfloat16, which takes half the time where there is one; errors are counted in float32."""
    with torch.autocast("cpu", torch.bfloat16):
        return model(images).float()


def train_teacher(data: Pair, validation: Pair, seed: int) -> nn.Module:
    """The large net, with dropout on moved images, and the weights of its best epoch on validation data."""
    torch.manual_seed(seed)
    model, generator = net(1200, drops=True), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), TEACHER_RATE, fused=True)
    steps = TEACHER_EPOCHS * math.ceil(len(data[1]) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, kept = math.inf, model.state_dict()
    for epoch in range(TEACHER_EPOCHS):
        model.train()
        for images, targets in moved(data, generator):
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(call(model, images), targets).backward()
            optimizer.step()
            schedule.step()
        wrong = int(errors(model, validation).sum())
        if wrong <= best:
            best, kept = wrong, {name: each.clone() for name, each in model.state_dict().items()}
        if epoch % 10 == 9:
            print(f"  teacher, epoch {epoch + 1}: {wrong} validation errors", flush=True)
    model.load_state_dict(kept)
    return model.eval()


def moved(data: Pair, generator: torch.Generator) -> Iterator[Pair]:
    """Batches in random order, each image moved by up to two pixels in both directions."""
    images, targets = data
    framed, side = functional.pad(images[:, 0], (2, 2, 2, 2)), torch.arange(28)
    for index in torch.randperm(len(targets), generator=generator).split(BATCH):
        top, left = torch.randint(0, 5, (2, len(index), 1), generator=generator)
        rows, columns = (top + side)[:, :, None], (left + side)[:, None, :]
        yield framed[index[:, None, None], rows, columns].unsqueeze(1), targets[index]


def scores(model: nn.Module, images: Tensor) -> Tensor:
    model.eval()
    with torch.no_grad():
        return torch.cat([model(each) for each in images.split(1000)])


def errors(model: nn.Module, data: Pair) -> Tensor:
    """Which samples are wrong, a bool each."""
    return scores(model, data[0]).argmax(1) != data[1]


def trained(work: Workload, step: Technique, seed: int, names: dict[str, Any] | None = None) -> Candidate:
    """What one step makes of a workload's model; its notes are printed."""
    started, start = time.perf_counter(), work.candidate()
    context = Context(work, seed=seed, names=names or {})
    made = Job(lambda: step.apply(start, context, prepared(step, start, context)), seed=seed, threads=1).run()
    print(f"  {step} in {time.perf_counter() - started:.0f} s", *made.notes, sep="\n    ", flush=True)
    return made


def workload(model: nn.Module, train: Pair | Moved, validation: Pair) -> Workload:
    """A net on the digits, in batches of the size that trains; the test images are not given to it."""
    train = train if isinstance(train, Moved) else Batches.of(train, batch=BATCH)
    return Workload(model, train, Batches.of(validation, batch=1000), forward=call)


def the_gap(splits: dict[str, Pair], seed: int, kept: Results) -> None:
    """Teacher, student alone, student taught on moved images."""
    the_teacher(splits, seed, kept)
    alone(splits, seed, kept, "alone", splits["train"])
    taught(splits, seed, kept, "distilled", Moved(splits["train"], seed))


def without_threes(splits: dict[str, Pair], seed: int, kept: Results) -> None:
    """The student that never saw a 3."""
    if kept.missing(seed, "omitted"):
        seen = {
            name: tuple(each[splits[name][1] != OMITTED] for each in splits[name])
            for name in ("train", "validation")
        }
        work = workload(the_teacher(splits, seed, kept), Moved(seen["train"], seed), seen["validation"])
        step = wb.Distill(student=the_student(seed), **TAUGHT, **STUDENT).replace(epochs=OMITTED_EPOCHS)
        kept.add(seed, "omitted", omitted(trained(work, step, seed).model, splits["test"]))


def what_does_it(splits: dict[str, Pair], seed: int, kept: Results) -> None:
    """The moving without a teacher, and the teacher without the moving."""
    alone(splits, seed, kept, "alone, moved", Moved(splits["train"], seed))
    taught(splits, seed, kept, "distilled, not moved", splits["train"])


def alone(splits: dict[str, Pair], seed: int, kept: Results, name: str, train: Pair | Moved) -> None:
    """Errors of the student that learns without a teacher."""
    if kept.missing(seed, name):
        work = workload(the_student(seed), train, splits["validation"])
        made = trained(work, wb.FineTune(**STUDENT), seed)
        kept.add(seed, name, int(errors(made.model, splits["test"]).sum()))


def taught(splits: dict[str, Pair], seed: int, kept: Results, name: str, train: Pair | Moved) -> None:
    """Errors of the student that learns from its teacher."""
    if kept.missing(seed, name):
        work = workload(the_teacher(splits, seed, kept), train, splits["validation"])
        cache = "off" if isinstance(train, Moved) else "auto"
        made = trained(work, wb.Distill(student=the_student(seed), cache=cache, **TAUGHT, **STUDENT), seed)
        kept.add(seed, name, int(errors(made.model, splits["test"]).sum()))


def the_teacher(splits: dict[str, Pair], seed: int, kept: Results) -> nn.Module:
    """The teacher of a seed, trained once and kept beside the results."""
    place = kept.path.with_name(f"{kept.path.stem}-teacher{seed}.safetensors")
    teacher = net(1200, drops=True).eval()
    if kept.missing(seed, "teacher") or not place.exists():
        teacher = train_teacher(splits["train"], splits["validation"], seed)
        save_file(teacher.state_dict(), str(place))
        kept.add(seed, "teacher", int(errors(teacher, splits["test"]).sum()))
    else:
        teacher.load_state_dict(load_file(str(place)))
    return teacher


def the_student(seed: int) -> nn.Module:
    """The small net with the weights it begins from."""
    torch.manual_seed(1000 + seed)
    return net(800)


class Moved:
    """Batches in random order, moved as the teacher's are, other ones each time they are read."""

    def __init__(self, data: Pair, seed: int) -> None:
        self._data, self._generator = data, torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[Pair]:
        return moved(self._data, self._generator)


def omitted(model: nn.Module, test: Pair) -> dict[str, float]:
    """Errors in all and on the omitted digit, as it is and with the bias of that digit raised."""
    given, is_omitted = scores(model, test[0]), test[1] == OMITTED

    def counted(raised: float) -> tuple[int, int]:
        higher = given.clone()
        higher[:, OMITTED] += raised
        wrong = higher.argmax(1) != test[1]
        return int(wrong.sum()), int(wrong[is_omitted].sum())

    tried = {raised / 4: counted(raised / 4) for raised in range(61)}
    best = min(tried, key=lambda raised: tried[raised][0])
    before, after = tried[0.0], tried[best]
    return {
        "errors": before[0],
        "on_omitted": before[1],
        "raised": best,
        "then": after[0],
        "then_on": after[1],
    }


class Results:
    """What has been counted, by seed, kept in a file after each step."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_seed: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def missing(self, seed: int, name: str) -> bool:
        return name not in self.by_seed.get(str(seed), {})

    def add(self, seed: int, name: str, value: Any) -> None:
        self.by_seed.setdefault(str(seed), {})[name] = value
        self.path.write_text(json.dumps(self.by_seed, indent=1))
        print(f"seed {seed}, {name}: {value}", flush=True)


def told(values: list[float], digits: int = 0) -> str:
    """Mean and 95 % interval over seeds (Student's t)."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.{digits}f} (one seed: no interval)"
    spread = math.sqrt(sum((each - mean) ** 2 for each in values) / (len(values) - 1))
    half = T_95.get(len(values), 2.0) * spread / math.sqrt(len(values))
    each = ", ".join(f"{value:.{digits}f}" for value in values)
    return f"{mean:.{digits}f} ± {half:.{digits}f} ({each})"


def report(by_seed: dict[str, dict[str, Any]]) -> bool:
    """Print the figures of all seeds beside the paper's; whether three quarters of the gap are closed."""
    done = [each for each in by_seed.values() if all(name in each for name in PAPER)]
    print(f"\ntest errors of 10,000, mean and 95 % interval over {len(done)} seeds")
    for name, paper in PAPER.items():
        print(f"  {name:10} {told([each[name] for each in done])}; the paper: {paper}")
    for name, what in CONTROLS.items():
        if found := [each[name] for each in done if name in each]:
            print(f"  {name:20} {told(found)}; {what}")
    if fewer := [each["alone, moved"] - each["distilled"] for each in done if "alone, moved" in each]:
        print(f"  fewer errors taught than alone, both on moved images: {told(fewer)}")
    means = {name: sum(each[name] for each in done) / len(done) for name in PAPER}
    closed = (means["alone"] - means["distilled"]) / (means["alone"] - means["teacher"])
    shares = [(each["alone"] - each["distilled"]) / ((each["alone"] - each["teacher"]) or 1) for each in done]
    print(
        f"  gap closed {closed:.0%} of the means (asked: 75 %; the paper: 91 %); by seed, {told(shares, 2)}"
    )
    for seed, each in by_seed.items():
        if "omitted" in each:
            print(
                "  seed {}: without threes {errors} errors, {on_omitted} on threes; "
                "bias raised by {raised:g}: {then} errors, {then_on} on threes".format(
                    seed, **each["omitted"]
                )
            )
    return closed >= 0.75


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "hinton_mnist.json")
    parser.add_argument(
        "--parts", type=int, default=3, help="1: the gap, 2: the omitted digit, too, 3: the controls, too"
    )
    parser.add_argument("--report", action="store_true", help="print what is kept and run nothing")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    kept = Results(chosen.keep)
    if not chosen.report:
        found = mnist.splits("full")
        if len(found.train[1]) < 55_000:
            sys.exit("this benchmark needs the full MNIST: name its folder in WORKBENCH_DATA")
        splits = {name: getattr(found, name) for name in ("train", "validation", "test")}
        parts = (the_gap, without_threes, what_does_it)  # what is asked first, then the rest
        for part in parts[: chosen.parts]:
            for seed in chosen.seeds:
                part(splits, seed, kept)
    return 0 if report(kept.by_seed) else 1


if __name__ == "__main__":
    sys.exit(main())
