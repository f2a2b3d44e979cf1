"""The panel of quantization: the studio that begins with `Quantize`, the grids behind it, bits per layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.panels.family import FamilyPanel
from workbench.panels.views.calibration_box import CalibrationBox
from workbench.panels.views.mixed_box import MixedBox
from workbench.panels.views.quantization_box import QuantizationBox
from workbench.panels.views.sensitivity_box import SensitivityBox
from workbench.techniques.quantize import Quantize

if TYPE_CHECKING:
    from workbench.exploration.quantization_records import ActivationRange, LayerError, RoundedWeights
    from workbench.exploration.records import Sensitivity


class Quantization(FamilyPanel):
    """Move the bits and watch the lines that weights are rounded to, each layer's noise, size and accuracy.

    >>> panel = wb.panels.Quantization(work)                  # doctest: +SKIP
    >>> panel.recipe = "Quantize(weights=4, activations=8)"   # moves the slider, and the lines with it
    >>> panel.sensitivity.start(); panel.wait(); panel.scan.ranked
    >>> panel.mixed.target = "30 KB"; panel.mixed.choose()    # bits for each layer, written into the recipe

    Arguments are those of `Workbench`.
    """

    begins_with = Quantize
    shows = (QuantizationBox, CalibrationBox, SensitivityBox, MixedBox)

    @property
    def sensitivity(self) -> SensitivityBox:
        """The view that scans which layer hurts."""
        return self.view(SensitivityBox)

    @property
    def scan(self) -> Sensitivity | None:
        """What was scanned so far."""
        return self.sensitivity.scan

    @property
    def calibration(self) -> CalibrationBox:
        """The view that calibrates again with other samples."""
        return self.view(CalibrationBox)

    @property
    def mixed(self) -> MixedBox:
        """The view that chooses bits for each layer."""
        return self.view(MixedBox)

    @property
    def rounding(self) -> QuantizationBox:
        """The view of weights on their grids, of each layer's noise, and of the ranges of activations."""
        return self.view(QuantizationBox)

    @property
    def weights(self) -> RoundedWeights | None:
        """The weights that are drawn; None where nothing is rounded."""
        return self.rounding.weights

    @property
    def errors(self) -> tuple[LayerError, ...]:
        """What rounding does to each layer of what is shown."""
        return self.rounding.errors

    @property
    def ranges(self) -> tuple[ActivationRange, ...]:
        """Where activations are rounded, and what is clipped."""
        return self.rounding.ranges

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the scan, what the other buttons began, the run and the preview are done.

        Raises:
            TimeoutError: they are not after `timeout` seconds.
        """
        self.sensitivity.wait(timeout)
        self.calibration.row.wait(timeout)
        self.mixed.wait(timeout)
        super().wait(timeout)
