"""`lenet-5`: Caffe's variant of LeNet-5, the convnet that Deep Compression starts from, on MNIST."""

from __future__ import annotations

from torch import Tensor, nn

from workbench.examples.parts import mnist
from workbench.examples.parts.example import Example, Training


class LeNet5(nn.Module):
    """Two convolutions and two linear layers, 431,080 parameters; (n, 1, 28, 28) to (n, 10) logits.

    As in Caffe's lenet.prototxt, the convolutions have no ReLU: max-pooling is what bends them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(50 * 4 * 4, 500)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(500, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = self.pool1(self.conv1(images))
        features = self.pool2(self.conv2(features))
        hidden = self.relu(self.fc1(self.flatten(features)))
        return self.fc2(hidden)


EXAMPLE = Example(
    name="lenet-5",
    net=LeNet5,
    splits=mnist.splits,
    classes=mnist.CLASSES,
    training=Training(epochs=10, batch=128, learning_rate=0.1, weight_decay=5e-4),
)
