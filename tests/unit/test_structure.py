"""Structure is data: what a technique rebuilds is written down and made again, and nothing else is."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
import torch
from packing import lenet
from torch import nn

from workbench.attention import NarrowAttention
from workbench.candidate import Candidate
from workbench.errors import StorageError
from workbench.storage import pack, unpack
from workbench.structure import difference, fingerprint, rebuild, structure_fingerprint
from workbench.structure.layer_types import ARGUMENTS, arguments, class_of, construct


class Attention(nn.Module):
    """Attention whose heads can be cut."""

    def __init__(self, width: int = 8, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.name = "attention"
        self._secret = 1
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.scale = nn.Parameter(torch.ones(heads))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).movedim(-3, 0)
        mixed = (q * k).sum(-1, keepdim=True).softmax(-2) * v * self.scale.unsqueeze(-1)
        return self.out(mixed.flatten(-2))


class Blocks(nn.Module):
    """A net with most of what can change."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks = nn.ModuleList([Attention() for _ in range(4)])
        self.skip: nn.Module | None = nn.Linear(8, 8)
        self.position = nn.Parameter(torch.randn(1, 9, 8))
        self.register_buffer("shift", torch.zeros(8))
        self.rnn = nn.LSTM(8, 6, num_layers=2, bidirectional=True)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).flatten(2).transpose(1, 2)[:, : self.position.shape[1]] + self.position
        for block in self.blocks:
            x = x + block(x)
        if self.skip is not None:
            x = self.skip(x)
        return self.head(self.rnn(x + self.shift)[0].mean(1))


INPUTS = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def stored(original: nn.Module, model: nn.Module) -> nn.Module:
    """`model` after a way through a file, into another instance of the original's class."""
    data = pack(Candidate(model.eval()), original=original)
    return unpack(data, type(original)()).candidate.model


def narrower(model: nn.Linear, kept: int) -> nn.Linear:
    made = nn.Linear(model.in_features, kept)
    with torch.no_grad():
        made.weight.copy_(model.weight[:kept])
        made.bias.copy_(model.bias[:kept])
    return made


def changed(change: Any) -> tuple[Blocks, Blocks]:
    original = Blocks().eval()
    model = copy.deepcopy(original)
    change(model)
    return original, model


def cut_channels(model: Blocks) -> None:
    model.first[0] = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    model.rnn = nn.LSTM(8, 4, num_layers=1, bidirectional=True)
    model.head = nn.Linear(8, 5)


def cut_heads(model: Blocks) -> None:
    block = model.blocks[1]
    block.heads = 2
    block.scale = nn.Parameter(torch.rand(2))


def cut_in_place(model: Blocks) -> None:
    """As channel pruning does it: attributes and tensors of the same layer change."""
    layer = model.head
    layer.out_features = 3
    layer.weight = nn.Parameter(layer.weight[:3].clone())
    layer.bias = nn.Parameter(layer.bias[:3].clone())


def factorize(model: Blocks) -> None:
    model.head = nn.Sequential(nn.Linear(12, 2, bias=False), nn.Linear(2, 5))


def drop_blocks(model: Blocks) -> None:
    model.blocks = nn.ModuleList([model.blocks[0], model.blocks[3]])


def silence_block(model: Blocks) -> None:
    model.blocks[2] = nn.Identity()


def drop_child(model: Blocks) -> None:
    model.skip = None


def shorten_position(model: Blocks) -> None:
    model.position = nn.Parameter(model.position[:, :4].clone())


