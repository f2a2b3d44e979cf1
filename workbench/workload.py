"""What is to be compressed and how it is judged: a model, its data, its loss and its metrics."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.candidate import Candidate, plain_copy
from workbench.data import Batches, length, mapped, slices
from workbench.errors import ModelChanged, WorkloadError, listed

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
        threads: how many threads torch computes with; one for small models.

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
        input_shape: Sequence[int] | None = None,
        name: str | None = None,
        classes: Sequence[str] | None = None,
        threads: int | None = None,
        seed: int = 0,
    ) -> None:
        _check_model(model)
        self.model = model
        self.name = name or type(model).__name__
        self.baseline = plain_copy(model)
        self.forward = forward
        self.seed = seed
        self.metrics = dict(metrics or {})
        self.classes = tuple(map(str, classes)) if classes is not None else None
        given = {"train": train, "validation": validation, "test": test}
        splits, self.notes = _divided({k: Batches.of(v, k) for k, v in given.items() if v is not None}, seed)
        self.train, self.validation, self.test = (splits.get(each) for each in SPLITS)
        self._snapshot = _snapshot(model, self.baseline)
        self.example = self._example(example, input_shape)
        self.outputs = self._try_forward()
        targets = self._first_targets()
        self.is_classification = _is_classification(targets, self.outputs)
        self._loss = loss
        if self.is_classification and targets is not None:
            self.check_targets(targets, self.outputs)
        parameters = sum(each.numel() for each in self.baseline.parameters())
        self.threads = threads or (1 if parameters < _SMALL else torch.get_num_threads())

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        tensor = next(iter(self.baseline.state_dict().values()), None)
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
            WorkloadError: a label that is not one of the model's classes.
        """
        targets = mapped(lambda each: each.to(self.device), targets)
        if self._loss is not None:
            return self._loss(outputs, targets)
        if self.is_classification:
            self.check_targets(targets, outputs)
            return functional.cross_entropy(outputs, targets)
        return functional.mse_loss(outputs, targets)

    def check_targets(self, targets: Tensor, outputs: Any) -> None:
        """Refuse labels that are not among the model's classes, naming the first."""
        classes = outputs.shape[1]
        wrong = targets[(targets < 0) | (targets >= classes)]
        if len(wrong):
            raise WorkloadError(
                f"label {int(wrong[0])} is out of range: the model has {classes} outputs, "
                f"so labels run from 0 to {classes - 1}"
            )

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
        now = self.model.state_dict()
        if now.keys() != self._snapshot.keys():
            different = sorted(now.keys() ^ self._snapshot.keys())[0]
        else:
            different = next((k for k, v in now.items() if not _same(v, self._snapshot[k])), None)
        if different is not None:
            raise ModelChanged(
                f"{self.name} has changed since this workload was made (first in {different}); "
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

    def _example(self, example: Any, shape: Sequence[int] | None) -> Any:
        if example is not None:
            return tuple(example) if isinstance(example, list) else example
        if shape is not None:
            return torch.zeros(1, *shape)
        for name in ("validation", "train", "test"):
            if (data := getattr(self, name)) is not None:
                first = slices(data.first(name)[0], slice(0, 1))
                return mapped(lambda each: each.clone(), first)  # a view would hold the whole set
        return _guessed_example(self.baseline)

    def _try_forward(self) -> Any:
        if self.example is None:
            return None
        try:
            with torch.no_grad():
                return self.call(self.baseline, self.example)
        except Exception as error:
            reason = str(error).split("\n")[0]
            raise WorkloadError(
                f"{self.name} does not take its input ({described(self.example)}): {reason}; "
                "give example= as the model takes it, or forward= to call it your way"
            ) from error

    def _first_targets(self) -> Any:
        for name in ("validation", "train", "test"):
            if (data := getattr(self, name)) is not None:
                return data.first(name)[1]
        return None


def described(value: Any) -> str:
    """Shapes and dtypes in words: `float32 1×1×28×28`."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {'×'.join(map(str, value.shape)) or 'scalar'}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {described(each)}" for key, each in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(described, value))
    return type(value).__name__


def _check_model(model: Any) -> None:
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise WorkloadError(f"{model.__name__} is a class; make a model of it first: {model.__name__}()")
    if not isinstance(model, nn.Module):
        raise WorkloadError(f"the model must be a torch.nn.Module, got {type(model).__name__}")
    if isinstance(model, torch.jit.ScriptModule):
        raise WorkloadError(
            "the model is scripted (TorchScript) and cannot be rewritten; give the nn.Module it was made from"
        )
    for name, tensor in model.state_dict().items():
        if tensor.is_meta:
            raise WorkloadError(f"{name} is on the meta device and has no values; load the weights first")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            bad = "NaN" if bool(torch.isnan(tensor).any()) else "infinite"
            raise WorkloadError(
                f"{name} holds {bad} weights; train or load the model again before compressing it"
            )


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


def _snapshot(model: nn.Module, baseline: nn.Module) -> Mapping[str, Tensor]:
    """What the user's model held: the baseline's own tensors where the names agree, else a copy."""
    theirs, ours = model.state_dict(), baseline.state_dict()
    if theirs.keys() == ours.keys():
        return ours
    return {name: tensor.detach().clone() for name, tensor in theirs.items()}


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.to(b.device), b)


def _is_classification(targets: Any, outputs: Any) -> bool:
    if not isinstance(targets, Tensor) or targets.is_floating_point() or targets.is_complex():
        return False
    return targets.ndim == 1 and isinstance(outputs, Tensor) and outputs.ndim == 2


def _guessed_example(model: nn.Module) -> Tensor | None:
    """One sample of zeros, where the first layer leaves no doubt about its shape."""
    first = next((each for each in model.modules() if not list(each.children())), None)
    if isinstance(first, nn.Flatten):
        layers = [each for each in model.modules() if isinstance(each, nn.Linear)]
        first = layers[0] if layers else None
    return torch.zeros(1, first.in_features) if isinstance(first, nn.Linear) else None


def _count(data: Batches) -> str:
    return f"{data.n:,}" if data.n is not None else "of unknown length"


__all__ = ["SPLITS", "Workload", "described", "length"]
