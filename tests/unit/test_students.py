"""Students made from a teacher, by their shapes and sizes; one of a class of its own, stored and loaded."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import workbench as wb
from workbench.algorithms.distillation.fresh import initialised
from workbench.algorithms.distillation.spelling import Made
from workbench.algorithms.distillation.students import made, separated, shallower
from workbench.algorithms.distillation.widths import scaled
from workbench.candidate import Candidate
from workbench.errors import OptionError, RecipeError, StorageError, WorkloadError
from workbench.job import finish
from workbench.options import Reference
from workbench.recipe import Recipe
from workbench.storage import pack, unpack
from workbench.structure import difference
from workbench.technique import Context, prepared
from workbench.techniques.distill import Distill
from workbench.versions import Version, VersionTree
from workbench.workload import Workload


class Residual(nn.Module):
    """A stem, two blocks that add to their input, one that changes its width, pooled and classified."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.first = nn.Sequential(Block(8, 8), Block(8, 8))
        self.second = nn.Sequential(Block(8, 16), Block(16, 16))
        self.head = nn.Linear(16, 5)

    def forward(self, images):
        return self.head(self.second(self.first(self.stem(images))).mean((2, 3)))


class Block(nn.Module):
    def __init__(self, inside: int, out: int) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(inside, out, 3, padding=1), nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, groups=2)
        self.skip = nn.Conv2d(inside, out, 1) if inside != out else None

    def forward(self, x):
        y = self.conv2(torch.relu(self.norm(self.conv1(x))))
        return torch.relu(y + (x if self.skip is None else self.skip(x)))


class Tokens(nn.Module):
    """Embedded tokens with learned positions, two encoder layers, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.positions = nn.Parameter(torch.randn(1, 7, 16))
        layers = [nn.TransformerEncoderLayer(16, 4, 32, batch_first=True) for _ in range(4)]
        self.layers = nn.ModuleList(layers)
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 3)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x).mean(1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru, self.head = nn.GRU(4, 12, 2, batch_first=True, bidirectional=True), nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


class Stubborn(nn.Module):
    """Has the size of its hidden layer in its own forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x):
        return self.two(self.one(x).reshape(-1, 2, 3).flatten(1))


def work(kind: str) -> Workload:
    torch.manual_seed(0)
    made = {
        "residual": lambda: (Residual(), torch.randn(1, 3, 8, 8)),
        "tokens": lambda: (Tokens(), torch.randint(50, (1, 7))),
        "recurrent": lambda: (Recurrent(), torch.randn(1, 5, 4)),
        "stubborn": lambda: (Stubborn(), torch.randn(1, 4)),
        "mlp": lambda: (
            nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)),
            torch.randn(1, 4),
        ),
    }
    model, example = made[kind]()
    return Workload(model, example=example)


def count(model: nn.Module) -> int:
    return sum(each.numel() for each in model.parameters())


@pytest.mark.parametrize("kind", ["residual", "tokens", "recurrent", "mlp"])
@pytest.mark.parametrize("factor", [0.5, 0.25, 0.3, 1.5])
def test_a_width_scales_every_hidden_layer_and_no_output(kind, factor):
    given = work(kind)
    student = initialised(scaled(given.baseline, given, factor), 0)
    outputs = given.call(student, given.example)
    assert outputs.shape == given.outputs.shape and torch.isfinite(outputs).all()
    assert count(student) < count(given.baseline) if factor < 1 else count(student) > count(given.baseline)
    assert difference(given.baseline, student), "its structure can be written down"


def test_half_the_width_of_a_linear_net_by_hand():
    given = work("mlp")
    student = scaled(given.baseline, given, 0.5)
    assert [each.weight.shape for each in student if isinstance(each, nn.Linear)] == [(4, 4), (3, 4), (3, 3)]


def test_what_is_added_to_the_output_keeps_its_width():
    torch.manual_seed(0)

    class Added(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.one, self.two = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(4, 3)
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x):
            return self.norm(self.one(torch.relu(self.hidden(x))) + self.two(x))

    given = Workload(Added(), example=torch.randn(1, 4))
    student = scaled(given.baseline, given, 0.5)
    assert (student.hidden.out_features, student.one.in_features) == (4, 4)
    assert student.one.out_features == student.two.out_features == student.norm.num_features == 3


