"""What an example is: a net, its data in three splits, and how its checkpoint was trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import WorkloadError, listed
from workbench.examples.parts import checkpoint

if TYPE_CHECKING:
    from torch import Tensor, nn

    from workbench.workload import Workload

DATA = Path(__file__).parent.parent / "data"
CHOICES = ("auto", "full", "subset")


@dataclass(frozen=True, eq=False)
class Splits:
    """Inputs and targets to train on, to choose by, and to report on; no sample is in two of them.

    Each pair is `(inputs, targets)`: images as float32 of shape (n, channels, height, width) between 0 and 1,
    or mails as int64 of shape (n, words), and int64 class numbers of shape (n,). `title` names the data and
    how much of it this is.
    """

    title: str
    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Training:
    """How a checkpoint is trained: `sgd` with momentum 0.9, or `adamw`, under one cycle of the learning rate.

    The epoch with the best validation accuracy is kept. `learning_rate` is the peak of the cycle. Each
    batch of images is moved at random by up to `shift` pixels in both directions.
    """

    epochs: int
    batch: int = 64
    learning_rate: float = 0.1
    weight_decay: float = 1e-4
    shift: int = 0
    seed: int = 0
    optimizer: str = "sgd"


@dataclass(frozen=True)
class Example:
    """One example. `splits` takes "auto", "full" or "subset"; `classes` are the names of the targets."""

    name: str
    net: Callable[[], nn.Module]
    splits: Callable[[str], Splits]
    classes: tuple[str, ...]
    training: Training

    @property
    def path(self) -> Path:
        """Where the checkpoint lies."""
        return DATA / f"{self.name}.safetensors"

    def trained(self) -> nn.Module:
        """The net with its shipped weights, in eval mode."""
        net = self.net()
        checkpoint.read_into(net, self.path)
        return net.eval()

    def figures(self) -> dict[str, str]:
        """What the checkpoint says about itself: seed, epochs, command, accuracy on how many samples."""
        return checkpoint.metadata(self.path)

    def load(self, data: str = "auto") -> Workload:
        """The trained net with its data. Raises WorkloadError when the data cannot be had."""
        from workbench.workload import Workload

        if data not in CHOICES:
            raise WorkloadError(f"data must be one of {listed(CHOICES)}, got {data!r}")
        splits = self.splits(data)
        return Workload(
            self.trained(),
            train=splits.train,
            validation=splits.validation,
            test=splits.test,
            name=f"{self.name} · {splits.title}, {len(splits.validation[1]):,} validation",
            classes=self.classes,
        )
