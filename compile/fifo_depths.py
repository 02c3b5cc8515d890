# SPDX-License-Identifier: Apache-2.0
"""Find the smallest FIFOs with which a chain keeps its pace.

Frames come once per II. Where FIFOs never fill, what waits in them then is bounded, and
FIFOs of that depth change nothing. From there each is made as small as it may be, the
largest first; whether the chain keeps its pace is tried on the token model
(:mod:`hwgq.compile.schedule`), which runs until everything repeats and so gives the II
exactly. A source that is faster cannot slow the chain down.
"""

from collections.abc import Mapping, Sequence
from math import ceil

from hwgq.compile.graph import Graph, WidthConverter
from hwgq.compile.modules import Module, modules_of
from hwgq.compile.schedule import Schedule, initiation_interval, run, with_fifos
from hwgq.compile.token_steps import UNBOUNDED

#: Frames after which a schedule has settled; most repeat after four or five.
_FRAMES = 24
#: Depths are no more than the smallest and one part in so many.
_EXACT = 50


def fifo_depths(graph: Graph) -> dict[str, int]:
    """Find the FIFO that each stream needs.

    Parameters
    ----------
    graph
        A chain whose streams have their final beats, with its width converters and
        without FIFOs.

    Returns
    -------
    Depths by stream; streams that need none are left out.

    Raises
    ------
    UnsupportedLayerError
        If there is no hardware for a layer, or the graph is no chain.
    """
    return _Search(graph).depths()


class _Search:
    """Tries of one chain.

    Parameters
    ----------
    graph
        The chain.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._modules: list[Module] = modules_of(graph)
        self._inner = tuple(layer.inputs[0] for layer in graph.layers[1:])
        self._pace = initiation_interval(graph)
        # A window whose lines are short would keep the chain from this pace for ever.
        freely = self._run(dict.fromkeys(self._inner, UNBOUNDED))
        self._pace = max(self._pace, ceil(freely.interval))

    def depths(self) -> dict[str, int]:
        """Find the depth of the FIFO on each stream; none where it is left out."""
        depths = self._waiting(self._sides())
        small = sorted(depths, key=lambda name: self._bits(name, depths[name]))
        depths = self._without(depths, small)
        for name in sorted(depths, key=lambda n: -self._bits(n, depths[n])):
            depths[name] = self._smallest(name, depths)
        return {name: depth for name, depth in depths.items() if depth}

    def _without(self, depths: dict[str, int], names: Sequence[str]) -> dict[str, int]:
        """Leave out what may be left out of these FIFOs, together where possible."""
        fewer = {name: depth for name, depth in depths.items() if name not in names}
        if not names or self._keeps_pace(fewer):
            return fewer
        if len(names) == 1:
            return depths
        half = len(names) // 2
        depths = self._without(depths, names[:half])
        return self._without(depths, names[half:])

    def _smallest(self, name: str, depths: Mapping[str, int]) -> int:
        """Halve the range in which the smallest depth lies, to a part of it."""
        below, enough = 0, depths[name]
        while enough - below > 1 + below // _EXACT:
            tried = (below + enough) // 2
            if self._keeps_pace({**depths, name: tried}):
                enough = tried
            else:
                below = tried
        return enough

    def _bits(self, name: str, depth: int) -> int:
        return depth * self._graph.streams[name].width

    def _sides(self) -> dict[str, int]:
        """Choose on which side of each width converter beats may wait.

        On the narrower side they take less room. But from there the converter fills one
        wide beat at a time, and a reader that wants several in a row may fall behind.
        """
        free = dict.fromkeys(self._inner, UNBOUNDED)
        for layer in self._graph.layers:
            if not isinstance(layer, WidthConverter):
                continue
            ends = (layer.inputs[0], layer.outputs[0])
            narrow, wide = sorted(ends, key=lambda n: self._graph.streams[n].width)
            if not free.keys() >= {narrow, wide}:
                continue
            without = {name: depth for name, depth in free.items() if name != wide}
            if self._keeps_pace(without):
                free = without
            else:
                del free[narrow]
        return free

    def _waiting(self, free: Mapping[str, int]) -> dict[str, int]:
        """Find depths at which no FIFO ever refuses a beat."""
        return dict(self._run(free).waiting)

    def _keeps_pace(self, depths: Mapping[str, int]) -> bool:
        found = self._run(depths)
        return found.settled and found.interval <= self._pace

    def _run(self, depths: Mapping[str, int]) -> Schedule:
        modules = with_fifos(self._graph, self._modules, depths)
        return run(self._graph, modules, frames=_FRAMES, pace=self._pace, stop=True)
