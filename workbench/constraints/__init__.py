"""What weights must satisfy, beside a plain model: masks, grids and codebooks, and the order they chain in.

A constraint is a record by parameter name. Called on a weight it gives the nearest weight that satisfies it;
where it rounds, gradients pass straight through, so that training can go on from the free weights. Masks
come last in the chain and every grid maps zero to zero, so zeros survive rounding and training (signs have no
zero: there the mask alone makes them). A constraint may hold tensors that training learns beside the weights,
or instead of them (`learned`). One kind per file.
"""

from workbench.constraints.base import Constraint
from workbench.constraints.chains import Constraints
from workbench.constraints.codebook import Codebook
from workbench.constraints.grid import Grid
from workbench.constraints.levels import Levels
from workbench.constraints.mask import Mask
from workbench.constraints.precision import Precision
from workbench.constraints.scaled import Scaled, as_float16, spread
from workbench.constraints.signs import Signs
from workbench.constraints.ternary import Ternary

__all__ = [
    "Codebook",
    "Constraint",
    "Constraints",
    "Grid",
    "Levels",
    "Mask",
    "Precision",
    "Scaled",
    "Signs",
    "Ternary",
    "as_float16",
    "spread",
]
