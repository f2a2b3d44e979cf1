"""`digits`: 1,797 hand-written digits of 8×8 pixels, and a convnet small enough to train in seconds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from workbench.examples.parts.example import DATA, Example, Splits, Training

SPLIT_SEED = 0
VALIDATION = TEST = 400  # of 1,797; what remains is for training


class DigitsNet(nn.Module):
    """Two convolutions and two linear layers, 38,282 parameters; (n, 1, 8, 8) to (n, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu1(self.conv1(images))
        features = self.pool(self.relu2(self.conv2(features)))
        hidden = self.relu3(self.fc1(features.flatten(1)))
        return self.fc2(hidden)


def splits(data: str = "auto") -> Splits:
    """All 1,797 digits, split at random by a fixed seed; inputs are float32 (n, 1, 8, 8) from 0 to 1.

    The set is shipped whole, so `data` makes no difference. The file is in the order of its writers; the
    split is by image, so that a writer may have images in more than one part.
    """
    table = np.loadtxt(DATA / "digits.csv.gz", delimiter=",", dtype=np.uint8)
    # RandomState, because numpy promises that its numbers stay the same in later versions
    order = np.random.RandomState(SPLIT_SEED).permutation(len(table))
    inputs = torch.from_numpy(table[order, :-1].reshape(-1, 1, 8, 8)).float() / 16
    targets = torch.from_numpy(table[order, -1]).long()
    validation, test = slice(0, VALIDATION), slice(VALIDATION, VALIDATION + TEST)
    train = slice(VALIDATION + TEST, None)
    return Splits("8×8 digits", *((inputs[part], targets[part]) for part in (train, validation, test)))


EXAMPLE = Example(
    name="digits",
    net=DigitsNet,
    splits=splits,
    classes=tuple("0123456789"),
    training=Training(epochs=30, batch=32, learning_rate=0.05, shift=1),
)
