# SPDX-License-Identifier: Apache-2.0
"""Choose how many rows and columns of each layer work in parallel.

Every folding of every layer has cycles and a cost (:mod:`hwgq.compile.cost`). "Fastest
that fits" is the smallest number of cycles within which every layer has a folding such
that all of them fit the device together; among those it takes the least latency, the
sum of all layers' cycles. A target in frames per second takes the cheapest foldings
that reach it. The search is exact: layer by layer it drops what is dominated.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from hwgq.compile.cost import Cost, Fabric, Lanes, layer_cost
from hwgq.compile.graph import Graph, Layer, Mvau, Thresholding, divisors
from hwgq.errors import FoldingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a folding is to reach.

    Parameters
    ----------
    fps
        Frames per second that the core must reach; None asks for the fastest that fits.
    clock_mhz
        Clock of the core.
    pins
        Lanes that the user fixed, by layer name.
    """

    fps: float | None = None
    clock_mhz: float
    pins: Mapping[str, Lanes] = field(default_factory=lambda: MappingProxyType({}))


class _Plan(NamedTuple):
    """Foldings of one or more layers: their cycles and costs, summed."""

    latency: int
    luts: int
    blocks: int
    lanes: tuple[Lanes, ...]


_Options = Sequence[Sequence[_Plan]]


def choose_lanes(graph: Graph, fabric: Fabric, target: Target) -> dict[str, Lanes]:
    """Choose the lanes of every layer.

    Parameters
    ----------
    graph
        A graph whose offsets are absorbed.
    fabric
        What may be spent.
    target
        What is to be reached.

    Returns
    -------
    Lanes by layer name; those of a thresholding are (PE, PE).

    Raises
    ------
    FoldingError
        If a pin is illegal, the network does not fit, or the target cannot be met.
    """
    layers = {n.name: n for n in graph.layers if isinstance(n, Mvau | Thresholding)}
    _check_names(target.pins, layers)
    options = [
        [_plan(graph, layer, lanes, fabric) for lanes in _allowed(layer, target.pins)]
        for layer in layers.values()
    ]
    if all(len(listed) == 1 for listed in options):
        # Nothing is left to choose; whether it fits, place and route will tell.
        chosen = [listed[0].lanes[0] for listed in options]
    else:
        chosen = list(_search(options, fabric, target).lanes)
    return dict(zip(layers, chosen, strict=True))


def _check_names(pins: Mapping[str, Lanes], layers: Mapping[str, Layer]) -> None:
    for name in pins:
        if name not in layers:
            listed = ", ".join(layers)
            raise FoldingError(name, "no such layer", f"Choose one of {listed}")


def _allowed(layer: Mvau | Thresholding, pins: Mapping[str, Lanes]) -> Iterable[Lanes]:
    return [_checked(layer, pins[layer.name])] if layer.name in pins else _legal(layer)


def _plan(
    graph: Graph, layer: Mvau | Thresholding, lanes: Lanes, fabric: Fabric
) -> _Plan:
    cost = layer_cost(graph, layer, lanes, fabric)
    return _Plan(_cycles(graph, layer, lanes), cost.luts, cost.blocks, (lanes,))


def _legal(layer: Mvau | Thresholding) -> Iterator[Lanes]:
    if isinstance(layer, Thresholding):
        return (Lanes(pe, pe) for pe in divisors(layer.channels))
    pairs = product(divisors(layer.rows), divisors(layer.columns))
    return (Lanes(*pair) for pair in pairs)


def _checked(layer: Mvau | Thresholding, lanes: Lanes) -> Lanes:
    """Refuse a pinned folding that does not divide its layer."""
    if isinstance(layer, Thresholding):
        sizes = {"PE": (lanes.pe, layer.channels, "channels")}
    else:
        sizes = {
            "PE": (lanes.pe, layer.rows, "rows"),
            "SIMD": (lanes.simd, layer.columns, "columns"),
        }
    for word, (number, size, of) in sizes.items():
        if number not in divisors(size):
            listed = ", ".join(map(str, divisors(size)))
            problem = f"{word}={number} does not divide {size} {of}"
            raise FoldingError(layer.name, problem, f"Choose one of {listed}")
    return lanes if isinstance(layer, Mvau) else Lanes(lanes.pe, lanes.pe)


