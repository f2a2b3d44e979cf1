"""The panel of low-rank factorization: the studio that begins with `Factorize`, and the spectra behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.panels.family import FamilyPanel
from workbench.panels.views.spectrum_box import SpectrumBox
from workbench.techniques.factorize import Factorize

if TYPE_CHECKING:
    from workbench.algorithms.lowrank.spectra import LayerSpectrum


class Factorization(FamilyPanel):
    """Move the rank and watch the line in each layer's spectrum, the size, and the accuracy.

    >>> panel = wb.panels.Factorization(work)                 # doctest: +SKIP
    >>> panel.recipe = "Factorize(ratio=0.1)"                 # moves the slider, and the line with it

    Arguments are those of `Workbench`.
    """

    begins_with = Factorize
    shows = (SpectrumBox,)

    @property
    def spectrum(self) -> SpectrumBox:
        """The view of the spectra."""
        return self.view(SpectrumBox)

    @property
    def spectra(self) -> tuple[LayerSpectrum, ...]:
        """What is drawn: a record per layer and side."""
        return self.spectrum.shown
