"""One layer looked at: its own setting, why it is locked, its weights, spectrum and kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import ipywidgets

from workbench.charts import kernels, quantization_grid, spectrum
from workbench.charts.spectrum import Spectrum
from workbench.errors import WorkbenchError
from workbench.live.board import ChartBoard
from workbench.panels.parts import lean
from workbench.panels.state import lock_words, shown
from workbench.panels.state.layer_settings import Shapes, settings
from workbench.panels.state.once import Once
from workbench.panels.state.session import Session
from workbench.panels.views.layer_settings_box import LayerSettingsBox
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.charts.layers import Layer
    from workbench.exploration.layer_records import Kernels, Singular
    from workbench.exploration.quantization_records import RoundedWeights

_WEIGHTS, _SPECTRUM = "layer weights", "layer spectrum"
_NO_WEIGHTS = "This layer has no weights with two or more dimensions"


class LayerBox:
    """Shows the layer that a session looks at; nothing while it looks at none.

    What follows a slider (the setting, the weights, the kernels) is worked out beside the previews; what
    takes longer (the spectrum, what it is coupled with) when the hand rests.

    Attributes:
        settings: the controls. weights, singular, kernels: what is drawn; None where there is nothing to.
        locks: why the layer is locked, in words, as HTML.
    """

    charts: ClassVar[Mapping[str, Callable[[], Any]]] = {
        _WEIGHTS: quantization_grid.chart,
        _SPECTRUM: spectrum.chart,
    }

    def __init__(self, session: Session, board: ChartBoard) -> None:
        self._session, self._board = session, board
        self._of: tuple[Candidate, str] | None = None  # what is drawn
        self._due = Once(session, self._working)
        self._later_due = Once(session, self._looking, takes_seconds=True)
        self.weights: RoundedWeights | None = None
        self.singular: Singular | str | None = None
        self.kernels: Kernels | None = None
        self.settings = LayerSettingsBox(session)
        self._head = lean.HTML()
        shut = lean.Button(icon="times", tooltip="Look at no layer")
        shut.add_class("wb-icon")
        shut.on_click(lambda _: session.look_at(""))
        head = lean.HBox([self._head, shut])
        head.add_class("wb-layer-head")
        self._locks = lean.HTML()
        self._locks.add_class("wb-locks-said")
        self._kernels = lean.HTML()
        self._why = lean.HTML()
        self._why.add_class("wb-hint")
        left = lean.VBox([_titled("Own setting"), self.settings.widget, _titled("Why locked?"), self._locks])
        self._said = lean.HTML()
        self._said.add_class("wb-hint")
        drawn = [_titled("Weights", "grey: before · blue: now"), self._said, board.place(_WEIGHTS)]
        middle = lean.VBox(drawn)
        right = lean.VBox(
            [
                _titled("Spectrum", "bars: before · curve: share kept"),
                board.place(_SPECTRUM),
                self._why,
            ]
        )
        self._pictured = lean.VBox([_titled("Kernels"), self._kernels])
        self._grid = lean.Box([left, middle, right, self._pictured])
        self._grid.add_class("wb-layer-parts")
        self.widget = lean.VBox([head, self._grid])
        self.widget.add_class("wb-layer")
        lean.show(self.widget, False)

    @property
    def locks(self) -> str:
        """Why the layer is locked, in words."""
        return self._locks.value

    def refresh(self, layers: Sequence[Layer]) -> None:
        """Show the chosen layer as it is now, as soon as the worker has it."""
        found = next((each for each in layers if each.name == self._session.layer), None)
        lean.show(self.widget, found is not None)
        if found is None:
            self._of = None
            return
        told = f"<b>{escape(found.name)}</b> <span>{escape(found.what)}</span>"
        if self._head.value != told:
            self._head.value = told
        self._due.ask()

    def _working(self) -> Iterator[None]:
        layer = self._session.layer
        if not layer:
            return
        self.settings.show(layer, settings(self._session.draft, layer, self._there))
        yield
        candidate = shown.candidate_or_original(self._session)
        if self._of is not None and self._of[0] is candidate and self._of[1] == layer:
            return
        is_other = self._of is None or self._of[1] != layer
        self._of = candidate, layer
        self._draw_weights(candidate, layer)
        yield
        self._draw_kernels(candidate, layer)
        if is_other:
            self._locks.value = '<p class="wb-hint">tracing the model</p>'
        self._later_due.ask()

    def _there(self, place: int) -> Shapes | None:
        """The shapes of the layers before a step: of what the steps before it make, but for training."""
        session, steps = self._session, self._session.recipe.steps[:place]
        before = Recipe(steps)
        if not any(each.family == "distillation" for each in steps):  # a student may be another net
            before = Recipe(tuple(each for each in steps if not each.trains))
        try:
            model = session.estimates.previewer.shown(before, names=session.names).model
        except WorkbenchError:  # the preview has said it
            return None
        return _shapes(model)

    def _draw_weights(self, candidate: Candidate, layer: str) -> None:
        from workbench.exploration.layer_look import weights_beside

        self.weights = weights_beside(candidate, shown.original(self._session), layer)
        drawn = quantization_grid.rows(self.weights, _NO_WEIGHTS)
        text = quantization_grid.summary(self.weights) if self.weights is not None else f"{_NO_WEIGHTS}."
        self._said.value = escape(self.weights.said.partition(": ")[2]) if self.weights is not None else ""
        self._board.show({_WEIGHTS: drawn}, {_WEIGHTS: text})

    def _draw_kernels(self, candidate: Candidate, layer: str) -> None:
        from workbench.exploration.layer_look import kernels_beside

        self.kernels = kernels_beside(candidate, shown.original(self._session), layer)
        lean.show(self._pictured, self.kernels is not None)
        told = kernels.html(self.kernels) if self.kernels is not None else ""
        if told != self._kernels.value:
            self._kernels.value = told

    def _looking(self) -> Iterator[None]:
        """What takes longer; given up when another layer is looked at."""
        from workbench.exploration.layer_look import spectrum_beside

        if self._of is None:
            return
        candidate, layer = self._of
        self.singular = spectrum_beside(candidate, shown.original(self._session), layer)
        self._draw_spectrum(layer)
        yield
        if self._of is not None and self._of[1] == layer:
            self._locks.value = self._why_locked(layer)

    def _draw_spectrum(self, layer: str) -> None:
        found = self.singular
        self._why.value = escape(found) if isinstance(found, str) else ""
        drawn = None
        if found is not None and not isinstance(found, str):
            drawn = Spectrum(layer, found.energies, found.rank, now=found.now)
        self._board.show({_SPECTRUM: spectrum.rows(drawn)}, {_SPECTRUM: spectrum.summary(drawn)})

    def _why_locked(self, layer: str) -> str:
        from workbench.algorithms.channels.locks import locks

        try:
            found = locks(self._session.work, keep=lock_words.kept_by(self._session.recipe))
        except WorkbenchError as error:
            return f'<p class="wb-hint">{escape(str(error))}</p>'
        return lock_words.of(layer, found)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """The layers with weights worth compressing, with the shape of the largest."""
    from workbench.layers import weights

    found: dict[str, tuple[int, ...]] = {}
    for each in weights(model):
        shape = tuple(each.parameter.movedim(each.channel_axis, 0).shape)
        if each.parameter.numel() >= _total(found.get(each.layer, ())):
            found[each.layer] = shape
    return found


def _total(shape: tuple[int, ...]) -> int:
    from workbench.tensors import total

    return total(shape) if shape else 0


def _titled(words: str, legend: str = "") -> ipywidgets.HTML:
    title = lean.HTML(f"<h4>{words}<span>{legend}</span></h4>")
    title.add_class("wb-part-title")
    return title
