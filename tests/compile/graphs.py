# SPDX-License-Identifier: Apache-2.0
"""Graphs for tests, made by hand or from a seed, as the front end would make them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from hwgq.compile.cost import Lanes
from hwgq.compile.graph import ElementType, Graph, IntArray, Mvau, Stream
from hwgq.compile.passes import fold
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.passes.place_memories import place_memories
from hwgq.compile.passes.size_fifos import size_fifos
from hwgq.compile.popcount import BoolArray, corrections, popcount_bounds

NEVER = np.iinfo(np.int64).max


def dot_bounds(weights: BoolArray, element: ElementType) -> tuple[IntArray, IntArray]:
    """Smallest and largest dot product of every row."""
    low, high = popcount_bounds(weights, element)
    constant = corrections(weights, element)
    return element.step * low + constant, element.step * high + constant


def random_thresholds(
    rng: np.random.Generator, weights: BoolArray, element: ElementType, steps: int
) -> IntArray:
    """Thresholds near the middle of the dot products, some never and some always."""
    low, high = dot_bounds(weights, element)
    spread = np.maximum(1, (high - low) // 8)[:, None]
    middle = ((low + high) // 2)[:, None]
    thresholds = middle + rng.integers(-spread, spread + 1, (len(weights), steps))
    if steps:
        thresholds[rng.random(len(weights)) < 0.05, -1] = NEVER
        thresholds[rng.random(len(weights)) < 0.05, 0] = -NEVER
    return np.sort(thresholds, axis=1)


def random_mlp(
    seed: int,
    sizes: Sequence[int],
    *,
    entry: ElementType | None = None,
    steps: int = 3,
    logits: bool = True,
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
    """
    rng = np.random.default_rng(seed)
    element = entry or ElementType.unsigned(16)
    streams = {"image": Stream(name="image", shape=(sizes[0],), type=element)}
    graph = Graph(layers=(), streams=streams, input="image", output="image")
    last = len(sizes) - 2
    for i, (columns, rows) in enumerate(pairwise(sizes)):
        weights = rng.random((rows, columns)) < 0.5
        count = 0 if logits and i == last else steps
        graph = _append(graph, rng, f"layer{i}", weights, count)
    return graph


def _append(
    graph: Graph, rng: np.random.Generator, name: str, weights: BoolArray, steps: int
) -> Graph:
    element = graph.streams[graph.output].type
    low, high = dot_bounds(weights, element)
    accumulator = ElementType.signed(int(low.min()), int(high.max()))
    graph, weight_key = graph.with_tensor(weights)
    threshold_key = None
    if steps:
        thresholds = random_thresholds(rng, weights, element, steps)
        graph, threshold_key = graph.with_tensor(thresholds)
    rows, columns = weights.shape
    layer = Mvau(
        name=name,
        inputs=(graph.output,),
        outputs=(f"{name}.out",),
        rows=rows,
        columns=columns,
        weights=weight_key,
        thresholds=threshold_key,
        accumulator=accumulator,
    )
    out = Stream(
        name=f"{name}.out",
        shape=(rows,),
        type=ElementType.unsigned(steps) if steps else accumulator,
    )
    return graph.replace(
        layers=(*graph.layers, layer),
        streams={**graph.streams, out.name: out},
        output=out.name,
    )


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
