# SPDX-License-Identifier: Apache-2.0
"""When every beat of a chain moves: the hardware to the cycle, without its data.

What a module does when depends on no data, so that the headers of `hw_templates/rtl`
say all of it; :mod:`hwgq.compile.token_model` follows these contracts. The model and
the RTL agree to the cycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from hwgq.compile import token_model
from hwgq.compile.graph import (
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Vvau,
)
from hwgq.compile.modules import Module, fifo, modules_of
from hwgq.compile.token_layout import lay_out
from hwgq.compile.token_steps import FIFO, UNBOUNDED


@dataclass(frozen=True, slots=True)
class Schedule:
    """When frames leave a chain of modules.

    Parameters
    ----------
    first_output
        Cycle of the first beat of the first frame; the source's is offered in cycle 0.
    ends
        Cycle of the last beat of each frame.
    interval
        Cycles from a frame to the next, once they have settled; infinite if no second
        one comes.
    settled
        Whether the modules were found doing the same again, so that `interval` holds
        for ever.
    waiting
        By stream, what a FIFO behind it must hold to refuse none of the beats of these
        frames; only streams that have one.
    """

    first_output: int
    ends: tuple[int, ...]
    interval: float
    settled: bool
    waiting: Mapping[str, int]

    @property
    def latency(self) -> int:
        """Cycles until the first frame has left."""
        return self.ends[0] + 1


def initiation_interval(graph: Graph) -> int:
    """Count the cycles from one frame to the next: those of the slowest layer."""
    return max(layer_cycles(graph, layer) for layer in graph.layers)


def layer_cycles(graph: Graph, layer: Layer) -> int:
    """Count the cycles that a layer needs for a frame by itself."""
    streams = [graph.streams[name] for name in (*layer.inputs, *layer.outputs)]
    match layer:
        case Mvau():
            return layer.cycles * (streams[0].elements // layer.columns)
        case Vvau():
            return layer.cycles * (streams[0].elements // (layer.channels * layer.taps))
        case SlidingWindow():
            return layer.cycles
        case Pool():
            return streams[0].elements // (layer.pe * layer.simd)
        case SumPool() | Thresholding():
            return streams[0].elements // layer.pe
    return max(stream.beats for stream in streams)


def simulate(
    graph: Graph, *, frames: int = 6, pace: int = 0, unbounded: bool = False
) -> Schedule:
    """Run frames through the modules of a graph.

    Parameters
    ----------
    graph
        A chain whose streams have their final beats, with its width converters.
    frames
        Frames to wait for.
    pace
        Cycles from one frame of the source to the next, at least; by default it always
        has another beat.
    unbounded
        Whether each stream between two layers is given a FIFO that never fills.

    Raises
    ------
    UnsupportedLayerError
        If there is no hardware for a layer, or the graph is no chain.
    """
    modules = modules_of(graph)
    if unbounded:
        inner = {name for layer in graph.layers[1:] for name in layer.inputs}
        modules = with_fifos(graph, modules, dict.fromkeys(inner, UNBOUNDED))
    return run(graph, modules, frames=frames, pace=pace)


def run(
    graph: Graph,
    modules: list[Module],
    *,
    frames: int,
    pace: int = 0,
    stop: bool = False,
) -> Schedule:
    """Run frames through modules; `stop` ends it once everything repeats."""
    names = [*(module.reads for module in modules), graph.output]
    layout = lay_out(modules, [graph.streams[name].beats for name in names], frames)
    trace = token_model.run(layout, frames=frames, pace=pace, stop=stop)
    return Schedule(
        trace.first,
        tuple(int(end) for end in trace.ends),
        _interval(trace, stop=stop),
        trace.period is not None,
        {
            module.reads: int(peak)
            for module, peak in zip(modules, trace.peaks, strict=True)
            if module.kind == FIFO
        },
    )


def _interval(trace: token_model.Trace, *, stop: bool) -> float:
    ends = trace.ends
    if trace.period is not None:
        first, last = trace.period
    elif trace.stuck or len(ends) < 2:
        return inf
    else:
        last = len(ends) - 1
        # It was stopped because the last frames are too slow, all of them equally.
        first = last - 1 if stop else last // 2
    return float(ends[last] - ends[first]) / (last - first)


def with_fifos(
    graph: Graph, modules: list[Module], depths: Mapping[str, int]
) -> list[Module]:
    """Put a FIFO of the given depth behind each of these streams."""
    found = []
    for module in modules:
        if depths.get(module.reads):
            found.append(fifo(graph.streams[module.reads], depths[module.reads]))
        found.append(module)
    return found
