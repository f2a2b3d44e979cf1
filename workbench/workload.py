"""What is to be compressed and how it is judged: a model, its data, its loss and its metrics."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from workbench import losses
from workbench.candidate import Candidate
from workbench.data import Batches, described, length, mapped
from workbench.errors import ModelChanged, WorkloadError, listed, shown
from workbench.original import Original, check_usable, tensors
from workbench.plain import plain_copy
from workbench.preferences import preferred
from workbench.randomness import whole_seed

SPLITS = ("train", "validation", "test")
_SMALL = 5_000_000  # parameters; below it one thread is faster as soon as anything else runs


class Workload:
    """A model together with what it is judged on.

    `validation` is for choosing, `test` for the report; where one of them is not given, a part of what was
    given is held out once, by `seed`, and `notes` says so. A model without data is a workload too:
    everything but accuracy works.

    Args:
        model: any `nn.Module`; it is never changed.
        train, validation, test: a `DataLoader`, a `Dataset`, a pair of tensors `(inputs, targets)` or a list
            of such batches. Inputs may be a tensor, a tuple (given as positional arguments) or a mapping
            (given by name), with samples along dimension 0.
        loss: `loss(outputs, targets)` giving a scalar tensor; cross entropy for whole-number targets and
            mean squared error otherwise.
        metrics: more figures by name, `metric(outputs, targets)` each; torchmetrics objects are fine.
        forward: `forward(model, inputs)` for models that are called in an unusual way.
        example: the inputs of one sample (batch dimension 1); taken from the data where there are any.
        input_shape: the shape of one sample without the batch dimension, instead of `example`.
        name: shown in panels and reports; the class's name where it is not given.
        classes: the names of the classes, in order.
        threads: how many threads torch computes with; where it is not given, what is preferred in the front
            end's settings, else one for small models.

    Raises:
        WorkloadError: not an `nn.Module`, weights that are not finite, empty data, labels out of range, or
            a model that does not take the data; one line each.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Any = None,
        validation: Any = None,
        test: Any = None,
        *,
        loss: Callable[[Any, Any], Tensor] | None = None,
        metrics: Mapping[str, Callable[[Any, Any], Any]] | None = None,
        forward: Callable[[nn.Module, Any], Any] | None = None,
        example: Any = None,
        input_shape: Sequence[int] | int | None = None,
        name: str | None = None,
        classes: Sequence[str] | None = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        check_usable(model)
        _check_judges(loss, forward, metrics)
        self.model = model
        self.name = name or type(model).__name__
        self.baseline = plain_copy(model)
        self.forward = forward
        self.seed = seed = whole_seed(seed)
        self.metrics = dict(metrics or {})
        self.classes = tuple(map(str, classes)) if classes is not None else None
        given = {"train": train, "validation": validation, "test": test}
        splits, self.notes = _divided({k: Batches.of(v, k) for k, v in given.items() if v is not None}, seed)
        self.train, self.validation, self.test = (splits.get(each) for each in SPLITS)
        self._original = Original(model, self.baseline)
        inputs, targets = self._first_batch()
        self.example = self._example(example, input_shape, inputs)
        self.outputs = self._try_forward(is_guess=inputs is None and example is None and input_shape is None)
        self.is_classification = losses.is_classification(targets, self.outputs)
        self._loss = loss
        if self.is_classification:
            _check_labels(targets, self.outputs, self.classes)
        parameters = sum(each.numel() for each in self.baseline.parameters())
        self.threads = (
            threads or preferred().threads or (1 if parameters < _SMALL else torch.get_num_threads())
        )

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        tensor = next(iter(tensors(self.baseline).values()), None)
        return tensor.device if tensor is not None else torch.device("cpu")

    def call(self, model: nn.Module, inputs: Any) -> Any:
        """What `model` gives for a batch of inputs, on the model's own device."""
        inputs = mapped(lambda each: each.to(self.device), inputs)
        if self.forward is not None:
            return self.forward(model, inputs)
        if isinstance(inputs, Mapping):
            return model(**inputs)
        if isinstance(inputs, tuple):
            return model(*inputs)
        return model(inputs)

    def loss(self, outputs: Any, targets: Any) -> Tensor:
        """The loss of a batch: the user's, else cross entropy or mean squared error.

        Raises:
            WorkloadError: a label that is not one of the model's classes, outputs and targets that do not
                go together, or a loss that is not one number.
        """
        targets = mapped(lambda each: each.to(self.device), targets)
        return losses.one_number((self._loss or losses.default_loss)(outputs, targets))

    def check_targets(self, targets: Tensor, outputs: Any) -> None:
        """Refuse labels that are not among the model's classes, naming the first."""
        losses.check_labels(targets, outputs)

    def split(self, name: str) -> Batches:
        """The data of one split.

        Raises:
            WorkloadError: there are none; the line says how to give them.
        """
        if name not in SPLITS:
            raise WorkloadError(f"no split named {name!r}; there are {listed(SPLITS)}")
        data = getattr(self, name)
        if data is None:
            raise WorkloadError(f"{self.name} has no {name} data; give them: Workload(net, {name}=loader)")
        return data

    def candidate(self) -> Candidate:
        """The untouched model as the first candidate, on tensors of its own."""
        return Candidate(plain_copy(self.baseline))

    def check_unchanged(self) -> None:
        """Notice that the user's model was trained or edited after the workload was made.

        Raises:
            ModelChanged: naming the first tensor that differs.
        """
        different = self._original.difference(self.model)
        if different is not None:
            raise ModelChanged(
                f"{self.name} has changed since this workload was made (first in {different or self.name}); "
                "make the workload again to compress it as it is now"
            )

    @functools.cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits of the model's weights and the sizes of its data."""
        from workbench.structure import fingerprint

        sizes = [getattr(self, each).n if getattr(self, each) else None for each in SPLITS]
        text = f"{fingerprint(self.baseline)} {sizes} {self.seed}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def __repr__(self) -> str:
        sizes = [
            f"{each} {_count(getattr(self, each))}" for each in SPLITS if getattr(self, each) is not None
        ]
        return f"<Workload {self.name}: {', '.join(sizes) or 'no data'}>"

    def _first_batch(self) -> tuple[Any, Any]:
        for name in ("validation", "train", "test"):
            if (data := getattr(self, name)) is not None:
                return data.first(name)
        return None, None

    def _example(self, example: Any, shape: Sequence[int] | int | None, inputs: Any) -> Any:
        if example is not None:
            return tuple(example) if isinstance(example, list) else example
        if shape is not None:
            return _zeros(self.baseline, shape)
        if inputs is not None:  # a copy: a view would hold the whole set
            return mapped(lambda each: each[:1].clone(), inputs)
        return _guessed_example(self.baseline)

    def _try_forward(self, is_guess: bool) -> Any:
        if self.example is None:
            return None
        try:
            with torch.no_grad():
                return self.call(self.baseline, self.example)
        except Exception as error:
            if is_guess:
                self.example = None
                return None
            reason = str(error).split("\n")[0] or type(error).__name__
            raise WorkloadError(
                f"{self.name} does not take its input ({described(self.example)}): {reason}; "
                "give example= as the model takes it, or forward= to call it your way"
            ) from error


