"""Sparse kernels compute the same, stand only where they won, and the report says which and why."""

from __future__ import annotations

import pytest
import torch
from small import net, workload
from torch import nn

from workbench.charts import break_even as chart
from workbench.errors import RuntimeUnavailable
from workbench.live.still import still
from workbench.measurement.everything import RUNTIMES, measure
from workbench.runtimes import find, pytorch_sparse, runtimes
from workbench.runtimes.sparse_kernels import Trial, break_even, can_be_sparse, crossing, sparse_forward


def sparse(layer: nn.Module, share: float = 0.9) -> nn.Module:
    """The layer with a share of zeros at random."""
    with torch.no_grad():
        for each in layer.parameters():
            if each.ndim > 1:
                each.mul_(torch.rand(each.shape, generator=torch.Generator().manual_seed(0)) > share)
    return layer.eval()


def winning(monkeypatch, speedup: float = 2.0) -> None:
    monkeypatch.setattr("workbench.runtimes.sparse_kernels._speedup", lambda *given: speedup)


LAYERS = [
    (nn.Linear(20, 12), (1, 20)),
    (nn.Linear(20, 12), (7, 20)),
    (nn.Linear(20, 12, bias=False), (2, 3, 20)),
    (nn.Linear(20, 12), (20,)),
    (nn.Conv2d(4, 6, 3), (1, 4, 9, 8)),
    (nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), (3, 4, 9, 8)),
    (nn.Conv2d(4, 6, 1), (2, 4, 5, 5)),
    (nn.Conv2d(4, 6, 1, stride=2, bias=False), (2, 4, 5, 5)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_same_outputs_as_dense(layer, shape):
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    forward, kept_bytes = sparse_forward(sparse(layer))
    found = forward(inputs)
    torch.testing.assert_close(found, layer(inputs), rtol=1e-4, atol=1e-5)
    assert found.is_contiguous()
    assert kept_bytes < 4 * layer.weight.numel()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"),
        nn.Conv1d(4, 4, 3),
        nn.Embedding(4, 4),
        nn.Linear(4, 4).half(),
        nn.ReLU(),
    ],
)
def test_there_is_no_kernel_for_everything(layer):
    assert not can_be_sparse(layer)


def test_it_is_a_runtime_of_its_own_and_not_asked_unless_named():
    assert list(runtimes())[:2] == ["pytorch", "pytorch-sparse"]
    assert "pytorch-sparse" not in RUNTIMES


def test_where_it_wins_the_layer_is_sparse_and_the_model_stays_as_it_was(monkeypatch):
    winning(monkeypatch)
    model = sparse(net(hidden=32))
    before = vars(model[0]).copy()
    inputs = torch.randn(4, 6)
    made = find("pytorch-sparse").prepare(model, inputs)
    assert made.notes[0].startswith("sparse kernels in 0 (")
    torch.testing.assert_close(made.run(), model(inputs), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.outputs(inputs[:1]), model(inputs[:1]), rtol=1e-4, atol=1e-5)
    assert vars(model[0]).keys() == before.keys() and "forward" not in vars(model[0])
    dense = find("pytorch").prepare(model, inputs)
    assert made.artefact_bytes < dense.artefact_bytes


def test_where_it_loses_everything_stays_dense_and_one_sentence_says_so(monkeypatch):
    winning(monkeypatch, 0.5)
    made = find("pytorch-sparse").prepare(sparse(net(hidden=32)), torch.randn(1, 6))
    (note,) = made.notes
    assert note.startswith("sparse kernels win nowhere on this machine: 0 (9") and "0.5×" in note


def test_a_dense_model_is_not_tried():
    made = find("pytorch-sparse").prepare(net().eval(), torch.randn(1, 6))
    assert made.notes == ("no layer has 50% zeros or more: every kernel is dense",)


def test_kernels_that_compute_something_else_are_refused(monkeypatch):
    winning(monkeypatch)

    def wrong(name, module, inputs, clock):
        return Trial(name, 0.9, 2.0), lambda given: module.weight.new_zeros(len(given), module.out_features)

    monkeypatch.setattr(pytorch_sparse, "try_out", wrong)
    with pytest.raises(RuntimeUnavailable, match="other outputs"):
        find("pytorch-sparse").prepare(sparse(net(hidden=32), 0.6), torch.randn(1, 6))


@pytest.mark.parametrize(("speedup", "words"), [(3.0, "which leaves them out"), (0.5, "are no faster here")])
def test_the_report_names_the_layers_and_the_sentence_tells(monkeypatch, speedup, words):
    from dataclasses import replace

    winning(monkeypatch, speedup)
    model = sparse(net(hidden=64))
    report = measure(workload(net(hidden=64)), model, runtimes=("pytorch-sparse",), seconds=0.05)
    assert any(note.startswith("sparse kernels ") for note in report.notes)
    latency = replace(report.latency["pytorch-sparse"], speedup=speedup)
    assert words in replace(report, latency={"pytorch-sparse": latency}).sentence


# ---- break-even --------------------------------------------------------------------------------------------


def test_the_crossing_is_the_share_from_which_on_all_win():
    trials = [
        Trial("fc", share, speedup) for share, speedup in ((0.5, 1.2), (0.8, 0.7), (0.9, 1.1), (0.95, 2))
    ]
    assert crossing(trials) == 0.9
    assert crossing(trials[:2]) is None
    assert crossing([]) is None


def test_break_even_times_the_shares_it_is_asked_for():
    trials = break_even(64, 64, sparsities=(0.5, 0.9))
    assert [round(each.sparsity, 2) for each in trials] == [0.5, 0.9]
    assert all(each.speedup > 0 for each in trials)


@pytest.mark.slow
def test_on_a_wide_layer_nearly_empty_sparse_wins():
    assert break_even(1024, 1024, sparsities=(0.995,))[0].speedup > 1


def test_the_chart_shows_every_layer_and_where_it_wins():
    timed = {
        "fc1": [Trial("fc1", 0.5, 0.4), Trial("fc1", 0.9, 1.5)],
        "fc2": [Trial("fc2", 0.5, 0.2), Trial("fc2", 0.9, 0.8)],
    }
    assert chart.summary(timed) == "Sparse against dense kernels. fc1: faster from 90% zeros. fc2: no win."
    drawn = chart.rows(timed)
    assert [row["name"] for row in drawn if row["kind"] == "end"] == ["fc1", "fc2"]
    picture = still(chart.chart(), drawn)
    assert "fc1" in picture and "share of zeros" in picture
    assert chart.rows({}) == [{"kind": "hint", "hint": "Nothing was timed"}]
