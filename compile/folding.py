# SPDX-License-Identifier: Apache-2.0
"""Choose how many rows and columns of each layer work in parallel.

Every folding of every unit of layers (:mod:`hwgq.compile.lanes`) has cycles and a cost
(:mod:`hwgq.compile.cost`). "Fastest that fits" is the smallest number of cycles within
which every unit has a folding such that all of them fit the device together; among
those it takes the least latency, the sum of all units' cycles. A target in frames per
second takes the cheapest foldings that reach it. The search is exact: unit by unit it
drops what is dominated; only of very many plans it keeps some of each cost.

The slowest module is a matrix layer, unless none can be as slow as some other module
at its fastest. What lies between them costs little, and must not waste what they cost.
So the cycles of a frame are those of some matrix layer, and a window that cannot be as
fast, however wide, is a limit to all of them.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from hwgq.compile.cost import Lanes, added, arrival_cost, own_cost
from hwgq.compile.fabric import Cost, Fabric
from hwgq.compile.graph import Graph, Mvau, Vvau
from hwgq.compile.lanes import Unit, allowed, pinnable, units_of, with_lanes
from hwgq.compile.plans import Option, Plan, combined
from hwgq.compile.schedule import layer_cycles
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
    Lanes by layer name; where a layer has one number of them, it is both.

    Raises
    ------
    FoldingError
        If a pin is illegal, the network does not fit, or the target cannot be met.
    """
    names = pinnable(graph)
    for name in target.pins:
        if name not in names:
            listed = ", ".join(names)
            raise FoldingError(name, "no such layer", f"Choose one of {listed}")
    units = units_of(graph)
    options = [_options(graph, unit, fabric, target.pins) for unit in units]
    limit = Cost(fabric.luts, fabric.blocks)
    if target.pins.keys() >= set(names):
        # Whether what the user chose fits, place and route will tell.
        limit = added(
            Cost(*map(max, zip(*costs, strict=True)))
            for costs in ([(o.luts, o.blocks) for o in listed] for listed in options)
        )
    search = _Search(units, options, limit, fabric, _slowest(graph))
    plan = search.fastest() if target.fps is None else search.reaching(target)
    layers = [layer.name for unit in units for layer in unit]
    lanes = [lanes for option in plan.options for lanes in option.lanes]
    return dict(zip(layers, lanes, strict=True))


def _slowest(graph: Graph) -> int:
    """Count the cycles of the slowest matrix layer, with one lane."""
    return max(
        (
            layer_cycles(graph, with_lanes(layer, Lanes(1, 1)))
            for layer in graph.layers
            if isinstance(layer, Mvau | Vvau)
        ),
        default=0,
    )


def _options(
    graph: Graph, unit: Unit, fabric: Fabric, pins: Mapping[str, Lanes]
) -> list[Option]:
    """List the foldings of a unit, with their cycles and costs."""
    listed = allowed(unit, pins)
    known = {
        (i, lanes): (
            layer_cycles(graph, with_lanes(unit[i], lanes)),
            own_cost(graph, unit[i], lanes, fabric),
        )
        for i, lanes in {pair for choice in listed for pair in enumerate(choice)}
    }
    found = []
    for choice in listed:
        cycles, costs = [], []
        for i, lanes in enumerate(choice):
            each, own = known[i, lanes]
            cycles.append(each)
            costs.append(own)
            if unit[i].inputs[0] != graph.input:
                beat = choice[i - 1].simd if i else 0
                costs.append(arrival_cost(graph, unit[i], lanes, fabric, beat))
        last = isinstance(unit[-1], Mvau | Vvau)
        matrix = cycles[-1] if last else 0
        rest = max(cycles[: len(cycles) - last], default=0)
        found.append(Option(matrix, rest, *added(costs), choice))
    return found


