# SPDX-License-Identifier: Apache-2.0
"""The modules of a chain, as the model of their beats knows them.

What a module does when depends on no data, so that the headers of `hw_templates/rtl`
say all of it.
"""

from collections.abc import Iterator
from math import gcd
from typing import NamedTuple

from hwgq.compile import token_steps
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


class Module(NamedTuple):
    """A module of the hardware, as :mod:`hwgq.compile.token_model` knows it.

    Parameters
    ----------
    kind
        Kind of the module.
    values
        Its parameters A … C; of a window also the rows that it holds.
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
        depth = self.values[0] if self.kind == token_steps.FIFO else self.places
        return depth > 2 and depth * self.width > REGISTER_BITS

    @property
    def endless(self) -> bool:
        """Whether it is a FIFO that never fills."""
        return self.kind == token_steps.FIFO and self.values[0] == token_steps.UNBOUNDED


def fifo(stream: Stream, depth: int) -> Module:
    """Describe a FIFO behind a stream."""
    kind = token_steps.FIFO
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
            module = Module(token_steps.CONVERTER, values)
        case Fifo():
            module = Module(token_steps.FIFO, (layer.depth,))
        case _:
            module = _reducer(layer)
    return module._replace(reads=source.name, width=sink.width)


def _reducer(layer: Layer) -> Module:
    """Describe a module that reads all the time, and now and then has a result."""
    match layer:
        case Thresholding():
            return _activated(token_steps.REDUCE, (1, 1), delay=2)
        case Pool():
            beats, levels = layer.taps // layer.simd, _clog2(layer.simd)
            places = (levels + 3 + beats) // beats
            return Module(token_steps.REDUCE, (beats, 1), levels + 1, places)
        case SumPool():
            beats = layer.channels // layer.pe
            values = (layer.pixels * beats, beats)
            return Module(token_steps.REDUCE, values, delay=0, places=2)
    raise _unsupported(layer)


def _matrix(layer: Mvau | Vvau, source: Stream) -> Module:
    """Follow `hwgq_mvau` and `hwgq_vvau`."""
    beats, rounds = layer.synapse_folds, layer.neuron_folds
    bits = source.type.bits, layer.weight_bits
    trees = 1 if sum(bits) <= 4 else min(bits)
    delay = 3 + _clog2(layer.simd) + _clog2(trees)
    if isinstance(layer, Vvau) or rounds == 1:
        return _activated(token_steps.REDUCE, (beats, 1), delay)
    if beats > 1:
        delay += 1
    return _activated(token_steps.MATRIX, (beats, rounds), delay)


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
        token_steps.WINDOW,
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