def test_a_net_with_sizes_of_its_own_in_its_forward_pass_says_so():
    given = work("stubborn")
    with pytest.raises(WorkloadError, match=r"has sizes of its own .* give a student of yours"):
        scaled(given.baseline, given, 0.5)


def test_blocks_that_keep_their_shape_are_dropped():
    given = work("residual")
    student = shallower(given.baseline, given)
    dropped = [path for path, each in student.named_modules() if isinstance(each, nn.Identity)]
    assert dropped and all(path.startswith(("first.", "second.1")) for path in dropped)
    assert given.call(student, given.example).shape == given.outputs.shape


def test_half_of_the_encoder_layers_are_dropped():
    given = work("tokens")
    student = shallower(given.baseline, given)
    assert len(student.layers) < 4
    assert given.call(student, given.example).shape == given.outputs.shape


def test_a_plain_net_loses_every_second_hidden_layer_and_the_next_one_is_made_to_fit():
    given = work("mlp")
    student = shallower(given.baseline, given)
    assert isinstance(student[2], nn.Identity) and student[4].in_features == 8


def test_wide_convolutions_are_separated_where_that_is_smaller():
    given = work("residual")
    student = separated(given.baseline, given)
    each, across = student.second[0].conv1
    assert (each.groups, each.kernel_size, across.kernel_size) == (8, (3, 3), (1, 1))
    assert isinstance(student.second[0].skip, nn.Conv2d), "1×1 is separated already"
    assert count(student) < count(given.baseline)
    assert given.call(student, given.example).shape == given.outputs.shape


def test_nothing_to_drop_or_separate_says_what_to_try():
    given = Workload(nn.Linear(3, 2), example=torch.randn(1, 3))
    with pytest.raises(WorkloadError, match="no block to drop; try student='half-width'"):
        shallower(given.baseline, given)
    with pytest.raises(WorkloadError, match="no convolution to separate"):
        separated(given.baseline, given)
    with pytest.raises(WorkloadError, match="no hidden layer whose width"):
        scaled(given.baseline, given, 0.5)


