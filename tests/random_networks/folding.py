# SPDX-License-Identifier: Apache-2.0
"""Fold a random network as its plan says, by choices that the compiler offers."""

from hwgq import boards
from hwgq.compile.fabric import Fabric
from hwgq.compile.folding import Target
from hwgq.compile.graph import Graph, SlidingWindow
from hwgq.compile.lanes import allowed, units_of, with_lanes
from hwgq.compile.passes import fold
from hwgq.compile.schedule import layer_cycles
from tests.random_networks.plan import Folding

CYCLES = 2000
"""Most that a layer may take for a frame where it can be as fast, to bound the time."""
LANES = 600
"""Most of a unit of layers, to bound what Verilator and g++ compile."""
BOARD = "ulx3s-85f"


def folded(graph: Graph, folding: Folding) -> Graph:
    """Give every layer its lanes: drawn ones, or those that the compiler chooses."""
    if not folding.picks:
        fabric = Fabric.of(boards.load(BOARD), quick=False)
        target = Target(fps=1e6 / CYCLES, clock_mhz=1)
        return fold.fold(graph, fabric, target)
    chosen = {}
    for i, unit in enumerate(units_of(graph)):
        options = _affordable(graph, unit)
        lanes = _picked(options, unit, folding.picks[i % len(folding.picks)])
        chosen |= {layer.name: n for layer, n in zip(unit, lanes, strict=True)}
    return fold.with_lanes(graph, chosen)


def _picked(options, unit, pick):
    """Choose lanes: as often below the channels of a window as all of them, or more."""
    kinds = [[], [], []]
    for lanes in options:
        kinds[_kind(unit, lanes)].append(lanes)
    kinds = [kind for kind in kinds if kind]
    place = pick * len(kinds)
    kind = kinds[place // 100]
    return kind[place % 100 * len(kind) // 100]


def _kind(unit, lanes):
    window = unit[0]
    if not isinstance(window, SlidingWindow):
        return 0
    elements = lanes[0].simd if window.grouped else lanes[1].simd
    return (elements >= window.channels) + (elements > window.channels)


def _affordable(graph, unit):
    """List the lanes of a unit that can be simulated, from the fewest to the most."""
    listed = []
    for option in allowed(unit, {}):
        cycles = max(
            layer_cycles(graph, with_lanes(layer, lanes))
            for layer, lanes in zip(unit, option, strict=True)
        )
        lanes = sum(n.pe * n.simd for n in option)
        if len(unit) == 2:  # a window's lanes are one number
            lanes -= option[0].pe * option[0].simd - option[0].simd
        listed.append((lanes, option, cycles))
    listed.sort()
    found = [o for lanes, o, cycles in listed if cycles <= CYCLES and lanes <= LANES]
    return found or [min(listed, key=lambda each: each[0] + each[2])[1]]