def _cycles(graph: Graph, layer: Layer, lanes: Lanes) -> int:
    if isinstance(layer, Mvau):
        return (layer.rows // lanes.pe) * (layer.columns // lanes.simd)
    return graph.streams[layer.inputs[0]].elements // lanes.pe


def _search(options: _Options, fabric: Fabric, target: Target) -> _Plan:
    """Find the plan of all layers that meets the target best."""
    fastest = _fastest(options, fabric)
    if target.fps is None:
        return min(_plans(_within(options, fastest), fabric))
    slowest = int(target.clock_mhz * 1e6 / target.fps)
    if slowest < fastest:
        raise FoldingError(
            "fps",
            f"{target.fps:g} frames/s are out of reach: the best possible is"
            f" {target.clock_mhz * 1e6 / fastest:.0f} at {target.clock_mhz:g} MHz",
            "Ask for less, raise the clock, or choose a larger board",
        )
    plans = _plans(_timeless(_within(options, slowest)), fabric)
    return min(plans, key=lambda p: fabric.share(Cost(p.luts, p.blocks)))


def _fastest(options: _Options, fabric: Fabric) -> int:
    """Find the fewest cycles a frame for which everything fits."""

    def fits(cycles: int) -> bool:
        return bool(_plans(_timeless(_within(options, cycles)), fabric))

    tried = sorted({option.latency for listed in options for option in listed})
    first = bisect_left(tried, True, key=fits)
    if first < len(tried):
        return tried[first]
    # A layer's cheapest folding by LUTs, as they are what runs out.
    least = [min(listed, key=lambda o: o[1:]) for listed in options]
    luts, blocks = sum(p.luts for p in least), sum(p.blocks for p in least)
    raise FoldingError(
        "network",
        f"does not fit: at its smallest it takes about {luts} LUTs and {blocks} block"
        f" RAMs, of which {fabric.luts} and {fabric.blocks} may be used",
        "Choose a larger board, or make the layers smaller",
    )


def _within(options: _Options, cycles: int) -> _Options:
    return [[o for o in listed if o.latency <= cycles] for listed in options]


def _timeless(options: _Options) -> _Options:
    """Forget latencies, where costs alone matter: far fewer plans remain."""
    return [[o._replace(latency=0) for o in listed] for listed in options]


def _plans(options: _Options, fabric: Fabric) -> list[_Plan]:
    """List the plans of all layers that fit and are not dominated.

    A plan is dominated by one that is no worse in latency, LUTs and block RAMs.
    """
    plans = [_Plan(0, 0, 0, ())]
    for listed in options:
        good = _undominated(listed, fabric)
        plans = _undominated(
            (_joined(plan, option) for plan in plans for option in good), fabric
        )
    return plans


def _joined(plan: _Plan, option: _Plan) -> _Plan:
    return _Plan(
        plan.latency + option.latency,
        plan.luts + option.luts,
        plan.blocks + option.blocks,
        plan.lanes + option.lanes,
    )


def _undominated(plans: Iterable[_Plan], fabric: Fabric) -> list[_Plan]:
    """Keep the plans that fit and that no other one dominates."""
    kept = []
    # Fewest LUTs so far among plans of as many block RAMs or less.
    least = [fabric.luts + 1] * (fabric.blocks + 1)
    for plan in sorted(plans):
        if plan.blocks <= fabric.blocks and plan.luts < least[plan.blocks]:
            kept.append(plan)
            for blocks in range(plan.blocks, fabric.blocks + 1):
                least[blocks] = min(least[blocks], plan.luts)
    return kept
