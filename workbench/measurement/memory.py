"""How much memory one forward pass needs at its peak: the weights and the activations alive at once."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from workbench.measurement.compute import Call, plain_call

if TYPE_CHECKING:
    from torch import Tensor, nn


def peak_memory(model: nn.Module, example: Any, call: Call | None = None) -> int | None:
    """Bytes of all tensors alive at the worst moment of one forward pass; None without an example.

    Counts the model's parameters and buffers, the input, and every tensor the pass makes for as long as
    something holds it, each memory block once. The same on every device and in every run. What a kernel
    takes for itself while it works, and what an allocator keeps in reserve, is not counted.
    """
    if example is None:
        return None
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    alive = _Alive()

    class Watching(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else it imports torch's compiler, for two seconds

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = function(*args, **(kwargs or {}))
            for each in tree_leaves(result):
                if isinstance(each, torch.Tensor):
                    alive.add(each)
            return result

    for tensor in [*model.parameters(), *model.buffers(), *tree_leaves(example)]:
        if isinstance(tensor, torch.Tensor):
            alive.add(tensor)
    with torch.no_grad(), Watching():
        (call or plain_call)(model, example)
    return alive.peak


class _Alive:
    """The memory blocks that something holds, and the most there were at once."""

    def __init__(self) -> None:
        self.peak = 0
        self._bytes = 0
        self._blocks: dict[int, weakref.ref[Any]] = {}

    def add(self, tensor: Tensor) -> None:
        """Count a tensor's memory until nobody holds it; views of a counted block add nothing."""
        block = tensor.untyped_storage()
        key, size = block._cdata, block.nbytes()
        if key in self._blocks:
            return
        self._blocks[key] = weakref.ref(block, lambda _: self._freed(key, size))
        self._bytes += size
        self.peak = max(self.peak, self._bytes)

    def _freed(self, key: int, size: int) -> None:
        if self._blocks.pop(key, None) is not None:
            self._bytes -= size
