"""A model's structure as data: how a compressed model differs from the original, and the way back. No pickle.

A record is a JSON object. `at` is the path of a module (empty for the model itself); the rest says what
changed:

- `set`: constructor arguments of a torch.nn layer, or public scalars of another module (`{"num_heads": 4}`);
- `is` (and `with`, `of`): the module is replaced by a new layer, or a container of new layers;
- `children`: what a Sequential or ModuleList holds now: names of the original's children, or new layers;
- `drop`: the child is gone;
- `tensors`: the module's own parameters have other shapes; null for one that is gone.

Records are applied in order to a copy of the original. Only types listed in `layer_types` are constructed,
only registered children are walked, and new tensors stay on the meta device until their values were read.
"""

from workbench.structure.difference import Record, difference
from workbench.structure.fingerprints import (
    fingerprint,
    first_difference,
    module_marks,
    structure_fingerprint,
)
from workbench.structure.rebuilding import rebuild

__all__ = [
    "Record",
    "difference",
    "fingerprint",
    "first_difference",
    "module_marks",
    "rebuild",
    "structure_fingerprint",
]
