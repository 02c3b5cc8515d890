# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.boundary import (
    boundary_layers,
    boundary_vectors,
    coverage,
    isolate,
)
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import BIPOLAR, ElementType, Graph, Mvau, Stream, Thresholding
from hwgq.compile.netlist import write_rtl
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.popcount import popcount_bounds
from hwgq.compile.simulate_rtl import simulate_rtl
from tests.compile.graphs import (
    disagreements,
    placed,
    random_codes,
    random_mlp,
    random_vvau,
)

ENTRIES = {
    "bipolar": BIPOLAR,
    "2-bit": ElementType.unsigned(3),
    "digits": ElementType.unsigned(16),
    "8-bit": ElementType.unsigned(255),
    "narrow": ElementType(bits=4, low=3, high=11, step=4, offset=-7),
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("steps", [1, 3, 7])
def test_every_reachable_side_is_met(entry: ElementType, steps: int) -> None:
    graph = placed(
        random_mlp(7, (85, 24, 9), entry=entry, steps=steps), [(4, 17), (3, 4)]
    )
    (layer,) = boundary_layers(graph)
    codes = boundary_vectors(graph, layer)
    assert codes.min() >= entry.low
    assert codes.max() <= entry.high
    met = coverage(graph, layer, codes)
    assert met.covered == met.reachable
    # Each threshold has two sides; those of "never" and "always" have one.
    assert 24 * steps * 2 - 24 * 2 < met.reachable <= 24 * steps * 2


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("weight_bits", [2, 3, 5, 8])
@pytest.mark.parametrize("columns", [3, 85])
def test_wide_weights_meet_every_side_that_can_be_met(
    entry: ElementType, weight_bits: int, columns: int
) -> None:
    graph = absorb_offsets(
        random_mlp(7, (columns, 24), entry=entry, logits=False, weight_bits=weight_bits)
    )
    (layer,) = boundary_layers(graph)
    codes = boundary_vectors(graph, layer)
    assert codes.min() >= entry.low
    assert codes.max() <= entry.high
    met = coverage(graph, layer, codes)
    assert met.covered == met.reachable > 0
    # Nothing that random inputs meet is thought to be out of reach.
    several = np.concatenate([codes, random_codes(graph, 2000)])
    assert coverage(graph, layer, several) == met


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize(("weight_bits", "lanes"), [(1, (2, 1)), (3, (6, 3))])
def test_channels_of_a_depthwise_layer_share_frames(
    entry: ElementType, weight_bits: int, lanes: tuple[int, int], tmp_path: Path
) -> None:
    graph = absorb_offsets(
        random_vvau(5, 6, 9, lanes, entry=entry, weight_bits=weight_bits)
    )
    (layer,) = boundary_layers(graph)
    codes = boundary_vectors(graph, layer)
    assert codes.shape == (6, 6 // lanes[0], 9, lanes[0])
    met = coverage(graph, layer, codes)
    assert met.covered == met.reachable > 20
    if entry == ENTRIES["2-bit"]:
        alone = isolate(graph, layer)
        write_rtl(alone, tmp_path)
        got = simulate_rtl(alone, tmp_path, codes).codes["out"]
        np.testing.assert_array_equal(got, emulate(alone, codes)["out"])


def test_a_layer_of_many_vectors_is_met_one_vector_a_frame() -> None:
    graph = placed(random_mlp(8, (12, 5), logits=False, weight_bits=2), [(5, 4)])
    (layer,) = boundary_layers(graph)
    expected = boundary_vectors(graph, layer)
    assert expected.shape[1:] == (12,)
    image = dataclasses.replace(graph.streams["image"], shape=(2, 2, 1, 3, 4))
    out = dataclasses.replace(graph.streams["layer0.out"], shape=(2, 2, 5))
    images = graph.with_stream(image).with_stream(out)
    np.testing.assert_array_equal(boundary_vectors(images, layer), expected)
    alone = isolate(images, layer)
    assert alone.streams["image"].shape == (12,)
    assert alone.streams["layer0.out"].shape == (5,)
    assert emulate(alone, expected)["layer0.out"].shape == (len(expected), 5)


def test_images_alone_leave_thresholds_untried() -> None:
    graph = placed(random_mlp(7, (64, 64, 10)), [(4, 16), (1, 4)])
    (layer,) = boundary_layers(graph)
    met = coverage(graph, layer, random_codes(graph, 50))
    assert met.covered < met.reachable


def shifted(graph: Graph, row: int, step: int) -> Graph:
    """Move one threshold by one."""
    (layer,) = boundary_layers(graph)
    assert isinstance(layer, Mvau)
    assert layer.thresholds is not None
    thresholds = graph.tensors[layer.thresholds].copy()
    _, high = popcount_bounds(graph.tensors[layer.weights], graph.streams["image"].type)
    thresholds[row, step] += -1 if thresholds[row, step] > high[row] else 1
    graph, key = graph.with_tensor(thresholds)
    return graph.with_layers({layer.name: dataclasses.replace(layer, thresholds=key)})


@pytest.mark.parametrize("step", [0, 1, 2])
def test_any_threshold_off_by_one_is_seen(step: int) -> None:
    # A "never" becomes another "never" when it rises, so it falls.
    graph = placed(random_mlp(8, (64, 16, 10)), [(4, 16), (1, 4)])
    (layer,) = boundary_layers(graph)
    codes = boundary_vectors(graph, layer)
    alone = isolate(graph, layer)
    expected = emulate(alone, codes)
    for row in range(layer.rows):
        got = emulate(shifted(alone, row, step), codes)
        count, first = disagreements(expected, got)["layer0.out"]
        assert count > 0
        assert first is not None
        assert first[1] == row


def test_a_layer_alone_gives_the_same_levels_in_rtl(tmp_path: Path) -> None:
    graph = placed(random_mlp(9, (64, 30, 24, 10)), [(5, 8), (2, 15), (1, 6)])
    for layer in boundary_layers(graph):
        alone = isolate(graph, layer)
        codes = boundary_vectors(graph, layer)
        write_rtl(alone, tmp_path / layer.name)
        got = simulate_rtl(alone, tmp_path / layer.name, codes).codes
        np.testing.assert_array_equal(
            got[alone.output], emulate(alone, codes)[alone.output]
        )


def test_a_thresholding_is_met_channel_by_channel() -> None:
    stream = Stream(name="a", shape=(2, 3), type=ElementType.unsigned(15), beat=3)
    layer = Thresholding(
        name="t", inputs=("a",), outputs=("b",), channels=3, thresholds="k", pe=3
    )
    graph = Graph(
        layers=(layer,),
        streams={"a": stream, "b": dataclasses.replace(stream, name="b")},
        input="a",
        output="b",
        tensors={"k": np.array([[0, 4, 16], [1, 2, 3], [15, 15, 15]])},
    )
    codes = boundary_vectors(graph, layer)
    assert codes.shape == (6, 3)
    met = coverage(graph, layer, codes)
    # -1 and 16 are no codes.
    assert (met.reachable, met.covered) == (16, 16)
