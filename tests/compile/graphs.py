# SPDX-License-Identifier: Apache-2.0
"""Graphs for tests, made by hand or from a seed, as the front end would make them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hwgq.compile.cost import Lanes
from hwgq.compile.graph import ElementType, Graph, IntArray, Mvau, Stream, Vvau
from hwgq.compile.passes import fold
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.passes.place_memories import place_memories
from hwgq.compile.passes.size_fifos import size_fifos
from hwgq.compile.popcount import Weights, corrections, popcount_bounds

NEVER = np.iinfo(np.int64).max


def random_weights(
    rng: np.random.Generator, shape: tuple[int, int], bits: int = 1
) -> Weights:
    """Draw signs, or integers in two's complement of several bits."""
    if bits == 1:
        return rng.random(shape) < 0.5
    return rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)


def dot_bounds(
    weights: Weights, element: ElementType, bits: int = 1
) -> tuple[IntArray, IntArray]:
    """Smallest and largest dot product of every row."""
    low, high = popcount_bounds(weights, element, bits)
    constant = corrections(weights, element, bits)
    return element.step * low + constant, element.step * high + constant


def random_thresholds(
    rng: np.random.Generator, low: IntArray, high: IntArray, steps: int
) -> IntArray:
    """Thresholds near the middle of the dot products, some never and some always."""
    spread = np.maximum(1, (high - low) // 8)[:, None]
    middle = ((low + high) // 2)[:, None]
    thresholds = middle + rng.integers(-spread, spread + 1, (len(low), steps))
    if steps:
        thresholds[rng.random(len(low)) < 0.05, -1] = NEVER
        thresholds[rng.random(len(low)) < 0.05, 0] = -NEVER
    return np.sort(thresholds, axis=1)


def random_mlp(
    seed: int,
    sizes: Sequence[int],
    *,
    entry: ElementType | None = None,
    steps: int = 3,
    logits: bool = True,
    weight_bits: int = 1,
) -> Graph:
    """Make a chain of random MVAUs in terms of dot products, all lanes 1.

    Parameters
    ----------
    seed
        Of weights and thresholds.
    sizes
        Inputs of the first layer, then the rows of every layer.
    entry
        Type of the input stream; 5-bit levels 0 … 16 unless given.
    steps
        Thresholds per channel of the hidden layers.
    logits
        Whether the last layer emits accumulators.
    weight_bits
        Bits of a weight.
    """
    rng = np.random.default_rng(seed)
    element = entry or ElementType.unsigned(16)
    streams = {"image": Stream(name="image", shape=(sizes[0],), type=element)}
    graph = Graph(layers=(), streams=streams, input="image", output="image")
    last = len(sizes) - 2
    for i, (columns, rows) in enumerate(pairwise(sizes)):
        count = 0 if logits and i == last else steps
        graph, fields, kind = draw_products(
            graph, rng, (rows, columns), weight_bits, count
        )
        name = f"layer{i}"
        ends = {"name": name, "inputs": (graph.output,), "outputs": (f"{name}.out",)}
        layer = Mvau(**ends, **fields, rows=rows, columns=columns)
        out = Stream(name=f"{name}.out", shape=(rows,), type=kind)
        graph = graph.with_stream(out).replace(
            layers=(*graph.layers, layer), output=out.name
        )
    return graph


def random_vvau(
    seed: int,
    channels: int,
    taps: int,
    lanes: tuple[int, int],
    *,
    entry: ElementType | None = None,
    steps: int = 3,
    weight_bits: int = 1,
) -> Graph:
    """Make a random VVAU of (PE, SIMD) lanes alone, in terms of dot products.

    Its frames are of 2 by 3 pixels.
    """
    rng = np.random.default_rng(seed)
    pe, simd = lanes
    image = Stream(
        name="image",
        shape=(2, 3, channels // pe, 1, taps, pe),
        type=entry or ElementType.unsigned(3),
        beat=pe * simd,
    )
    graph = Graph(layers=(), streams={"image": image}, input="image", output="image")
    graph, fields, kind = draw_products(
        graph, rng, (channels, taps), weight_bits, steps
    )
    ends = {"name": "depthwise", "inputs": ("image",), "outputs": ("out",)}
    layer = Vvau(**ends, **fields, channels=channels, taps=taps, pe=pe, simd=simd)
    out = Stream(name="out", shape=(2, 3, channels), type=kind, beat=pe)
    return graph.with_stream(out).replace(layers=(layer,), output="out")


def draw_products(
    graph: Graph,
    rng: np.random.Generator,
    shape: tuple[int, int],
    weight_bits: int,
    steps: int,
) -> tuple[Graph, dict[str, Any], ElementType]:
    """Draw what a layer of dot products has, and find what it emits."""
    element = graph.streams[graph.output].type
    weights = random_weights(rng, shape, weight_bits)
    low, high = dot_bounds(weights, element, weight_bits)
    accumulator = ElementType.signed(int(low.min()), int(high.max()))
    graph, weight_key = graph.with_tensor(weights)
    threshold_key = None
    if steps:
        thresholds = random_thresholds(rng, low, high, steps)
        graph, threshold_key = graph.with_tensor(thresholds)
    fields = {
        "weights": weight_key,
        "weight_bits": weight_bits,
        "thresholds": threshold_key,
        "accumulator": accumulator,
    }
    return graph, fields, ElementType.unsigned(steps) if steps else accumulator


def random_codes(graph: Graph, frames: int, seed: int = 0) -> IntArray:
    """Draw input frames; the first two are all lowest and all highest."""
    entry = graph.streams[graph.input]
    rng = np.random.default_rng(seed)
    shape = (frames, *entry.shape)
    codes = rng.integers(entry.type.low, entry.type.high + 1, shape)
    codes[:1], codes[1:2] = entry.type.low, entry.type.high
    return codes


def with_lanes(graph: Graph, lanes: Sequence[tuple[int, int]]) -> Graph:
    """Set (PE, SIMD) of the MVAUs, in order."""
    names = (layer.name for layer in graph.mvaus())
    chosen = {n: Lanes(*pair) for n, pair in zip(names, lanes, strict=True)}
    return fold.with_lanes(graph, chosen)


def placed(graph: Graph, lanes: Sequence[tuple[int, int]]) -> Graph:
    """Take a random graph through all passes, with these lanes."""
    return finished(with_lanes(absorb_offsets(graph), lanes))


def finished(graph: Graph) -> Graph:
    """Take a folded graph through the passes behind."""
    return place_memories(size_fifos(insert_width_converters(graph)))


def disagreements(
    expected: Mapping[str, IntArray], got: Mapping[str, IntArray]
) -> dict[str, tuple[int, tuple[int, ...] | None]]:
    """Count the integers of each stream on both sides that differ, and find the first.

    Its index is (frame, *element), or None where all are equal.
    """
    return {
        name: _difference(expected[name], got[name]) for name in expected if name in got
    }


def _difference(a: IntArray, b: IntArray) -> tuple[int, tuple[int, ...] | None]:
    assert a.shape == b.shape
    wrong = np.argwhere(a != b)
    return len(wrong), tuple(int(i) for i in wrong[0]) if len(wrong) else None
