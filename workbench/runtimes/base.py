"""What a runtime is: something that prepares a model, runs it, and says how big the thing it loads is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from workbench.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from torch import nn

    from workbench.candidate import Candidate

ZEROS, INTEGERS = "zeros", "integers"
Call = Callable[["nn.Module", Any], Any]


@dataclass(frozen=True)
class Prepared:
    """A model ready to run.

    Attributes:
        run: one forward pass of the inputs it was prepared with; what is timed.
        outputs: the outputs for other inputs, as tensors.
        artefact_bytes: the size of what the runtime loads.
        is_in_thread: all work is done in the calling thread, whose processor time is then the measure.
        notes: what a reader must know: which layers run another way, or could not be lowered, and why.
        integer_layers: those that compute on the candidate's own codes; the others compute in float32.
    """

    run: Callable[[], Any]
    outputs: Callable[[Any], Any]
    artefact_bytes: int
    is_in_thread: bool
    notes: tuple[str, ...] = ()
    integer_layers: tuple[str, ...] = ()


class Runtime:
    """A way to run a model. Subclasses stand alone in a file of this folder."""

    name: ClassVar[str]
    title: ClassVar[str]  # as people write it
    order: ClassVar[int] = 50  # among the others, where they are listed
    needs: ClassVar[tuple[str, ...]] = ()  # modules that must be installed
    install: ClassVar[str] = ""  # the line that installs them
    follows: ClassVar[frozenset[str]] = frozenset()  # what makes it faster beside shapes: ZEROS, INTEGERS
    is_quick: ClassVar[bool] = False  # ready with a small model in about a second: previews are timed on it

    def check(self) -> None:
        """Nothing, where the runtime can be used.

        Raises:
            RuntimeUnavailable: it is not installed; the line says how to install it.
        """
        missing = [each for each in self.needs if importlib.util.find_spec(each) is None]
        if missing:
            raise RuntimeUnavailable(f"{self.title} is not installed; install it with: {self.install}")

    def prepare(
        self,
        model: nn.Module,
        example: Any,
        threads: int = 1,
        *,
        call: Call | None = None,
        candidate: Candidate | None = None,
    ) -> Prepared:
        """The model, ready to run on `example` with so many threads.

        Args:
            model: in eval mode; it is not changed.
            example: a tensor, a tuple (positional) or a mapping (by name), samples along dimension 0.
            call: `call(model, inputs)` where the model is called in an unusual way.
            candidate: whose model it is; a runtime with int8 kernels runs what it simulates on them.

        Raises:
            RuntimeUnavailable: the runtime cannot take this model; the line says which operation and why.
        """
        raise NotImplementedError
