# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hwgq.compile.emulate import emulate
from hwgq.compile.graph import BIPOLAR, ElementType, Graph
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.errors import UnsupportedLayerError
from tests.compile.graphs import NEVER, random_codes, random_mlp, random_vvau

ENTRIES = {
    "bipolar": BIPOLAR,
    "2-bit": ElementType.unsigned(3),
    "digits": ElementType.unsigned(16),
    "ternary": ElementType.unsigned(2, offset=-1),
    "signed 4-bit": ElementType.unsigned(15, offset=-8),
    "8-bit": ElementType.unsigned(255),
    "narrow": ElementType(bits=4, low=3, high=11, step=4, offset=-7),
}


def single(graph: Graph, thresholds: list[list[int]]) -> Graph:
    layer = next(graph.mvaus())
    graph, key = graph.with_tensor(np.array(thresholds, dtype=np.int64))
    return graph.with_layers({layer.name: dataclasses.replace(layer, thresholds=key)})


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("steps", [1, 3, 7])
@pytest.mark.parametrize("weight_bits", [1, 2, 3, 8])
def test_dot_products_and_popcounts_give_the_same_integers(
    entry: ElementType, steps: int, weight_bits: int
) -> None:
    graph = random_mlp(
        7, (85, 24, 70, 5), entry=entry, steps=steps, weight_bits=weight_bits
    )
    codes = random_codes(graph, 50)
    absorbed = absorb_offsets(graph)
    expected, got = emulate(graph, codes), emulate(absorbed, codes)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)
    logits = absorbed.streams[absorbed.output].type
    assert got[absorbed.output].min() >= logits.low
    assert got[absorbed.output].max() <= logits.high


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("weight_bits", [1, 2, 5])
def test_a_depthwise_layer_gives_the_same_integers(
    entry: ElementType, steps: int, weight_bits: int
) -> None:
    graph = random_vvau(
        7, 6, 9, (2, 1), entry=entry, steps=steps, weight_bits=weight_bits
    )
    codes = random_codes(graph, 20)
    expected, got = (emulate(g, codes) for g in (graph, absorb_offsets(graph)))
    np.testing.assert_array_equal(got["out"], expected["out"])
    assert len(np.unique(got["out"])) > 1


@pytest.mark.parametrize(("columns", "bits"), [(5, 4), (85, 8), (64, 8), (21, 6)])
def test_an_accumulator_grows_only_for_a_never_that_needs_it(
    columns: int, bits: int
) -> None:
    # 3 · 5 = 15, 3 · 21 = 63 and 3 · 85 = 255 fill their bits; 3 · 64 = 192 does not.
    graph = random_mlp(1, (columns, 1), entry=ElementType.unsigned(3), logits=False)
    full = 3 * columns + 1 == 1 << bits
    reachable = next(absorb_offsets(single(graph, [[0, 0, 0]])).mvaus())
    assert reachable.accumulator.bits == bits
    never = absorb_offsets(single(graph, [[0, 0, NEVER]]))
    layer = next(never.mvaus())
    assert layer.accumulator.bits == bits + full
    assert layer.thresholds is not None
    assert never.tensors[layer.thresholds].max() == 3 * columns + 1
    top = emulate(never, random_codes(never, 400))[never.output]
    assert top.max() <= 2


def test_every_threshold_lies_between_always_and_never() -> None:
    graph = random_mlp(3, (6, 4), entry=ElementType.unsigned(3), logits=False)
    graph = absorb_offsets(single(graph, [[-NEVER, -NEVER, NEVER]] * 4))
    layer = next(graph.mvaus())
    assert layer.thresholds is not None
    assert graph.tensors[layer.thresholds].tolist() == [[0, 0, 19]] * 4
    assert set(emulate(graph, random_codes(graph, 20))[graph.output].ravel()) == {2}


def test_the_pass_is_idempotent() -> None:
    graph = absorb_offsets(random_mlp(5, (16, 8, 4)))
    assert absorb_offsets(graph).layers == graph.layers


@pytest.mark.parametrize(
    ("entry", "logits", "message"),
    [
        (ElementType.signed(-2, 1), False, "layer0: its input is in two's complement"),
        (ElementType.unsigned(3, step=3), True, "layer0: emits accumulators .* step 3"),
    ],
)
def test_an_input_that_no_datapath_takes_is_refused(
    entry: ElementType, logits: bool, message: str
) -> None:
    graph = random_mlp(5, (16, 4), entry=ElementType.unsigned(3), logits=logits)
    image = dataclasses.replace(graph.streams["image"], type=entry)
    graph = graph.replace(streams={**graph.streams, "image": image})
    with pytest.raises(UnsupportedLayerError, match=message):
        absorb_offsets(graph)


@pytest.mark.parametrize("weight_bits", [1, 3])
def test_exchangeable_widths_do_for_any_training(weight_bits: int) -> None:
    def widths(seed: int, *, exchangeable: bool) -> tuple[int, ...]:
        # 5 columns of 2 bits sum up to 15: a threshold never reached takes 5 bits.
        graph = random_mlp(seed, (7, 5, 9, 6), weight_bits=weight_bits)
        graph = absorb_offsets(graph, exchangeable=exchangeable)
        accumulators = (layer.accumulator.bits for layer in graph.mvaus())
        return (*accumulators, graph.streams[graph.output].type.bits)

    (widest,) = {widths(seed, exchangeable=True) for seed in range(40)}
    needed = {widths(seed, exchangeable=False) for seed in range(40)}
    assert len(needed) > 1
    assert all(n <= w for width in needed for n, w in zip(width, widest, strict=True))
