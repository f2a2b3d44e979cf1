"""`lenet-300-100`: the fully connected net of LeCun (1998) that Deep Compression starts from, on MNIST."""

from __future__ import annotations

from torch import Tensor, nn

from workbench.examples.parts import mnist
from workbench.examples.parts.example import Example, Training


class LeNet300100(nn.Module):
    """Three linear layers of 300, 100 and 10, 266,610 parameters; (n, 1, 28, 28) to (n, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(28 * 28, 300)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(300, 100)
        self.relu2 = nn.ReLU()
        self.fc3 = nn.Linear(100, 10)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.relu1(self.fc1(self.flatten(images)))
        hidden = self.relu2(self.fc2(hidden))
        return self.fc3(hidden)


EXAMPLE = Example(
    name="lenet-300-100",
    net=LeNet300100,
    splits=mnist.splits,
    classes=mnist.CLASSES,
    training=Training(epochs=15, batch=128, learning_rate=0.2),
)
