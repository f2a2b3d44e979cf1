"""Small nets whose layers hang together in every way that removing channels meets."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SIDE = 8  # pixels


class Residual(nn.Module):
    """Two convolutions around which the input goes, and a stem that the residual stream begins with."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.first, self.second = Block(8), Block(8)
        self.head = nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.stem(images))).mean((2, 3)))


class Block(nn.Module):
    """One residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.norm = nn.Conv2d(width, 12, 3, padding=1), nn.BatchNorm2d(12)
        self.b = nn.Conv2d(12, width, 3, padding=1)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.relu(inputs + self.b(torch.relu(self.norm(self.a(inputs)))))


class Branches(nn.Module):
    """Two branches joined by concatenation, a normalization over both, one more layer."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(14)
        self.after = nn.Conv2d(14, 10, 3)
        self.head = nn.Linear(10 * 36, 4)

    def forward(self, images: Tensor) -> Tensor:
        joined = self.norm(torch.cat([self.left(images), self.right(images)], 1))
        return self.head(self.after(joined).relu().flatten(1))


class Grouped(nn.Module):
    """A grouped convolution, group normalization, a depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.grouped = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 12, 3, padding=1, groups=4)
        self.norm, self.depthwise = nn.GroupNorm(2, 12), nn.Conv2d(12, 12, 3, groups=12)
        self.last, self.head = nn.Conv2d(12, 6, 1), nn.Linear(6, 4)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.depthwise(self.norm(self.grouped(self.stem(images).relu())).relu())
        return self.head(self.last(hidden).mean((2, 3)))


class Up(nn.Module):
    """Convolutions that widen the picture again, one of them in groups."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 8, 3, stride=2), nn.ConvTranspose2d(8, 6, 3)
        self.grouped, self.out = nn.ConvTranspose2d(6, 8, 3, groups=2), nn.Conv2d(8, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.out(self.grouped(self.up(self.down(images).relu()).relu()))


class Heads(nn.Module):
    """Attention of a person's own: separate projections, and a number of heads that `forward` reads."""

    def __init__(self, width: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.num_heads, self.inner = heads, width
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, inputs: Tensor) -> Tensor:
        batch, length, _ = inputs.shape
        split = [
            each(inputs).view(batch, length, self.num_heads, self.inner // self.num_heads).transpose(1, 2)
            for each in (self.q, self.k, self.v)
        ]
        attended = nn.functional.scaled_dot_product_attention(*split)
        return self.out(attended.transpose(1, 2).reshape(batch, length, self.inner))


class Attending(nn.Module):
    """Pixels in rows as a sequence, through somebody's attention."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.attention, self.head = nn.Linear(24, 16), Heads(), nn.Linear(16, 4)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.into(images.permute(0, 2, 1, 3).flatten(2))
        return self.head((hidden + self.attention(hidden)).mean(1))


class Encoder(nn.Module):
    """torch's own transformer encoder."""

    def __init__(self, layers: int = 2, batch_first: bool = True) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=batch_first)
        self.into, self.encoder = (
            nn.Linear(24, 16),
            nn.TransformerEncoder(layer, layers, enable_nested_tensor=batch_first),
        )
        self.head = nn.Linear(16, 4)
        self.axis = 1 if batch_first else 0

    def forward(self, images: Tensor) -> Tensor:
        rows = self.into(images.permute(0, 2, 1, 3).flatten(2))
        return self.head(self.encoder(rows if self.axis else rows.transpose(0, 1)).mean(self.axis))


class Shuffled(nn.Module):
    """Channels change places between two layers, which the dependency graph does not see."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.b(self.a(images).flip(1)).relu().mean((2, 3)))


class Gated(nn.Module):
    """A width that `forward` reads from the module."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 12
        self.a, self.head = nn.Conv2d(3, 12, 1), nn.Linear(12, 4)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.a(images).relu().reshape(len(images), self.width, -1).mean(2))


class Numpy(nn.Module):
    """A layer's outputs leave torch and come back: there is nothing to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.requires_grad or self.a(inputs).requires_grad:
            raise RuntimeError("this model is for inference only")
        return self.b(self.a(inputs))


def perceptron() -> nn.Sequential:
    """A plain one."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(3 * SIDE * SIDE, 20),
        nn.ReLU(),
        nn.Linear(20, 12),
        nn.ReLU(),
        nn.Linear(12, 4),
    )


def row() -> nn.Sequential:
    """Convolutions, flattened into linear layers."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 10, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(40, 12), nn.ReLU(), nn.Linear(12, 4),
    )  # fmt: skip


NETS = {
    "perceptron": perceptron,
    "row": row,
    "residual": Residual,
    "branches": Branches,
    "grouped": Grouped,
    "up": Up,
    "attending": Attending,
    "encoder": Encoder,
    "encoder, length first": lambda: Encoder(batch_first=False),
    "gated": Gated,
}


def net(name: str, seed: int = 0) -> nn.Module:
    """A net by name, its weights and statistics drawn from a seed, in eval mode."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = NETS[name]()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.3)
                nn.init.uniform_(module.running_var, 0.5, 2)
                nn.init.normal_(module.weight)
    return model.eval()


def images(count: int = 24, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images of noise, of four classes in turn."""
    noise = torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    return noise, torch.arange(count) % 4
