"""What stands behind bits: weights on the lines of their grid, each layer's noise, and what is clipped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.charts import quantization_grid, quantization_ranges, quantization_sqnr
from workbench.errors import WorkbenchError, WorkloadError
from workbench.live.board import ChartBoard
from workbench.live.selections import PointSelection, Selection
from workbench.panels.parts import lean
from workbench.panels.state.layer_link import Follower
from workbench.panels.state.once import Once
from workbench.panels.state.session import Session

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.exploration.quantization_records import ActivationRange, LayerError, RoundedWeights

NOISIEST, ALL = "the noisiest channel", "all channels"
_SAMPLES = 32
_MOST_CHANNELS = 1024  # in the list


class QuantizationBox:
    """Shows the rounding that a session's recipe, or its version, does.

    The lines and the noise of the weights follow the preview at once; noise of outputs and ranges of
    activations take samples of data, and come when the hand rests.

    Attributes:
        weights: what is drawn of the chosen layer. errors, ranges: of all layers and places.
    """

    topics = ("figures", "versions", "layer")

    def __init__(self, session: Session) -> None:
        self.weights: RoundedWeights | None = None
        self.errors: tuple[LayerError, ...] = ()
        self.ranges: tuple[ActivationRange, ...] = ()
        self._session = session
        self._shown: Candidate | None = None
        self._due = Once(session, self._working)
        charts = {
            "grid": quantization_grid.chart(),
            "sqnr": quantization_sqnr.chart(),
            "ranges": quantization_ranges.chart(),
        }
        self.board = ChartBoard(
            charts,
            {
                "grid": quantization_grid.rows(None),
                "sqnr": quantization_sqnr.rows(()),
                "ranges": quantization_ranges.rows(()),
            },
        )
        self.board.on_selection(self._picked)
        wide = {"description_width": "auto"}
        self._layer = lean.Dropdown(description="weights of", style=wide, tooltip="Which layer to look at")
        self._channel = lean.Dropdown(
            description="and of it", style=wide, options=[NOISIEST, ALL], tooltip="Which output channel"
        )
        self._layer.observe(lambda _: self._draw_weights(), "value")
        self._link = Follower(session, self._layer)
        self._channel.observe(lambda _: self._draw_weights(), "value")
        wraps = lean.layout(flex_flow="row wrap")
        choice = lean.HBox([self._layer, self._channel], layout=wraps)
        ranges = lean.VBox([self.board.place("ranges")])
        noise = lean.VBox([self.board.place("sqnr")])
        for each in (ranges, noise):
            each.add_class("wb-scroll")
        below = lean.Tab([noise, ranges], titles=("Noise of each layer", "Activations"))
        self.widget = lean.VBox([choice, self.board.place("grid"), below])
        self.widget.add_class("wb-rounding")

    def refresh(self) -> None:
        """Show what is known of the recipe: at once where it is previewed, else when the worker has it."""
        session = self._session
        self._link.follow()
        preview = session.estimates.preview
        if session.version is not None or (preview is not None and preview.recipe == session.recipe):
            self._look()
        self._due.ask()

    def _working(self) -> Iterator[None]:
        yield
        candidate = self._look()
        if candidate is not None and candidate is self._shown and not self._is_known(candidate):
            self._session.estimates.later(lambda: self._comparing(candidate))

    def _is_known(self, candidate: Candidate) -> bool:
        return bool(self.errors) and any(each.outputs == each.outputs for each in self.errors)

    def _look(self) -> Candidate | None:
        """Show the weights of what is asked for now; what needs data comes later."""
        from workbench.exploration.quantization import weight_errors

        try:
            candidate = self._candidate()
            if candidate is not self._shown:
                self._shown, self.ranges = candidate, ()
                self.errors = weight_errors(candidate)
                self._offer(candidate)
                self._draw_weights()
                self._draw_layers()
        except WorkbenchError:  # the preview of the same recipe has said it; what was shown stays
            return None
        return candidate

    def _candidate(self) -> Candidate:
        session = self._session
        if (version := session.version) is not None:
            return version.candidate
        return session.estimates.previewer.candidate(session.recipe.untrained(), names=session.names)

    def _comparing(self, candidate: Candidate) -> Iterator[None]:
        """Noise of outputs and ranges of activations, on some samples; given up when others are asked for."""
        from workbench.exploration.quantization_watch import freed, watching

        work = self._session.work
        if candidate is not self._shown or not (candidate.constraints or candidate.activations):
            return
        try:
            data = work.split("validation" if work.validation is not None else "train")
        except WorkloadError:  # without data there is nothing to compare
            return
        steps = watching(work, candidate, freed(candidate), data, _SAMPLES)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                seen = end.value
                break
            if candidate is not self._shown:
                return
            yield
        if candidate is self._shown:
            self.errors = tuple(
                replace(
                    each, outputs=seen.own.get(each.layer, each.outputs), arriving=seen.arriving(each.layer)
                )
                for each in self.errors
            )
            self.ranges = seen.ranges
            self._draw_layers()

    def _offer(self, candidate: Candidate) -> None:
        """The layers there are; the one of the most weights first, where none was chosen."""
        names = [each.layer for each in self.errors]
        if list(self._layer.options) != names:
            before = self._layer.value
            largest = max(self.errors, key=lambda each: each.parameters).layer if names else None
            self._layer.options = names
            self._layer.value = before if before in names else largest

    def _draw_weights(self) -> None:
        from workbench.exploration.quantization_weights import rounded_weights

        candidate, layer = self._shown, self._layer.value
        self.weights = None
        if candidate is not None and layer is not None and candidate.constraints:
            self._offer_channels(candidate, layer)
            self.weights = rounded_weights(candidate, layer, self._which(candidate, layer))
        rows = quantization_grid.rows(self.weights)
        self.board.update({"grid": rows}, {"grid": quantization_grid.summary(self.weights)})
        self._draw_layers()

    def _offer_channels(self, candidate: Candidate, layer: str) -> None:
        from workbench.exploration.quantization_weights import channels

        count = min(channels(candidate, layer), _MOST_CHANNELS)
        options = [NOISIEST, ALL, *(f"channel {number}" for number in range(count))]
        if list(self._channel.options) != options:
            before = self._channel.value
            with self._channel.hold_trait_notifications():
                self._channel.options = options
                self._channel.value = before if before in options else NOISIEST

    def _which(self, candidate: Candidate, layer: str) -> int | None:
        """The number of the channel that is chosen; None for all."""
        from workbench.exploration.quantization_weights import channel_errors

        if self._channel.value == ALL:
            return None
        if self._channel.value != NOISIEST:
            return int(self._channel.value.rpartition(" ")[2])
        errors = channel_errors(candidate, layer)
        return errors.index(min(errors)) if errors else 0

    def _draw_layers(self) -> None:
        selected = self._layer.value or ""
        rows = {
            "sqnr": quantization_sqnr.rows(self.errors, selected),
            "ranges": quantization_ranges.rows(self.ranges),
        }
        texts = {
            "sqnr": quantization_sqnr.summary(self.errors),
            "ranges": quantization_ranges.summary(self.ranges),
        }
        self.board.update(rows, texts)

    def _picked(self, selection: Selection) -> None:
        """A click on a layer shows its weights."""
        if isinstance(selection, PointSelection) and selection.name == "pick":
            names = [name for name in selection.of("name") if name in self._layer.options]
            if names:
                self._layer.value = names[-1]
                self._session.look_at(names[-1])
