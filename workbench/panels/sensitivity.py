"""The panel of sensitivity alone: which layer hurts, for any technique."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.exploration.plan import one
from workbench.panels import styles
from workbench.panels.paper.blocks import Block, Table, Title, Words
from workbench.panels.paper.told import pictures
from workbench.panels.readable import Readable
from workbench.panels.state.session import Session
from workbench.panels.views.sensitivity_box import SensitivityBox
from workbench.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.exploration.records import Sensitivity as Scan
    from workbench.technique import Technique
    from workbench.workload import Workload


class Sensitivity(Readable):
    """Press Scan: one layer after the other is compressed alone, and the one that hurts shows.

    >>> panel = wb.panels.Sensitivity(work, "Quantize")       # doctest: +SKIP
    >>> panel.start(); panel.wait(); panel.scan.ranked        # the same without a hand

    Args:
        technique: what is scanned first; any technique that does not train, its text, or a recipe of one.
        names: what bare names in it stand for; the notebook's variables where not given.
    """

    lets_go = ("session", "box")

    def __init__(
        self,
        work: Workload,
        technique: Technique | type[Technique] | Recipe | str = "PruneWeights",
        *,
        names: Mapping[str, Any] | None = None,
    ) -> None:
        self.session = Session(work, Recipe((one(technique),)), names=names)
        self.box = SensitivityBox(self.session)
        self.session.observe(lambda topic: self.box.refresh() if topic == "layer" else None)
        super().__init__([styles.widget(), self.box.widget])
        self.add_class("wb-workbench")
        self._opened()

    @property
    def recipe(self) -> Recipe:
        """What a scan would try, as a recipe of one step; set it (or its text) to scan something else."""
        return Recipe((self.box.technique,))

    @recipe.setter
    def recipe(self, recipe: Technique | type[Technique] | Recipe | str) -> None:
        try:
            step = one(recipe)
        except WorkbenchError as error:
            self.session.fail(error)
            return
        self.session.write(Recipe((step,)))
        self.box.choose(type(step).__name__)

    @property
    def scan(self) -> Scan | None:
        """What was scanned so far."""
        return self.box.scan

    @property
    def error(self) -> str:
        """What went wrong last, in one line; empty where nothing did."""
        return self.session.error

    @property
    def is_running(self) -> bool:
        """Whether a scan is going on."""
        return self.box.scans.is_running

    @property
    def views(self) -> Sequence[Any]:
        """Its one part."""
        return (self.box,)

    def told(self) -> list[Block]:
        """What the panel says, as blocks to read."""
        name, scan = self.session.work.name, self.scan
        before = self._unscanned() if scan is None else self.box.told()
        return [Title(f"{name}: which layer hurts", 3), *before, *pictures(self._boards())]

    def _unscanned(self) -> list[Block]:
        """The layers a scan would try, while there is none."""
        from workbench.layers import weights

        found: dict[str, int] = {}
        for each in weights(self.session.work.baseline):
            found[each.layer] = found.get(each.layer, 0) + each.parameter.numel()
        rows = tuple((layer, f"{count:,}") for layer, count in found.items())
        return [Words("Nothing was scanned yet."), Table("Layers to be scanned", ("layer", "weights"), rows)]

    def start(self) -> None:
        """What the Scan button does."""
        self.box.start()

    def stop(self) -> None:
        """What the Stop button does."""
        self.box.stop()

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until the scan is done.

        Raises:
            TimeoutError: it is not after `timeout` seconds.
        """
        self.box.wait(timeout)

    def _is_busy(self) -> bool:
        return self.is_running or super()._is_busy()

    def __repr__(self) -> str:
        if self._is_closed:
            return "<Sensitivity, closed>"
        return f"<Sensitivity of {self.session.work.name}>"
