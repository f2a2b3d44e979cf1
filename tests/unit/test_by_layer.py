"""Two models layer by layer: the same names meet, what was split counts as one, what is gone is said."""

from __future__ import annotations

import small
from torch import nn

from workbench.candidate import Candidate
from workbench.measurement.by_layer import full_rank, pairs, ranks
from workbench.measurement.compute import LayerRecord, layers
from workbench.panels.state.points import layers as shown
from workbench.recipe import Recipe


def record(name: str, kind: str = "Linear", shape: tuple[int, ...] = (4, 4), count: int = 16) -> LayerRecord:
    return LayerRecord(name, kind, shape, count, count, 32, 4 * count, count)


def test_thin_layers_count_as_the_layer_they_were_made_of():
    before = [record("conv", "Conv2d"), record("fc1", shape=(20, 50), count=1000)]
    now = [record("conv", "Conv2d"), record("fc1.0", shape=(2, 50), count=100), record("fc1.1", count=40)]
    conv, fc1 = pairs(before, now)
    assert (conv.name, conv.parts, conv.ranks) == ("conv", 1, ())
    assert (fc1.name, fc1.parts, fc1.ranks) == ("fc1", 2, (2,))
    assert (fc1.now.parameters, fc1.now.claimed_bytes, fc1.now.macs) == (140, 560, 140)
    assert fc1.now.kind == "2 thin layers" and fc1.before.parameters == 1000


def test_layers_that_are_gone_come_last_and_new_ones_stand_alone():
    found = pairs([record("a"), record("b")], [record("b"), record("c")])
    assert [(each.name, each.before is None, each.now is None) for each in found] == [
        ("b", False, False),
        ("c", True, False),
        ("a", False, True),
    ]


def test_ranks_are_what_is_passed_on():
    tucker = [record("c.0", "Conv2d", (3, 8, 1, 1)), record("c.1", "Conv2d", (5, 3, 3, 3)), record("c.2")]
    assert ranks(tucker) == (3, 5)
    assert ranks([record("e.0", "Embedding", (100, 7)), record("e.1", shape=(16, 7))]) == (7,)
    assert ranks([record("fc")]) == ()
    assert full_rank((16, 1, 3, 3)) == 9 and full_rank((10,)) is None


def test_bits_of_thin_layers_are_weighed_by_their_weights():
    eight = LayerRecord("fc.0", "Linear", (1, 30), 30, 30, 8, 30, None)
    (fc,) = pairs([record("fc")], [eight, record("fc.1", count=10)])
    assert fc.now.bits == (8 * 30 + 32 * 10) / 40 and fc.now.macs is None


def test_what_a_recipe_did_is_seen_beside_the_original():
    from workbench.preview import Previewer

    work = small.workload(small.net(nn.ReLU(), hidden=32))
    before = layers(Candidate(work.baseline), work)
    recipe = Recipe.parse("Factorize(ratio=0.5, where='any', worth=0) | Quantize(weights=4)")
    now = layers(Previewer(work).candidate(recipe), work)
    first, last = shown(before, now)
    assert first.parts == 2 and first.ranks == (3,) and first.original_rank == 6
    assert first.bits == 4 and first.original_bits == 32
    assert first.kept_bytes < first.original_bytes and last.original_parameters == 3 * 32 + 3


def test_another_net_has_nothing_to_be_compared_with():
    (only,) = shown([record("a")], [record("b")])
    assert only.name == "b" and only.original_parameters is None and not only.is_removed
