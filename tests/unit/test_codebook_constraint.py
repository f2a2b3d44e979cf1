"""Codebooks as constraints: what a weight becomes, and how the shared values learn."""

from __future__ import annotations

import torch
from small import net, workload

from workbench.candidate import Candidate
from workbench.constraints import Codebook, Constraints, Grid, Mask, as_float16
from workbench.job import finish
from workbench.training import Training


def codebook(shape: tuple[int, ...], values: torch.Tensor) -> Codebook:
    codes = torch.arange(torch.Size(shape).numel()).reshape(shape) % len(values)
    return Codebook(values, codes.to(torch.uint8))


def shared(model: torch.nn.Module, values: torch.Tensor) -> Candidate:
    """The two layers of a small net on one codebook."""
    shapes = {name: tuple(model.get_parameter(name).shape) for name in ("0.weight", "2.weight")}
    return Candidate.of(model).constrained({name: codebook(s, values) for name, s in shapes.items()})


def test_a_weight_takes_the_value_its_code_names():
    book = Codebook(torch.tensor([-0.5, 0.25]), torch.tensor([[0, 1], [1, 1]], dtype=torch.uint8))
    assert torch.equal(book(torch.zeros(2, 2)), torch.tensor([[-0.5, 0.25], [0.25, 0.25]]))


def test_values_are_those_that_float16_holds():
    book = codebook((2, 3), torch.tensor([0.1, -1e9, -1e-12]))
    weight = book(torch.zeros(2, 3))
    assert torch.equal(weight, weight.half().float())
    assert torch.equal(book.shared, torch.tensor([0.0999755859375, -65504.0, 0.0]))
    assert not torch.signbit(weight[0, 2])  # one zero only: the file has one


def test_each_value_gets_the_summed_gradient_of_its_weights():
    values = torch.tensor([0.5, -0.5], requires_grad=True)
    book = Codebook(values, torch.tensor([0, 1, 0], dtype=torch.uint8))
    (book(torch.zeros(3)) * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert values.grad.tolist() == [101.0, 10.0]


def test_removed_weights_give_no_gradient():
    values = torch.tensor([0.5, -0.5], requires_grad=True)
    book = Codebook(values, torch.tensor([0, 1, 0], dtype=torch.uint8))
    chain = Constraints().adding({"w": Mask(torch.tensor([True, True, False]))}).adding({"w": book})
    chain.constrain("w", torch.zeros(3)).sum().backward()
    assert values.grad.tolist() == [1.0, 1.0]


def test_masks_come_after_codebooks():
    chain = Constraints().adding({"w": Mask(torch.tensor([True, False]))})
    chain = chain.adding({"w": Codebook(torch.tensor([0.5]), torch.zeros(2, dtype=torch.uint8))})
    assert [type(each) for each in chain["w"]] == [Codebook, Mask]
    assert chain.constrain("w", torch.ones(2)).tolist() == [0.5, 0.0]


def test_of_grid_and_codebook_the_later_one_stays_and_it_is_said():
    candidate = shared(net(), torch.tensor([-0.5, 0.5]))
    rounded = candidate.constrained({"0.weight": Grid(4, torch.tensor(0.25))})
    assert [type(each) for each in rounded.constraints["0.weight"]] == [Grid]
    assert [type(each) for each in rounded.constraints["2.weight"]] == [Codebook]
    assert set(rounded.model.get_parameter("0.weight").unique().tolist()) == {-0.5, 0.5}
    assert rounded.notes == ("Codebook ended: Grid took its place",)


def test_training_moves_values_and_keeps_who_shares_them():
    values = torch.tensor([-0.4, -0.1, 0.1, 0.4])
    candidate = shared(net(), values)
    before = {name: candidate.constraints.of(name, Codebook).codes.clone() for name in candidate.constraints}
    work = workload(net())
    trained = finish(Training(epochs=2, learning_rate=0.05).steps(candidate, work))
    books = [trained.constraints.of(name, Codebook) for name in trained.constraints]
    assert books[0].values is books[1].values, "one codebook stays one"
    assert not torch.equal(books[0].values, values)
    assert torch.equal(values, torch.tensor([-0.4, -0.1, 0.1, 0.4])), "the candidate given is not changed"
    for name, book in zip(trained.constraints, books, strict=True):
        weight = trained.model.get_parameter(name)
        assert torch.equal(book.codes, before[name])
        assert torch.equal(weight, book.shared[book.codes.long()])
        assert torch.equal(trained.free(name), weight)


def test_a_model_codebook_learns_from_all_layers_at_once():
    values = torch.tensor([-0.3, 0.3])
    candidate = shared(net(), values)
    work = workload(net())
    inputs, targets = work.train.first()
    leaf = values.clone().requires_grad_()
    constraints = candidate.constraints.replacing({id(values): leaf})
    weights = {n: constraints.constrain(n, candidate.free(n)) for n in constraints}
    outputs = torch.func.functional_call(candidate.model, weights, (inputs,))
    (expected,) = torch.autograd.grad(work.loss(outputs, targets), leaf)
    by_layer = []
    for name in candidate.constraints:
        weight = candidate.model.get_parameter(name).detach().clone().requires_grad_()
        outputs = torch.func.functional_call(candidate.model, {name: weight}, (inputs,))
        (gradient,) = torch.autograd.grad(work.loss(outputs, targets), weight)
        codes = candidate.constraints.of(name, Codebook).codes.long()
        by_layer.append(torch.zeros(2).index_add_(0, codes.flatten(), gradient.flatten()))
    torch.testing.assert_close(expected, by_layer[0] + by_layer[1])


def test_as_float16_is_its_own_fixed_point():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(as_float16(as_float16(values)), as_float16(values))
