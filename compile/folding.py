# SPDX-License-Identifier: Apache-2.0
"""Choose how many rows and columns of each layer work in parallel.

Every folding of every layer has cycles and a cost (:mod:`hwgq.compile.cost`). "Fastest
that fits" is the smallest number of cycles within which every layer has a folding such
that all of them fit the device together; among those it takes the least latency, the
sum of all layers' cycles. A target in frames per second takes the cheapest foldings
that reach it. The search is exact: layer by layer it drops what is dominated.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
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


class _Option(NamedTuple):
    """A folding of one layer."""

    cycles: int
    lanes: Lanes
    cost: Cost


class _Plan(NamedTuple):
    """Foldings of the first layers: their summed cycles and costs."""

    latency: int
    luts: int
    blocks: int
    lanes: tuple[Lanes, ...]


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
    options = _options(graph, fabric, target.pins)
    if set(options) == set(target.pins):
        # Nothing is left to choose; whether it fits, place and route will tell.
        return {name: listed[0].lanes for name, listed in options.items()}
    fastest = _fastest(list(options.values()), fabric)
    if target.fps is None:
        plan = min(_plans(list(options.values()), fabric, fastest))
    else:
        slowest = int(target.clock_mhz * 1e6 / target.fps)
        if slowest < fastest:
            raise FoldingError(
                "fps",
                f"{target.fps:g} frames/s are out of reach: the best possible is"
                f" {target.clock_mhz * 1e6 / fastest:.0f} at {target.clock_mhz:g} MHz",
                "Ask for less, raise the clock, or choose a larger board",
            )
        plans = _plans(list(options.values()), fabric, slowest)
        plan = min(plans, key=lambda p: fabric.share(Cost(p.luts, p.blocks)))
    return dict(zip(options, plan.lanes, strict=True))


def _options(
    graph: Graph, fabric: Fabric, pins: Mapping[str, Lanes]
) -> dict[str, list[_Option]]:
    layers = {n.name: n for n in graph.layers if isinstance(n, Mvau | Thresholding)}
    for name in pins:
        if name not in layers:
            listed = ", ".join(layers)
            raise FoldingError(name, "no such layer", f"Choose one of {listed}")
    return {
        name: [
            _Option(
                _cycles(graph, layer, lanes),
                lanes,
                layer_cost(graph, layer, lanes, fabric),
            )
            for lanes in (
                [_checked(layer, pins[name])] if name in pins else _legal(layer)
            )
        ]
        for name, layer in layers.items()
    }


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


def _fastest(options: Sequence[Sequence[_Option]], fabric: Fabric) -> int:
    """Find the fewest cycles a frame for which everything fits."""
    tried = sorted({option.cycles for listed in options for option in listed})
    first = bisect_left(tried, True, key=lambda n: bool(_plans(options, fabric, n)))
    if first < len(tried):
        return tried[first]
    luts = sum(min(o.cost.luts for o in listed) for listed in options)
    blocks = sum(min(o.cost.blocks for o in listed) for listed in options)
    raise FoldingError(
        "network",
        f"does not fit: it needs at least {luts} LUTs and {blocks} block RAMs, and more"
        f" of one for less of the other; {fabric.luts} and {fabric.blocks} may be used",
        "Choose a larger board, or make the layers smaller",
    )


def _plans(
    options: Sequence[Sequence[_Option]], fabric: Fabric, cycles: int
) -> list[_Plan]:
    """List the foldings of all layers within `cycles` that fit and are not dominated.

    A plan is dominated by one that is no worse in latency, LUTs and block RAMs.
    """
    plans = [_Plan(0, 0, 0, ())]
    for listed in options:
        plans = _undominated(
            [
                _extended(plan, option)
                for plan in plans
                for option in listed
                if option.cycles <= cycles
            ],
            fabric,
        )
    return plans


def _extended(plan: _Plan, option: _Option) -> _Plan:
    return _Plan(
        plan.latency + option.cycles,
        plan.luts + option.cost.luts,
        plan.blocks + option.cost.blocks,
        (*plan.lanes, option.lanes),
    )


def _undominated(plans: list[_Plan], fabric: Fabric) -> list[_Plan]:
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