class _Search:
    """Find plans of all units.

    Parameters
    ----------
    units, options
        The units, and the foldings of each.
    limit
        What they may cost together.
    fabric
        The device.
    slowest
        Cycles of the slowest matrix layer, with one lane.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        options: Sequence[Sequence[Option]],
        limit: Cost,
        fabric: Fabric,
        slowest: int,
    ) -> None:
        self._units, self._options = units, options
        self._limit, self._fabric = limit, fabric
        cycles = {o.matrix for listed in options for o in listed} - {0}
        if not cycles:
            cycles = {o.rest for listed in options for o in listed}
        # A small matrix layer is faster than a large window, whatever its lanes.
        rest = max((min(o.rest for o in listed) for listed in options), default=0)
        if rest > slowest:
            cycles.add(rest)
        self._cycles = sorted(cycles)

    def fastest(self) -> Plan:
        """Find the plan of the least latency among those of the fewest cycles."""
        return self._plan(self._fewest(), timeless=False, key=lambda plan: plan)

    def reaching(self, target: Target) -> Plan:
        """Find the cheapest plan that reaches so many frames per second."""
        assert target.fps is not None
        rate = target.clock_mhz * 1e6
        slowest, fewest = int(rate / target.fps), self._fewest()
        if slowest < fewest:
            raise FoldingError(
                "fps",
                f"{target.fps:g} frames/s are out of reach: the best possible is"
                f" {int(rate / fewest)} at {target.clock_mhz:g} MHz",
                "Ask for less, raise the clock, or choose a larger board",
            )
        return self._plan(slowest, timeless=True, key=self._share)

    def _share(self, plan: Plan) -> float:
        return self._fabric.share(Cost(plan.luts, plan.blocks))

    def _fewest(self) -> int:
        """Find the fewest cycles a frame of a matrix layer for which all fits."""

        def fits(cycles: int) -> bool:
            return bool(combined(self._within(cycles), self._limit, timeless=True))

        self._check_pins()
        first = bisect_left(self._cycles, True, key=fits)
        if first < len(self._cycles):
            return self._cycles[first]
        # A unit's cheapest folding by LUTs, as they are what runs out.
        least = [min(listed, key=lambda o: o[2:]) for listed in self._options]
        luts, blocks = sum(o.luts for o in least), sum(o.blocks for o in least)
        raise FoldingError(
            "network",
            f"does not fit: at its smallest it takes about {luts} LUTs and {blocks}"
            f" block RAMs, of which {self._limit.luts} and {self._limit.blocks} may be"
            " used",
            "Choose a larger board, or make the layers smaller",
        )

    def _check_pins(self) -> None:
        """Refuse pins with which a module that is no matrix layer is the slowest."""
        for unit, listed in zip(self._units, self._options, strict=True):
            rest = min(option.rest for option in listed)
            if rest > self._cycles[-1]:
                raise FoldingError(
                    unit[0].name,
                    f"takes {rest} cycles a frame at its widest, but the slowest matrix"
                    f" layer as pinned {self._cycles[-1]}",
                    f"Pin a layer to lanes with which it takes {rest} cycles or more",
                )

    def _plan(
        self, cycles: int, *, timeless: bool, key: Callable[[Plan], float | Plan]
    ) -> Plan:
        """Find the best plan within so many cycles.

        Where another module than a matrix layer is the slowest of it, some matrix layer
        is made slower, but not slower than asked for.
        """
        plans = combined(self._within(cycles), self._limit, timeless=timeless)
        best = min(plans, key=key)
        for slower in reversed([0, *(n for n in self._cycles if n <= cycles)]):
            if best.rest <= best.matrix or not best.matrix or not slower:
                break
            plans = self._anchored(slower, timeless=timeless)
            if plans:
                best = min(plans, key=key)
        return best

    def _anchored(self, cycles: int, *, timeless: bool) -> list[Plan]:
        """List plans in which a matrix layer takes exactly so many cycles."""
        options = self._within(cycles)
        plans = []
        for i, listed in enumerate(options):
            slow = [option for option in listed if option.matrix == cycles]
            if slow:
                tried = [*options[:i], slow, *options[i + 1 :]]
                plans += combined(tried, self._limit, timeless=timeless)
        return plans

    def _within(self, cycles: int) -> list[list[Option]]:
        return [
            [o for o in listed if o.matrix <= cycles and o.rest <= cycles]
            for listed in self._options
        ]
