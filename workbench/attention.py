"""Attention whose heads take less room inside than its width outside: what is left when heads are removed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

# the switch is one for all threads: two that took turns at saving and restoring it would leave it off
_switching = threading.RLock()


@contextmanager
def without_fused_attention() -> Iterator[None]:
    """Let `nn.TransformerEncoderLayer` call its linear layers, which its fused path in eval mode does not.

    One thread at a time is inside.
    """
    with _switching:
        was_enabled = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(was_enabled)


class NarrowAttention(nn.MultiheadAttention):
    """`nn.MultiheadAttention` with fewer heads than its width holds: same parameters' names, same calls.

    torch's own class ties the heads to the width (`embed_dim == num_heads * head_dim`), so a head could go
    only with a part of every vector of the network.

    Args:
        embed_dim: the width of queries, keys, values and outputs.
        num_heads, head_dim: `num_heads * head_dim` is the width inside.

    Shapes:
        in_proj_weight `(3 * num_heads * head_dim, embed_dim)`; inputs and outputs as torch's.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        head_dim: int,
        dropout: float = 0.0,
        bias: bool = True,
        batch_first: bool = False,
    ) -> None:
        nn.Module.__init__(self)  # torch's own would make its full-sized weights
        self.embed_dim = self.kdim = self.vdim = embed_dim
        self.num_heads, self.head_dim = num_heads, head_dim
        self.dropout, self.batch_first = dropout, batch_first
        self._qkv_same_embed_dim = False  # keeps torch's fused encoder layer away, which assumes the width
        self.bias_k = self.bias_v = None
        self.add_zero_attn = False
        inner = num_heads * head_dim
        self.in_proj_weight = nn.Parameter(torch.empty(3 * inner, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * inner)) if bias else None
        self.out_proj = nn.Linear(inner, embed_dim, bias=bias)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Outputs and, where they are wanted, the attention weights; see `nn.MultiheadAttention`."""
        is_batched = query.ndim == 3
        if not is_batched:
            query, key, value = (each.unsqueeze(0) for each in (query, key, value))
        elif not self.batch_first:
            query, key, value = (each.transpose(0, 1) for each in (query, key, value))
        q, k, v = (self._heads(each, part) for part, each in enumerate((query, key, value)))
        mask = self._mask(attn_mask, key_padding_mask, q, k)
        outputs, weights = self._attend(q, k, v, mask, need_weights)
        outputs = self.out_proj(outputs.transpose(1, 2).flatten(2))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not is_batched:
            return outputs.squeeze(0), None if weights is None else weights.squeeze(0)
        return (outputs if self.batch_first else outputs.transpose(0, 1)), weights

    def _heads(self, inputs: Tensor, part: int) -> Tensor:
        """Queries (0), keys (1) or values (2), `(batch, heads, length, head_dim)`."""
        inner = self.num_heads * self.head_dim
        rows = slice(part * inner, (part + 1) * inner)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        projected = functional.linear(inputs, self.in_proj_weight[rows], bias)
        return projected.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _mask(self, attended: Tensor | None, padding: Tensor | None, q: Tensor, k: Tensor) -> Tensor | None:
        """Both masks as numbers to add, broadcastable to `(batch, heads, length, length)`."""
        masks = []
        if attended is not None:
            mask = _added(attended, q)
            is_each_head = mask.ndim == 3  # (batch · heads, length, length)
            masks.append(mask.reshape(len(q), -1, *mask.shape[1:]) if is_each_head else mask)
        if padding is not None:
            masks.append(_added(padding, q).reshape(len(k), 1, 1, k.shape[2]))
        return sum(masks[1:], masks[0]) if masks else None

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return functional.scaled_dot_product_attention(q, k, v, mask, dropout), None
        scores = q @ k.transpose(-2, -1) * self.head_dim**-0.5
        weights = torch.softmax(scores if mask is None else scores + mask, -1)
        return functional.dropout(weights, dropout) @ v, weights


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """A mask as numbers to add to scores: minus infinity where True."""
    if mask.dtype is not torch.bool:
        return mask.to(like.dtype)
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, float("-inf"))
