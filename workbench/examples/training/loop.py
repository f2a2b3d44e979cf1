"""Train an example's net from its seed, keep the best epoch, and count its accuracy once at the end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from workbench.examples.parts.example import Example, Splits, Training

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data: its number from 1, mean loss, correct validation samples."""

    number: int
    loss: float
    validation_correct: int


@dataclass(frozen=True, eq=False)
class Trained:
    """The net at its best epoch, that epoch, and all epochs in order."""

    net: nn.Module
    best: Epoch
    epochs: tuple[Epoch, ...]


def train(
    example: Example, splits: Splits, training: Training, report: Callable[[Epoch], None] = lambda epoch: None
) -> Trained:
    """Train on `splits.train` and choose the epoch by `splits.validation`; the test data is not looked at.

    The same seed gives the same weights, bit for bit, on one machine with one thread. Of epochs with the
    same validation accuracy the first is kept.
    """
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers go on as if nothing had been drawn
        torch.manual_seed(training.seed)
        net = example.net()
    steps = training.epochs * -(-len(splits.train[1]) // training.batch)
    optimizer = _optimizer(net, training)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.learning_rate, total_steps=steps, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(training.seed)
    epochs: list[Epoch] = []
    best, kept = None, net.state_dict()
    for number in range(1, training.epochs + 1):
        losses = []
        for inputs, targets in _batches(splits.train, training, order):
            loss = cross_entropy(net(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        epochs.append(Epoch(number, sum(losses) / len(losses), correct(net, splits.validation)))
        report(epochs[-1])
        if best is None or epochs[-1].validation_correct > best.validation_correct:
            best, kept = epochs[-1], copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    assert best is not None
    return Trained(net.eval(), best, tuple(epochs))


def _optimizer(net: nn.Module, training: Training) -> torch.optim.Optimizer:
    rate, decay = training.learning_rate, training.weight_decay
    if training.optimizer == "adamw":
        return torch.optim.AdamW(net.parameters(), rate, weight_decay=decay)
    return torch.optim.SGD(net.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=decay)


@torch.no_grad()
def correct(net: nn.Module, pair: Pair) -> int:
    """How many of the samples in `pair` the net puts into their class, in eval mode."""
    was_training = net.training
    net.eval()
    batches = zip(pair[0].split(250), pair[1].split(250), strict=True)
    count = sum(int((net(inputs).argmax(1) == targets).sum()) for inputs, targets in batches)
    net.train(was_training)
    return count


def _batches(pair: Pair, training: Training, generator: torch.Generator) -> Iterator[Pair]:
    for chosen in torch.randperm(len(pair[1]), generator=generator).split(training.batch):
        yield _shifted(pair[0][chosen], training.shift, generator), pair[1][chosen]


def _shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    # the whole batch moves alike: one slice instead of one for each image
    if not most:
        return images
    height, width = images.shape[-2:]
    top, left = torch.randint(0, 2 * most + 1, (2,), generator=generator).tolist()
    return pad(images, (most,) * 4)[..., top : top + height, left : left + width]
