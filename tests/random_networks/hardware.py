# SPDX-License-Identifier: Apache-2.0
"""Which bins of features the folded hardware of a plan covers."""

from collections.abc import Iterator
from itertools import product

from hwgq.compile.graph import Fifo, Graph, Mvau, SlidingWindow, Vvau, WidthConverter
from tests.random_networks import features
from tests.random_networks.plan import Convolution, Linear, Plan

SIMDS = ("SIMD below C", "SIMD equal to C", "SIMD above C")
BEATS = ("part of a pixel", "a pixel", "a row of the kernel", "the kernel")
FOLDINGS = ("PE 1", "PE below the rows", "PE all rows")
PAUSES = ("no pauses", "some pauses", "most cycles paused")

BINS = frozenset(
    [
        ", ".join(bin_)
        for bin_ in product(
            features.KINDS, features.STRIDES, features.PADS, features.WEIGHTS, SIMDS
        )
    ]
    + [f"RTL: {kind}, {simd}" for kind in features.KINDS for simd in SIMDS]
    + [f"RTL: window, beats of {beat}" for beat in BEATS]
    + [f"RTL: {kind}, {pe}" for kind in ("matrix", "depthwise") for pe in FOLDINGS]
    + [f"RTL: {end}, {pauses}" for end in ("source", "sink") for pauses in PAUSES]
    + [f"RTL: {lanes} lanes" for lanes in ("the compiler's", "drawn")]
    + ["RTL: width converter", "RTL: FIFO"]
)
"""All of them; those of RTL count networks that went there."""
ALL_BINS = features.BINS | BINS


def hardware_features(plan: Plan, graph: Graph, *, rtl: bool) -> set[str]:
    """Name the bins that a folded graph covers."""
    found = set(_products(plan, graph, rtl))
    if rtl:
        found |= {f"RTL: {name}" for name in _rtl(plan, graph)}
    return found


def _products(plan: Plan, graph: Graph, rtl: bool) -> Iterator[str]:
    steps = (pair for pair in plan.trace() if isinstance(pair[0], Convolution | Linear))
    layers = (layer for layer in graph.layers if isinstance(layer, Mvau | Vvau))
    for (step, shape), layer in zip(steps, layers, strict=True):
        if isinstance(step, Linear):
            continue
        kind = features.KINDS[step.depthwise]
        lanes = layer.pe * layer.simd if isinstance(layer, Vvau) else layer.simd
        simd = SIMDS[(lanes >= shape[0]) + (lanes > shape[0])]
        place = step.place
        where = features.stride(place), features.pad(place), features.weights(step)
        yield ", ".join((kind, *where, simd))
        if rtl:
            yield f"RTL: {kind}, {simd}"


def _rtl(plan: Plan, graph: Graph) -> Iterator[str]:
    folding = plan.folding
    for end, share in (("source", folding.source), ("sink", folding.sink)):
        yield f"{end}, {PAUSES[(share > 0) + (share > 40)]}"
    yield "drawn lanes" if folding.picks else "the compiler's lanes"
    for layer in graph.layers:
        match layer:
            case Mvau(pe=pe, rows=rows):
                yield f"matrix, {_part(pe, rows)}"
            case Vvau(pe=pe, channels=channels):
                yield f"depthwise, {_part(pe, channels)}"
            case SlidingWindow(simd=simd, channels=channels, window=window):
                beyond = (channels, channels * window.kernel[1])
                number = (simd >= channels) + sum(simd > n for n in beyond)
                yield f"window, beats of {BEATS[number]}"
            case WidthConverter():
                yield "width converter"
            case Fifo():
                yield "FIFO"


def _part(pe: int, rows: int) -> str:
    return FOLDINGS[(pe > 1) + (pe == rows > 1)]