def _check_judges(loss: Any, forward: Any, metrics: Any) -> None:
    for name, given in (("loss", loss), ("forward", forward)):
        if isinstance(given, type):
            raise WorkloadError(f"{name} must be a function, got a class; write {given.__name__}()")
        if given is not None and not callable(given):
            raise WorkloadError(f"{name} must be a function, got {shown(given)}")
    is_by_name = metrics is None or isinstance(metrics, Mapping)
    judges = (metrics or {}).values() if is_by_name else ()
    if not is_by_name or not all(callable(each) or hasattr(each, "update") for each in judges):
        raise WorkloadError(
            f"metrics must map names to functions of (outputs, targets), got {shown(metrics)}; "
            "write metrics={'mine': my_metric}"
        )


def _check_labels(targets: Tensor, outputs: Tensor, classes: tuple[str, ...] | None) -> None:
    losses.check_range(targets, outputs.shape[1])
    if classes is not None and len(classes) != outputs.shape[1]:
        raise WorkloadError(f"{len(classes)} class names for {outputs.shape[1]} outputs; give one for each")


def _divided(given: dict[str, Batches], seed: int) -> tuple[dict[str, Batches], tuple[str, ...]]:
    """The three splits, holding out what is missing from what was given; and what was done, in words."""
    plans = {
        ("train",): ("train", {"train": 0.8, "validation": 0.1, "test": 0.1}),
        ("validation",): ("validation", {"validation": 0.5, "test": 0.5}),
        ("test",): ("test", {"validation": 0.5, "test": 0.5}),
        ("train", "validation"): ("validation", {"validation": 0.5, "test": 0.5}),
        ("train", "test"): ("train", {"train": 0.9, "validation": 0.1}),
    }
    plan = plans.get(tuple(name for name in SPLITS if name in given))
    if plan is None:
        return given, ()
    source, shares = plan
    try:
        parts = given[source].divided(list(shares.values()), seed)
    except WorkloadError as error:
        return given, (f"{source} data were not split: {error}",)
    named = dict(zip(shares, parts, strict=True))
    sizes = ", ".join(f"{name} {part.n:,}" for name, part in named.items())
    return given | named, (f"the {source} data were split once by seed {seed}: {sizes}",)


def _guessed_example(model: nn.Module) -> Tensor | None:
    """One sample of zeros, where the first layer leaves no doubt about its shape."""
    first = next((each for each in model.modules() if not list(each.children())), None)
    if isinstance(first, nn.Flatten):
        layers = [each for each in model.modules() if isinstance(each, nn.Linear)]
        first = layers[0] if layers else None
    return _zeros(model, (first.in_features,)) if isinstance(first, nn.Linear) else None


def _zeros(model: nn.Module, shape: Sequence[int] | int) -> Tensor:
    """One sample of zeros, in the model's own precision."""
    sizes = [shape] if isinstance(shape, int) else shape
    if isinstance(sizes, str) or not all(isinstance(each, int) and each >= 0 for each in sizes):
        raise WorkloadError(
            f"input_shape must be whole numbers, one sample's shape without the batch, got {shown(shape)}"
        )
    floating = (each.dtype for each in model.parameters() if each.is_floating_point())
    return torch.zeros(1, *sizes, dtype=next(floating, torch.float32))


def _count(data: Batches) -> str:
    return f"{data.n:,}" if data.n is not None else "of unknown length"


__all__ = ["SPLITS", "Workload", "described", "length"]
