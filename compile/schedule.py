# SPDX-License-Identifier: Apache-2.0
"""When every beat of a chain moves: the hardware, cycle by cycle, without its data.

What a module does when depends on no data, so that the headers of `hw_templates/rtl`
say all of it; :mod:`hwgq.compile.token_model` steps modules by these contracts. The
model and the RTL agree to the cycle.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import gcd, inf
from typing import NamedTuple

import numpy as np

from hwgq.compile import token_model
from hwgq.compile.graph import (
    Fifo,
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    Stream,
    SumPool,
    Thresholding,
    Vvau,
    WidthConverter,
)
from hwgq.errors import UnsupportedLayerError

#: Bits up to which a FIFO is made of registers (REGISTER_BITS of `hwgq_fifo`).
REGISTER_BITS = 128
#: Beats of a FIFO that never fills.
UNBOUNDED = 1 << 40


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
        By stream, what a FIFO behind it must hold to refuse none of its beats; only
        streams that have one.
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


class Module(NamedTuple):
    """A module of the hardware, as :mod:`hwgq.compile.token_model` knows it.

    Parameters
    ----------
    kind
        Kind of the module.
    values
        Its parameters A … F.
    delay
        Cycles from the beat that completes a result to the result's way into the output
        FIFO; 0 where there is none.
    places
        Places of the output FIFO.
    rows
        For each row that a window writes, the rows of a frame that must be there, and
        those that are freed behind it.
    reads
        The stream that it reads.
    width
        Bits of a beat that it writes.
    """

    kind: int
    values: tuple[int, ...]
    delay: int = 0
    places: int = 0
    rows: tuple[tuple[int, int], ...] = ()
    reads: str = ""
    width: int = 0

    @property
    def block(self) -> bool:
        """Whether the FIFO in it is a block RAM."""
        depth = self.values[0] if self.kind == token_model.FIFO else self.places
        return depth > 2 and depth * self.width > REGISTER_BITS


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
    params = np.zeros((len(modules), token_model.PARAMETERS), dtype=np.int64)
    rows: list[tuple[int, int]] = []
    for param, module in zip(params, modules, strict=True):
        values = module.values
        if module.rows:
            values = (*values, len(rows), len(module.rows))
            rows += module.rows
        param[: token_model.A] = module.kind, module.delay, module.places, module.block
        param[token_model.A : token_model.A + len(values)] = values
    trace = token_model.run(
        params,
        np.array(rows, dtype=np.int64).reshape(-1, 2),
        (graph.streams[graph.input].beats, graph.streams[graph.output].beats),
        frames=frames,
        limit=4
        * (frames + len(modules))
        * (max(pace, initiation_interval(graph)) + 100),
        pace=pace,
        stop=stop,
    )
    return Schedule(
        trace.first,
        tuple(int(end) for end in trace.ends),
        _interval(trace, stop=stop),
        trace.period is not None,
        {
            module.reads: int(peak)
            for module, peak in zip(modules, trace.peaks, strict=True)
            if module.kind == token_model.FIFO
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


def fifo(stream: Stream, depth: int) -> Module:
    """Describe a FIFO behind a stream."""
    kind = token_model.FIFO
    return Module(kind, (depth,), reads=stream.name, width=stream.width)


def modules_of(graph: Graph) -> list[Module]:
    """Describe the modules of a chain, in order.

    Raises
    ------
    UnsupportedLayerError
        If there is no hardware for a layer, or the graph is no chain.
    """
    return list(_modules(graph))


def _modules(graph: Graph) -> Iterator[Module]:
    last = graph.input
    for layer in graph.layers:
        if layer.inputs != (last,) or len(layer.outputs) != 1:
            raise _unsupported(layer)
        yield _module(graph, layer)
        (last,) = layer.outputs


def _unsupported(layer: Layer) -> UnsupportedLayerError:
    return UnsupportedLayerError(
        layer.name,
        f"there is no hardware for this {type(layer).__name__}",
        "Emulate the network, or change it to a chain of quantized layers",
    )


def _module(graph: Graph, layer: Layer) -> Module:
    source, sink = graph.streams[layer.inputs[0]], graph.streams[layer.outputs[0]]
    match layer:
        case Mvau() | Vvau():
            module = _matrix(layer, source)
        case SlidingWindow():
            module = _window(layer)
        case WidthConverter():
            common = gcd(source.beat, sink.beat)
            values = (source.beat // common, sink.beat // common)
            module = Module(token_model.CONVERTER, values)
        case Fifo():
            module = Module(token_model.FIFO, (layer.depth,))
        case _:
            module = _reducer(layer)
    return module._replace(reads=source.name, width=sink.width)


def _reducer(layer: Layer) -> Module:
    """Describe a module that reads all the time, and now and then has a result."""
    match layer:
        case Thresholding():
            return _activated(token_model.REDUCE, (1, 1), delay=2)
        case Pool():
            beats, levels = layer.taps // layer.simd, _clog2(layer.simd)
            places = (levels + 3 + beats) // beats
            return Module(token_model.REDUCE, (beats, 1), levels + 1, places)
        case SumPool():
            beats = layer.channels // layer.pe
            values = (layer.pixels * beats, beats)
            return Module(token_model.REDUCE, values, delay=0, places=2)
    raise _unsupported(layer)


def _matrix(layer: Mvau | Vvau, source: Stream) -> Module:
    """Follow `hwgq_mvau` and `hwgq_vvau`."""
    beats, rounds = layer.synapse_folds, layer.neuron_folds
    bits = source.type.bits, layer.weight_bits
    trees = 1 if sum(bits) <= 4 else min(bits)
    delay = 3 + _clog2(layer.simd) + _clog2(trees)
    if isinstance(layer, Vvau):
        return _activated(token_model.REDUCE, (beats, 1), delay)
    if beats > 1 and rounds > 1:
        delay += 1
    return _activated(token_model.MATRIX, (beats, rounds), delay)


def _activated(kind: int, values: tuple[int, int], delay: int) -> Module:
    """Follow `hwgq_activation` behind a module that emits every so many beats."""
    places = -(-max(delay + 4, 2 * values[0]) // values[0])
    return Module(kind, values, delay + 1, places)


def _window(layer: SlidingWindow) -> Module:
    """Follow `hwgq_swg`."""
    window = layer.window
    height, width = window.input
    stride, pad = window.stride[0], window.pad[0]
    rows = [
        (
            min(height, max(0, row * stride - pad + window.extent[0])),
            min(height, max(0, (row + 1) * stride - pad)),
        )
        for row in range(window.output[0])
    ]
    rows[-1] = (rows[-1][0], height)
    return Module(
        token_model.WINDOW,
        (
            width * layer.channels // layer.word,
            window.output[1] * window.taps * layer.channels // layer.simd,
            height,
            layer.depth,
        ),
        rows=tuple(rows),
    )


def _clog2(number: int) -> int:
    return (number - 1).bit_length()
