# SPDX-License-Identifier: Apache-2.0
"""Choose how many rows and columns of each layer work in parallel.

Every folding of every layer has cycles and a cost (:mod:`hwgq.compile.cost`). For a
number of cycles a frame, each layer takes its cheapest folding that is fast enough, so
that the layers are balanced. "Fastest that fits" takes the fewest cycles for which all
of them fit the device together, and spends what is left on latency.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

from hwgq.compile.cost import Cost, Fabric, Lanes, layer_cost
from hwgq.compile.graph import Graph, Layer, Mvau, Thresholding, divisors
from hwgq.errors import FoldingError

#: Weights of block RAM against LUTs, both as shares of the device, that are tried to
#: make a network fit.
_PRICES = (1.0, 0.25, 4.0, 0.0625, 16.0)


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
    cycles: int
    lanes: Lanes
    cost: Cost


_Choice = dict[str, _Option]


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
    fastest, choice = _fastest(options, fabric)
    if target.fps is None:
        choice = _with_less_latency(choice, options, fabric)
    else:
        hertz = target.clock_mhz * 1e6
        if fastest > hertz / target.fps:
            raise FoldingError(
                "fps",
                f"{target.fps:g} frames/s are out of reach: the best possible is"
                f" {hertz / fastest:.0f} at {target.clock_mhz:g} MHz",
                "Ask for less, raise the clock, or choose a larger board",
            )
        slowest = int(hertz / target.fps)
        choice = _fitting(options, fabric, slowest) or choice
    return {name: option.lanes for name, option in choice.items()}


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
    return lanes


def _cycles(graph: Graph, layer: Layer, lanes: Lanes) -> int:
    if isinstance(layer, Mvau):
        return (layer.rows // lanes.pe) * (layer.columns // lanes.simd)
    return graph.streams[layer.inputs[0]].elements // lanes.pe


def _fastest(
    options: Mapping[str, list[_Option]], fabric: Fabric
) -> tuple[int, _Choice]:
    """Find the fewest cycles a frame for which everything fits."""
    for cycles in sorted({o.cycles for listed in options.values() for o in listed}):
        choice = _fitting(options, fabric, cycles)
        if choice is not None:
            return cycles, choice
    least = {n: min(listed, key=lambda o: o.cost.luts) for n, listed in options.items()}
    need = _total(least)
    raise FoldingError(
        "network",
        f"does not fit: it needs at least {need.luts} LUTs and {need.blocks} block RAMs"
        f" of {fabric.luts} and {fabric.blocks} that may be used",
        "Choose a larger board, or make the layers smaller",
    )


def _fitting(
    options: Mapping[str, list[_Option]], fabric: Fabric, cycles: int
) -> _Choice | None:
    """Take each layer's cheapest folding within `cycles`; None if they do not fit."""
    enough = {
        n: [o for o in listed if o.cycles <= cycles] for n, listed in options.items()
    }
    if not all(enough.values()):
        return None
    for price in _PRICES:
        choice = {
            name: min(listed, key=lambda o: (_share(o.cost, fabric, price), o.lanes))
            for name, listed in enough.items()
        }
        if fabric.holds(_total(choice)):
            return choice
    return None


def _with_less_latency(
    choice: _Choice, options: Mapping[str, list[_Option]], fabric: Fabric
) -> _Choice:
    """Spend what is left where it saves the most cycles for its cost."""
    while True:
        upgrades = [
            (name, option)
            for name, listed in options.items()
            for option in listed
            if option.cycles < choice[name].cycles
            and fabric.holds(_total({**choice, name: option}))
        ]
        if not upgrades:
            return choice
        name, option = max(upgrades, key=lambda u: _gain(choice[u[0]], u[1], fabric))
        choice = {**choice, name: option}


def _gain(old: _Option, new: _Option, fabric: Fabric) -> float:
    extra = _share(new.cost, fabric, 1.0) - _share(old.cost, fabric, 1.0)
    return (old.cycles - new.cycles) / max(extra, 1e-6)


def _share(cost: Cost, fabric: Fabric, price: float) -> float:
    return cost.luts / fabric.luts + price * cost.blocks / fabric.blocks


def _total(choice: _Choice) -> Cost:
    costs = [option.cost for option in choice.values()]
    return Cost(sum(c.luts for c in costs), sum(c.blocks for c in costs))
