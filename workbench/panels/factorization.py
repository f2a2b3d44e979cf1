"""The panel of low-rank factorization: the studio that begins with `Factorize`, and the spectra behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.panels.spectrum_box import SpectrumBox
from workbench.panels.studio import Workbench
from workbench.recipe import Recipe
from workbench.techniques.factorize import Factorize

if TYPE_CHECKING:
    from workbench.algorithms.lowrank.spectra import LayerSpectrum
    from workbench.workload import Workload


class Factorization(Workbench):
    """Move the rank and watch the line in each layer's spectrum, the size, and the accuracy.

    >>> panel = wb.panels.Factorization(work)                 # doctest: +SKIP
    >>> panel.recipe = "Factorize(ratio=0.1)"                 # moves the slider, and the line with it

    Arguments are those of `Workbench`.
    """

    def __init__(self, work: Workload, recipe: Recipe | str | None = None, **options: Any) -> None:
        super().__init__(work, recipe if recipe is not None else Recipe((Factorize(),)), **options)
        # the session's own previewer: what it has prepared is not computed again
        self.spectrum = SpectrumBox(self.session, self.session.estimates._previewer)
        with self._drawing:
            self.children = (*self.children, self.spectrum.widget)
            self._views = (*self._views, self.spectrum)
        self.spectrum.refresh()

    @property
    def spectra(self) -> tuple[LayerSpectrum, ...]:
        """What is drawn: a record per layer and side."""
        return self.spectrum.shown
