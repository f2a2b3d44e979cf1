"""What was removed: one layer's weights as a picture, and which channels went from each layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.charts import channels, masks
from workbench.charts.channels import Strip
from workbench.charts.masks import Picture
from workbench.errors import WorkbenchError
from workbench.live import kept
from workbench.live.board import ChartBoard
from workbench.measurement import units
from workbench.panels.parts import lean
from workbench.panels.state.layer_link import Follower
from workbench.panels.state.once import Once
from workbench.panels.state.session import Session
from workbench.randomness import step_seed
from workbench.recipe import Recipe
from workbench.techniques.prune_channels import PruneChannels

if TYPE_CHECKING:
    from workbench.candidate import Candidate
    from workbench.layers import Weight


class RemovedBox:
    """Shows which weights stay in a layer of the preview, or of the version that is shown; and, where the
    recipe has `PruneChannels`, which channels. Worked out in the session's worker, after each preview.
    """

    topics = ("figures", "versions", "layer")

    def __init__(self, session: Session) -> None:
        self.shown: Picture | None = None
        self.strips: tuple[Strip, ...] = ()
        self._session = session
        self._candidate: Candidate | None = None
        self._due = Once(session, self._working)
        charts = {"masks": kept.spec("masks", masks.chart), "channels": channels.chart()}
        self.board = ChartBoard(charts, {"masks": masks.rows(None), "channels": channels.rows(())})
        self._layer = lean.Dropdown(
            description="what stays of", style={"description_width": "auto"}, tooltip="Which layer to look at"
        )
        self._layer.observe(lambda _: self._draw(), "value")
        self._link = Follower(session, self._layer, lambda name: name.rpartition(".")[0])
        self._channels = lean.VBox([self.board.place("channels")])
        self._channels.add_class("wb-scroll")
        lean.show(self._channels, False)
        self.widget = lean.VBox([self._layer, self.board.place("masks"), self._channels])
        self.widget.add_class("wb-removed")

    def refresh(self) -> None:
        """Show the recipe as it is now, as soon as the worker has it."""
        self._link.follow()
        self._due.ask()

    def _working(self) -> Iterator[None]:
        session = self._session
        try:
            version = session.version
            previewer, recipe = session.estimates.previewer, session.recipe.untrained()
            self._candidate = version.candidate if version is not None else previewer.candidate(recipe)
            strips = self._found()
        except WorkbenchError:  # the preview of the same recipe has said it; what was shown stays
            return
        self._list()
        self._draw()
        yield
        self._draw_channels(strips)

    def _found(self) -> tuple[Strip, ...]:
        """What the first step that removes channels, before any that trains, leaves of each layer."""
        session, steps = self._session, self._session.recipe.untrained().steps
        index = next((n for n, step in enumerate(steps) if isinstance(step, PruneChannels)), None)
        if index is None:
            return ()
        step = steps[index]
        assert isinstance(step, PruneChannels)
        candidate = session.estimates.previewer.candidate(Recipe(steps[:index]))
        found = step.remains(session.work, candidate, step_seed(0, index))
        return tuple(Strip(each.name, each.kept, each.word, each.locked) for each in found)

    def _draw_channels(self, strips: tuple[Strip, ...]) -> None:
        if strips == self.strips:
            return
        rows = channels.rows(strips)
        if len(strips) != len(self.strips):  # the chart is as high as there are layers
            self.board.replace("channels", channels.chart(len(strips)), rows)
        self.strips = strips
        lean.show(self._channels, strips)
        self.board.update({"channels": rows}, {"channels": channels.summary(strips)})

    def _list(self) -> None:
        from workbench.layers import weights

        assert self._candidate is not None
        found = list(weights(self._candidate.model))
        options = [(_title(each), each.name) for each in found]
        if list(self._layer.options) != options:
            before = self._layer.value
            self._layer.options = options
            names = [name for _, name in options]
            if before in names:
                self._layer.value = before
            elif found:  # the layer with the most weights
                self._layer.value = max(found, key=lambda each: each.parameter.numel()).name

    def _draw(self) -> None:
        from workbench.layers import weights

        candidate, name = self._candidate, self._layer.value
        found = weights(candidate.model) if candidate is not None else ()
        each = next((each for each in found if each.name == name), None)
        self.shown = picture(each) if each is not None else None
        self.board.update({"masks": masks.rows(self.shown)}, {"masks": masks.summary(self.shown)})


def picture(weight: Weight) -> Picture:
    """A layer's weights in tiles: the share of each that differs from zero."""
    import torch
    from torch.nn.functional import adaptive_avg_pool1d

    matrix = weight.parameter.detach().movedim(weight.channel_axis, 0).flatten(1)
    outputs, inputs = matrix.shape
    count, across = min(outputs, masks.ROWS), min(inputs, masks.COLUMNS)
    tiles = []
    for row in range(count):  # band by band: a whole matrix of shares would be as large as the weights
        band = matrix[row * outputs // count : -(-(row + 1) * outputs // count)]
        shares = (band != 0).float().mean(dim=0)
        tiles.append(adaptive_avg_pool1d(shares[None], across)[0].tolist())
    zeros = 1 - float(torch.count_nonzero(matrix)) / max(matrix.numel(), 1)
    return Picture(weight.layer, tiles, outputs, inputs, zeros)


def _title(weight: Weight) -> str:
    """`fc1, 64 outputs`: a layer that shrank shows it."""
    return f"{weight.layer}, {units.exact(weight.parameter.shape[weight.channel_axis])} outputs"
