# SPDX-License-Identifier: Apache-2.0
"""Which lanes each layer may have, and what becomes of a layer with them.

Lanes are two numbers, PE and SIMD. Where a layer has only one of them, it is both. A
sliding window goes with the layer that reads it: the two are a unit.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from itertools import product

from hwgq.compile.cost import Lanes
from hwgq.compile.graph import (
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Vvau,
    divisors,
)
from hwgq.compile.line_buffer import rows_held
from hwgq.errors import FoldingError

#: Layers that are folded together, in order.
Unit = tuple[Layer, ...]

_PINNED = (Mvau, Vvau, Thresholding)
_FOLDED = (*_PINNED, SlidingWindow, Pool, SumPool)


def units_of(graph: Graph) -> list[Unit]:
    """Group the layers that have lanes, in order."""
    units: list[Unit] = []
    for layer in graph.layers:
        if not isinstance(layer, _FOLDED):
            continue
        last = units[-1][-1] if units else None
        if isinstance(last, SlidingWindow) and layer.inputs == last.outputs:
            units[-1] = (last, layer)
        else:
            units.append((layer,))
    return units


def pinnable(graph: Graph) -> list[str]:
    """List the layers whose lanes a user may fix; those of others follow."""
    return [layer.name for layer in graph.layers if isinstance(layer, _PINNED)]


def with_lanes(layer: Layer, lanes: Lanes) -> Layer:
    """Give a layer its lanes, and a sliding window the rows that it then holds."""
    match layer:
        case Mvau() | Vvau() | Pool():
            return dataclasses.replace(layer, pe=lanes.pe, simd=lanes.simd)
        case Thresholding() | SumPool():
            return dataclasses.replace(layer, pe=lanes.pe)
        case SlidingWindow():
            depth = rows_held(layer.window, layer.channels, lanes.simd)
            return dataclasses.replace(layer, simd=lanes.simd, depth=depth)
    return layer


def beat_written(layer: Layer) -> int:
    """Count the elements of a beat that a layer writes."""
    match layer:
        case SlidingWindow():
            return layer.simd
        case Mvau() | Vvau() | Pool() | Thresholding() | SumPool():
            return layer.pe
    raise AssertionError(layer)


def allowed(unit: Unit, pins: Mapping[str, Lanes]) -> list[tuple[Lanes, ...]]:
    """List the lanes that the layers of a unit may have together.

    Raises
    ------
    FoldingError
        If a pin is none of them.
    """
    layer = unit[-1]
    if len(unit) == 1:
        return [(lanes,) for lanes in _pinned(layer, _legal(layer), pins)]
    window = unit[0]
    assert isinstance(window, SlidingWindow)
    if window.grouped:
        # The order of its elements depends on its beats, and must be the reader's.
        widths = {_split(n, window.channels): n for n in _beats(window)}
        return [
            (Lanes(widths[lanes], widths[lanes]), lanes)
            for lanes in _pinned(layer, widths, pins)
        ]
    readers = _pinned(layer, _legal(layer), pins)
    return [(Lanes(n, n), lanes) for n in _beats(window) for lanes in readers]


def _split(beat: int, channels: int) -> Lanes:
    """Split a beat of a grouped window into channels and taps."""
    pe = min(beat, channels)
    return Lanes(pe, beat // pe)


def _beats(window: SlidingWindow) -> list[int]:
    """List the beats that a sliding window can write."""
    channels, (_, columns) = window.channels, window.window.kernel
    wide = (channels * columns, channels * window.window.taps)
    return sorted({*divisors(channels), *wide})


def _sizes(layer: Layer) -> dict[str, tuple[int, str]]:
    """Give what PE and SIMD must divide, and its name."""
    match layer:
        case Mvau():
            return {"PE": (layer.rows, "rows"), "SIMD": (layer.columns, "columns")}
        case Vvau() | Pool():
            return {"PE": (layer.channels, "channels"), "SIMD": (layer.taps, "taps")}
        case Thresholding() | SumPool():
            return {"PE": (layer.channels, "channels")}
    raise AssertionError(layer)


def _legal(layer: Layer) -> Iterable[Lanes]:
    if isinstance(layer, SlidingWindow):
        return [Lanes(n, n) for n in _beats(layer)]
    sizes = [divisors(size) for size, _ in _sizes(layer).values()]
    if len(sizes) == 1:
        return [Lanes(n, n) for n in sizes[0]]
    pairs = [Lanes(*pair) for pair in product(*sizes)]
    if isinstance(layer, Vvau | Pool):
        # Without a window before it all channels of a tap come together.
        return [n for n in pairs if layer.taps == 1 or n.pe == layer.channels]
    return pairs


def _pinned(
    layer: Layer, legal: Iterable[Lanes], pins: Mapping[str, Lanes]
) -> Iterable[Lanes]:
    """Keep of the legal lanes what the user allows."""
    if layer.name not in pins:
        return legal
    sizes = _sizes(layer)
    lanes = pins[layer.name]
    for (word, (size, of)), number in zip(sizes.items(), lanes, strict=False):
        if number not in divisors(size):
            listed = ", ".join(map(str, divisors(size)))
            problem = f"{word}={number} does not divide {size} {of}"
            raise FoldingError(layer.name, problem, f"Choose one of {listed}")
    if len(sizes) == 1:
        return [Lanes(lanes.pe, lanes.pe)]
    if lanes not in legal:
        listed = ", ".join(f"{pe} and {simd}" for pe, simd in legal)
        problem = f"PE={lanes.pe} and SIMD={lanes.simd} do not go together"
        raise FoldingError(layer.name, problem, f"Choose one of {listed}")
    return [lanes]
