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
from hwgq.compile.popcount import popcount_bounds
from hwgq.compile.simulate_rtl import simulate_rtl
from tests.compile.graphs import disagreements, placed, random_codes, random_mlp

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
    assert codes.shape == (6, 2, 3)
    met = coverage(graph, layer, codes)
    # -1 and 16 are no codes.
    assert (met.reachable, met.covered) == (16, 16)