CHANGES = (
    cut_channels,
    cut_heads,
    cut_in_place,
    factorize,
    drop_blocks,
    silence_block,
    drop_child,
    shorten_position,
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
def test_a_changed_structure_comes_back_and_computes_the_same(change: Any):
    original, model = changed(change)
    back = stored(original, model)
    assert structure_fingerprint(back) == structure_fingerprint(model)
    assert torch.equal(back(INPUTS), model(INPUTS))


def test_all_changes_at_once_come_back():
    def every(model: Blocks) -> None:
        for change in (cut_heads, factorize, drop_child, shorten_position, drop_blocks):
            change(model)

    original, model = changed(every)
    assert torch.equal(stored(original, model)(INPUTS), model(INPUTS))


def test_records_are_json_and_name_what_changed():
    original, model = changed(cut_in_place)
    assert difference(original, model) == [{"at": "head", "set": {"out_features": 3}}]
    original, model = changed(drop_blocks)
    records = json.loads(json.dumps(difference(original, model)))
    assert records[0]["at"] == "blocks" and len(records[0]["children"]) == 2


def test_the_same_structure_has_no_records():
    assert difference(Blocks(), Blocks()) == []


def test_a_narrower_layer_of_a_plain_sequential_comes_back():
    model = lenet()
    model[1], model[3] = narrower(model[1], 40), nn.Linear(40, 100)
    assert difference(lenet(), model) == [
        {"at": "1", "set": {"out_features": 40}},
        {"at": "3", "set": {"in_features": 40}},
    ]
    back = unpack(pack(Candidate(model.eval()), original=lenet()), lenet()).candidate.model
    assert torch.equal(back(torch.ones(1, 784)), model(torch.ones(1, 784)))


def test_a_model_that_is_one_layer_may_change_too():
    model = narrower(nn.Linear(6, 5), 2)
    back = unpack(pack(Candidate(model.eval()), original=nn.Linear(6, 5)), nn.Linear(6, 5)).candidate.model
    assert torch.equal(back.weight, model.weight)


def test_a_class_of_ones_own_cannot_be_written_down():
    original, model = changed(lambda model: setattr(model, "skip", Attention()))
    with pytest.raises(StorageError, match="skip was replaced by a Attention, which a file cannot describe"):
        difference(original, model)


@pytest.mark.parametrize("kind", sorted(ARGUMENTS))
def test_every_type_of_layer_that_may_be_written_exists(kind: str):
    assert issubclass(class_of(kind), nn.Module)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 4, bias=False),
        nn.Conv2d(4, 6, (3, 1), stride=2, padding="valid", groups=2),
        nn.ConvTranspose2d(2, 3, 2),
        nn.GRU(3, 4, num_layers=2, batch_first=True),
        nn.LSTM(3, 4, proj_size=2),
        nn.MultiheadAttention(8, 2, bias=False, add_bias_kv=True),
        NarrowAttention(8, 1, 4, batch_first=True),
        nn.LayerNorm((3, 4), bias=False),
        nn.BatchNorm1d(4, momentum=None, affine=False),
        nn.AdaptiveAvgPool2d((1, None)),
        nn.GELU("tanh"),
        nn.Upsample(scale_factor=2.0),
        nn.Embedding(5, 4, padding_idx=1),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_layer_is_made_again_from_its_arguments(layer: nn.Module):
    given = json.loads(json.dumps(arguments(layer)))
    again = construct(type(layer).__name__, given, "here")
    assert arguments(again) == arguments(layer)
    assert {n: each.shape for n, each in again.state_dict().items()} == {
        n: each.shape for n, each in layer.state_dict().items()
    }
    assert all(each.is_meta for each in again.parameters())


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"at": "head", "is": "Attention"}, "'Attention', which is not allowed"),
        ({"at": "head", "is": "Module"}, "not allowed"),
        ({"at": "head", "is": "TransformerEncoder", "with": {}}, "not allowed"),
        ({"at": "head", "is": "Linear", "with": {"in_features": 3}}, "cannot be made"),
        ({"at": "head", "is": "Linear", "with": {"device": "cuda"}}, "arguments that it does not have"),
        ({"at": "head", "is": "Linear", "with": {"in_features": {}, "out_features": 1}}, "neither a number"),
        ({"at": "head", "is": "Linear", "with": {"in_features": 2**30, "out_features": 2**30}}, "bytes"),
        (
            {"at": "head", "is": "LSTM", "with": {"input_size": 1, "hidden_size": 1, "num_layers": 10**6}},
            "64",
        ),
        ({"at": "__class__", "is": "Identity"}, "names of modules"),
        ({"at": "blocks.__dict__.x", "is": "Identity"}, "names of modules"),
        ({"at": "forward", "is": "Identity"}, "not a module of the original"),
        ({"at": "shift", "is": "Identity"}, "not a module of the original"),
        ({"at": "training", "is": "Identity"}, "not a module of the original"),
        ({"at": "nowhere.x", "is": "Identity"}, "no such module"),
        ({"at": "first.7", "is": "Identity"}, "no such module"),
        ({"at": "../../x", "is": "Identity"}, "names of modules"),
        ({"at": "nowhere", "drop": True}, "no such module"),
        ({"at": "", "drop": True}, "cannot be dropped"),
        ({"at": "blocks.0", "set": {"_secret": 2}}, "not a public attribute"),
        ({"at": "blocks.0", "set": {"__class__": 2}}, "not a public attribute"),
        ({"at": "blocks.0", "set": {"training": True}}, "not a public attribute"),
        ({"at": "blocks.0", "set": {"forward": 2}}, "not a public attribute"),
        ({"at": "blocks.0", "set": {"name": "/etc/passwd"}}, "cannot become"),
        ({"at": "blocks.0", "set": {"heads": "2"}}, "cannot become"),
        ({"at": "blocks", "children": ["0", "0"]}, "named twice"),
        ({"at": "blocks", "children": ["9"]}, "no child"),
        ({"at": "head", "children": []}, "only a Sequential"),
        ({"at": "head", "tensors": {"weight": [2**40]}}, "whole number"),
        ({"at": "head", "tensors": {"weight": [2**31, 2**31, 2**31]}}, "too large"),
        ({"at": "head", "tensors": {"__dict__": [1]}}, "no tensor"),
        ({"at": "head"}, "says nothing"),
        ({"at": 3}, "as a text"),
        ([], "an object"),
    ],
)
def test_hostile_records_are_refused_at_once(record: Any, words: str):
    original = Blocks()
    started = time.perf_counter()
    with pytest.raises(StorageError) as caught:
        rebuild(original, [record])
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert time.perf_counter() - started < 1


