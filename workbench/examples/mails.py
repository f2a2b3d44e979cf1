"""`mails`: spam or not, told from the first 64 words by a small transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.examples.parts import mails
from workbench.examples.parts.example import Example, Training

WIDTH, HEADS, INNER, LAYERS = 64, 4, 192, 4


class MailNet(nn.Module):
    """A transformer of four blocks of four heads, 302,338 parameters; (n, 64) numbers to (n, 2) logits.

    Each word is a vector of 64 numbers, to which one for its place is added. Blocks add to the vectors, which
    are normalized before each attention and each pair of linear layers. At the end the mean over the words of
    the mail is judged by a linear layer.
    """

    def __init__(self, words: int = 2048) -> None:
        super().__init__()
        self.words = nn.Embedding(words, WIDTH)
        self.drop = nn.Dropout(0.4)
        self.places = nn.Parameter(0.02 * torch.randn(mails.LENGTH, WIDTH))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, INNER, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, len(mails.CLASSES))

    def forward(self, numbers: Tensor) -> Tensor:
        is_empty = numbers == 0
        hidden = self.drop(self.words(numbers) + self.places)
        for block in self.blocks:
            hidden = block(hidden, src_key_padding_mask=is_empty)
        is_word = (~is_empty).unsqueeze(2).to(hidden.dtype)
        mean = (self.norm(hidden) * is_word).sum(1) / is_word.sum(1).clamp(min=1)
        return self.head(mean)


EXAMPLE = Example(
    name="mails",
    net=MailNet,
    splits=mails.splits,
    classes=mails.CLASSES,
    training=Training(epochs=8, batch=32, learning_rate=2e-3, weight_decay=0.01, optimizer="adamw"),
)