@pytest.mark.parametrize("kind", ["width", "shallower", "depthwise", "fresh"])
def test_one_seed_makes_one_student_and_leaves_the_teacher_alone(kind):
    given = work("residual")
    before = {name: each.clone() for name, each in given.baseline.state_dict().items()}
    one, same, other = (made(given.baseline, given, Made(kind, 0.5), seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(each, before[name]) for name, each in given.baseline.state_dict().items())
    assert not one.training


@pytest.mark.parametrize(
    ("kind", "spelling"),
    [
        (kind, spelling)
        for kind in ("residual", "tokens", "recurrent", "mlp")
        for spelling in ("width 0.5", "shallower", "fresh")
        if (kind, spelling) != ("recurrent", "shallower")  # one recurrent layer object: nothing to drop
    ],
)
def test_made_students_are_stored_and_come_back(kind, spelling):
    given = work(kind)
    student = Distill(spelling).structure(given.candidate(), Context(given, seed=3))
    again = unpack(pack(student, original=given.baseline), given.baseline).candidate
    assert torch.equal(student.call(given, given.example), again.call(given, given.example))
    assert student.base is None


def test_spellings_of_widths_and_wrong_ones():
    for text in ("width 0.3", "width=0.3", "half-width", "Quarter-width", "width 2"):
        Distill(text)
    for text, line in (
        ("half-widht", "did you mean 'half-width'"),
        ("net2", "write student=net2, no quotes"),
        ("width 0", "a width lies above 0"),
        ("width 30", "for 30 % write 'width 0.3'"),
    ):
        with pytest.raises(OptionError, match=line):
            Distill(text)
    assert Distill(Reference("shallower")) == Distill("shallower")


class Own(nn.Module):
    """A student of a class of its own, with dropout and other layers than the teacher."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 5)
        self.outer = nn.Linear(5, 3)

    def forward(self, x):
        return self.outer(torch.tanh(self.inner(x)))


def taught(recipe="Distill(student=net2, epochs=1)", net2=None):
    torch.manual_seed(0)
    teacher = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    inputs = torch.randn(60, 4)
    data = inputs, inputs[:, :3].argmax(1)
    given = Workload(teacher, data, data, data)
    names = {"net2": net2 if net2 is not None else Own()}
    recipe, candidate = Recipe.of(recipe), given.candidate()
    for step in recipe:
        context = Context(given, names=names)
        candidate = finish(step.apply(candidate, context, prepared(step, candidate, context)))
    packed = pack(candidate, recipe=recipe, original=given.baseline)
    return given, Version.new(
        given, recipe=recipe, seed=0, packed=packed, candidate=candidate, name="student"
    )


def test_a_student_of_its_own_class_is_stored_and_loaded_into_a_new_one(tmp_path):
    given, version = taught("Distill(student=net2, epochs=1) | PruneWeights(sparsity=0.5)")
    wb.save(version, tmp_path / "own.safetensors")
    inputs = torch.randn(6, 4)
    loaded = wb.load(tmp_path / "own.safetensors", Own())
    assert torch.equal(loaded(inputs), version(inputs))
    assert loaded.header.student == "Own" and isinstance(loaded.model, Own)
    with pytest.raises(StorageError, match="student of a class of its own, Own, and no Sequential"):
        wb.load(tmp_path / "own.safetensors", given.model)


def test_a_thinner_student_of_its_own_class_is_told_apart_from_what_was_given(tmp_path):
    _, version = taught("Distill(student=net2, epochs=1) | Factorize(ratio=0.5, where='any')")
    wb.save(version, tmp_path / "own.safetensors")
    inputs = torch.randn(6, 4)
    assert torch.equal(wb.load(tmp_path / "own.safetensors", Own())(inputs), version(inputs))


def test_a_student_made_from_a_teacher_of_another_class_is_a_changed_teacher(tmp_path):
    _, version = taught("Distill('half-width', teacher=net2, epochs=1)")
    wb.save(version, tmp_path / "thin.safetensors")
    inputs = torch.randn(6, 4)
    loaded = wb.load(tmp_path / "thin.safetensors", Own())
    assert torch.equal(loaded(inputs), version(inputs))
    assert isinstance(loaded.model, Own) and loaded.model.inner.out_features == 2


def test_after_a_restart_a_version_says_what_to_define_and_takes_it(tmp_path):
    given, version = taught()
    tree = VersionTree(tmp_path / "versions.sqlite", given)
    tree.add(version)
    tree.close()
    found = VersionTree(tmp_path / "versions.sqlite", given).get(version.name)
    with pytest.raises(StorageError, match=r"define Own and give a new one: version.on\(Own\(\)\)") as error:
        _ = found.candidate
    assert "\n" not in str(error.value)
    inputs = torch.randn(6, 4)
    assert torch.equal(found.on(Own())(inputs), version(inputs))
    assert found.candidate.base is not None
    with pytest.raises(StorageError):
        found.on(nn.Linear(2, 2))


def test_a_student_made_of_torch_layers_needs_no_class():
    given, version = taught(net2=nn.Sequential(nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 3)))
    again = unpack(version.packed, given.baseline).candidate
    inputs = torch.randn(6, 4)
    assert torch.equal(again.call(given, inputs), version(inputs)) and not version.header.student


def test_a_students_own_net_is_not_trained_itself():
    net2 = Own()
    before = net2.inner.weight.detach().clone()
    taught(net2=net2)
    assert torch.equal(net2.inner.weight, before)


def test_a_net_given_itself_is_printed_by_its_class_and_used():
    step = Distill(student=Own(), epochs=1)
    assert str(step) == "Distill(student=own, epochs=1)"
    assert step == Distill(student=Reference("own"), epochs=1)
    _, version = taught(step)
    assert isinstance(version.model, Own)


def test_the_teacher_itself_is_no_student():
    given = work("mlp")
    for net in (given.model, given.baseline, nn.Sequential(*given.baseline)):
        with pytest.raises(RecipeError, match="student=net2 is the teacher itself"):
            Distill(Reference("net2")).structure(
                Candidate(given.baseline), Context(given, names={"net2": net})
            )


def test_other_classes_are_refused_with_both_numbers():
    given = work("mlp")
    for step, names in (
        (Distill(Reference("net2")), {"net2": nn.Linear(4, 7)}),
        (Distill("half-width", teacher=Reference("net2")), {"net2": nn.Linear(4, 7)}),
    ):
        with pytest.raises(WorkloadError, match=r"gives 7 outputs and the \w+ 3; give .* 3 as well"):
            step.structure(given.candidate(), Context(given, names=names))
