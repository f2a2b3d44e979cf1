"""Which of many scored weights are the lowest k, asked again and again as a slider moves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from workbench.tensors import nonzeros


class Ranking:
    """Scores of several tensors, ordered together.

    The first question is answered by selection, the second one sorts: a recipe asks once, a slider asks
    many times over one order.

    Args:
        scores: importance by name, non-negative, any shape; low ones go first.
    """

    def __init__(self, scores: Mapping[str, Tensor]) -> None:
        self._scores = {name: score.detach().float().contiguous() for name, score in scores.items()}
        self.size = sum(score.numel() for score in scores.values())
        self._sorted: np.ndarray | None = None
        self._questions = 0

    def all_but_lowest(self, count: int) -> dict[str, Tensor]:
        """Bool tensors by name that leave out exactly the `count` lowest scores.

        Of equal scores at the border, those that come first are left out.
        """
        if count <= 0:
            return {name: torch.ones_like(score, dtype=torch.bool) for name, score in self._scores.items()}
        threshold = self._at(count - 1)
        keep = {name: score > threshold for name, score in self._scores.items()}
        surplus = count - (self.size - sum(nonzeros(each) for each in keep.values()))
        return keep if surplus == 0 else self._with_ties(keep, threshold, -surplus)

    def _with_ties(self, keep: dict[str, Tensor], threshold: float, back: int) -> dict[str, Tensor]:
        """Take back the last `back` scores that equal the threshold."""
        for name in reversed(list(self._scores)):
            if back <= 0:
                break
            ties = torch.nonzero((self._scores[name] == threshold).flatten()).flatten()[-back:]
            keep[name].view(-1)[ties] = True
            back -= len(ties)
        return keep

    def _at(self, index: int) -> float:
        """The score at a place in rising order."""
        self._questions += 1
        if self._sorted is None:
            flat = torch.cat([score.flatten() for score in self._scores.values()]).cpu().numpy()
            if self._questions == 1:
                return float(np.partition(flat, index)[index])
            self._sorted = np.sort(flat)
        return float(self._sorted[index])
