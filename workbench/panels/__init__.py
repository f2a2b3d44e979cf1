"""Panels: widgets that show what a session knows and call it when a control is moved.

`Workbench(work)` is the studio. `session.py` is what it knows and does, without a widget; the files named
`*_box.py` show one part of it each.
"""

from workbench.panels.compare import Compare
from workbench.panels.distillation import Distillation
from workbench.panels.factorization import Factorization
from workbench.panels.pruning import Pruning
from workbench.panels.quantization import Quantization
from workbench.panels.sensitivity import Sensitivity
from workbench.panels.sharing import Sharing
from workbench.panels.studio import Workbench

__all__ = [
    "Compare",
    "Distillation",
    "Factorization",
    "Pruning",
    "Quantization",
    "Sensitivity",
    "Sharing",
    "Workbench",
]