def test_nested_containers_have_an_end():
    record: dict[str, Any] = {"is": "Identity"}
    for _ in range(50):
        record = {"is": "Sequential", "of": {"0": record}}
    with pytest.raises(StorageError, match="nested too deeply"):
        rebuild(Blocks(), [{"at": "head", **record}])


def test_a_structure_that_contains_itself_ends():
    original, model = Blocks(), Blocks()
    for each in (original, model):
        each.blocks[0].parent = each.blocks
    assert difference(original, model) == []


def test_the_fingerprint_sees_one_bit_and_the_structures_does_not():
    model = lenet()
    before, structure = fingerprint(model), structure_fingerprint(model)
    with torch.no_grad():
        model[5].bias[3] += 1e-6
    assert fingerprint(model) != before
    assert structure_fingerprint(model) == structure


def test_fingerprints_see_arguments_but_not_what_matters_in_training_only():
    one, other = nn.Sequential(nn.MaxPool2d(2)), nn.Sequential(nn.MaxPool2d(2, stride=1))
    assert fingerprint(one) != fingerprint(other)
    dropping, other = nn.Sequential(nn.Dropout(0.1)), nn.Sequential(nn.Dropout(0.5)).eval()
    assert fingerprint(dropping) == fingerprint(other)


def test_fingerprinting_45_megabytes_is_quick():
    model = nn.Linear(3000, 3900)
    fingerprint(model)
    spent = []
    for _ in range(3):
        started = time.thread_time()
        fingerprint(model)
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.2  # about 50 ms here; twice the aim, for slower machines
