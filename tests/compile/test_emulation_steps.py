# SPDX-License-Identifier: Apache-2.0
"""Emulation carries what the definitions of the layers say, on every stream."""

import itertools

import numpy as np
import pytest

from hwgq.compile.emulate import emulate
from hwgq.compile.graph import (
    BIPOLAR,
    ElementType,
    Graph,
    Pool,
    SlidingWindow,
    Stream,
    SumPool,
    Thresholding,
    Window,
)
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from tests.compile.by_definition import by_definition
from tests.compile.graphs import disagreements, random_codes, random_mlp, random_vvau
from tests.compile.image_graphs import (
    Conv,
    Dense,
    Depthwise,
    MaxPool,
    PixelSum,
    random_cnn,
)

LEVELS = ElementType.unsigned(3)
ENTRIES = {
    "bipolar": BIPOLAR,
    "2 bits": LEVELS,
    "3 bits, signed": ElementType.unsigned(7, offset=-4),
    "5 bits": ElementType.unsigned(16),
    "8 bits": ElementType.unsigned(255),
}


def hold(graph: Graph, frames: int = 5) -> None:
    codes = random_codes(graph, frames)
    found = disagreements(by_definition(graph, codes), emulate(graph, codes))
    assert set(found) == {graph.input, *(n.outputs[0] for n in graph.layers)}
    assert set(found.values()) == {(0, None)}


def one_layer(layer, source: Stream, sink: Stream, **tensors) -> Graph:
    streams = {source.name: source, sink.name: sink}
    return Graph(
        layers=(layer,),
        streams=streams,
        input=source.name,
        output=sink.name,
        tensors=tensors,
    )


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("weight_bits", [1, 2, 5])
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_matrix_layers_of_all_sizes(entry, weight_bits, absorbed) -> None:
    sizes, steps = (1, 10, 63, 64, 65, 130, 300), (1, 3, 15)
    for number, (columns, rows) in enumerate(itertools.pairwise(sizes)):
        graph = random_mlp(
            number,
            (columns, rows, 7),
            entry=entry,
            steps=steps[number % 3],
            weight_bits=weight_bits,
        )
        hold(absorb_offsets(graph) if absorbed else graph)


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("weight_bits", [1, 3])
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_depthwise_layers_in_groups_of_all_sizes(entry, weight_bits, absorbed) -> None:
    for number, (channels, pe, steps) in enumerate(
        [(1, 1, 3), (6, 2, 0), (6, 6, 1), (64, 8, 3), (70, 35, 15), (130, 1, 0)]
    ):
        options = {"entry": entry, "steps": steps, "weight_bits": weight_bits}
        graph = random_vvau(number, channels, 9, (pe, 1), **options)
        hold(absorb_offsets(graph) if absorbed else graph)


WINDOWS = {
    "whole rows": Window(input=(5, 6), output=(3, 1), kernel=(3, 6)),
    "padded": Window(input=(5, 6), output=(5, 6), kernel=(3, 3), pad=(1, 1)),
    "strides": Window(input=(7, 6), output=(3, 2), kernel=(2, 3), stride=(2, 3)),
    "dilated, padded, strides": Window(
        input=(7, 6),
        output=(3, 4),
        kernel=(3, 2),
        stride=(2, 1),
        dilation=(2, 3),
        pad=(1, 0),
    ),
    "padded below alone": Window(
        input=(4, 4), output=(3, 3), kernel=(2, 2), stride=(2, 2)
    ),
    "one pixel, padded": Window(input=(1, 1), output=(1, 1), kernel=(3, 3), pad=(1, 1)),
}


@pytest.mark.parametrize("kind", ENTRIES.values(), ids=ENTRIES)
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_windows_of_every_geometry(window, kind) -> None:
    for channels, simd in [(1, 1), (3, 3), (20, 10), (64, 8), (66, 33), (128, 128)]:
        for grouped in (False, True):
            layer = SlidingWindow(
                name="window",
                inputs=("a",),
                outputs=("b",),
                window=window,
                channels=channels,
                pad_code=kind.high // 2,
                grouped=grouped,
                simd=simd,
            )
            source = Stream(name="a", shape=(*window.input, channels), type=kind)
            sink = Stream(name="b", shape=layer.shape_out, type=kind)
            hold(one_layer(layer, source, sink), 3)


@pytest.mark.parametrize("kind", ENTRIES.values(), ids=ENTRIES)
def test_poolings_with_and_without_inverted_channels(kind) -> None:
    rng = np.random.default_rng(0)
    for channels, word, taps in [(1, 1, 4), (6, 3, 2), (64, 64, 9), (130, 10, 4)]:
        ends = {"name": "pool", "inputs": ("a",), "outputs": ("b",)}
        shape = (2, 3, channels // word, 1, taps, word)
        source = Stream(name="a", shape=shape, type=kind)
        sink = Stream(name="b", shape=(2, 3, channels), type=kind)
        for flips in (None, "flips"):
            layer = Pool(**ends, channels=channels, taps=taps, flips=flips)
            hold(one_layer(layer, source, sink, flips=rng.random(channels) < 0.5))


@pytest.mark.parametrize("channels", [1, 6, 70])
def test_sums_of_pixels(channels) -> None:
    for kind in ENTRIES.values():
        total = ElementType.unsigned(6 * kind.high)
        source = Stream(name="a", shape=(2, 3, channels), type=kind)
        sink = Stream(name="b", shape=(1, 1, channels), type=total)
        ends = {"name": "sum", "inputs": ("a",), "outputs": ("b",)}
        layer = SumPool(**ends, channels=channels, pixels=6)
        hold(one_layer(layer, source, sink))


@pytest.mark.parametrize("steps", [1, 3, 255])
@pytest.mark.parametrize("kind", [ElementType.unsigned(600), ElementType.signed(-9, 9)])
def test_thresholds_of_each_channel_and_of_all(kind, steps) -> None:
    rng = np.random.default_rng(steps)
    for channels, shared in itertools.product([1, 6, 70], [False, True]):
        rows = 1 if shared else channels
        thresholds = rng.integers(kind.low - 1, kind.high + 2, (rows, steps))
        source = Stream(name="a", shape=(2, channels), type=kind)
        sink = Stream(name="b", shape=(2, channels), type=ElementType.unsigned(steps))
        ends = {"name": "count", "inputs": ("a",), "outputs": ("b",)}
        layer = Thresholding(**ends, channels=rows, thresholds="t")
        hold(one_layer(layer, source, sink, t=np.sort(thresholds, axis=1)))


NETWORKS = {
    "3 and 20 channels": (Conv(20, 3), MaxPool(2), Conv(70, 3, 1, 1), Dense(10)),
    "64 channels": (Conv(64, 3, 2), Conv(64, 2), PixelSum()),
    "depthwise": (Conv(12, 1), Depthwise(3, 1, 1), Conv(5, 1), PixelSum()),
    "strides": (Conv(6, 5, 3, 2), Depthwise(2, 2), Dense(40), Dense(3)),
}


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("kinds", NETWORKS.values(), ids=NETWORKS)
def test_networks_of_images(kinds, absorbed) -> None:
    graph = random_cnn(1, (9, 10, 3), kinds)
    hold(absorb_offsets(graph) if absorbed else graph)
