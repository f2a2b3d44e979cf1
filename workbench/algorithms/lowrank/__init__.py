"""Low-rank factorization: which layers can be split, how, at which rank, and back again.

One way to split per file (`matrix`, `spatial`, `tucker`, `cp`); each turns a layer's weight into a `Split`
that knows its ranks, its costs and its error, so that choosing a rank only looks things up. `layers` finds
what can be split, `statistics` brings in what the layers see, `ranks` and `target` choose, `thin` builds the
layers, `multiply` goes back, `timing` tells where splitting is slower. The technique itself is
`techniques/factorize.py`.
"""

from __future__ import annotations

from workbench.algorithms.lowrank.multiply import multiplied, multiplied_back

__all__ = ["multiplied", "multiplied_back"]
