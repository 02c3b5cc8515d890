# SPDX-License-Identifier: Apache-2.0
"""When every beat is written and read: the model from which FIFO depths come.

Frames arrive once per II, the cycles of the slowest layer, and every layer does what it
can as early as it can. An MVAU reads the SF beats of a frame in as many cycles, works
on without reading until its NF·SF cycles are over, and writes a beat every SF cycles.
A FIFO that holds what waits in this schedule lets the pipeline keep that pace: the
hardware, which starts each step as soon as it may, is then never later.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwgq.compile.graph import Graph, Layer, Mvau, Thresholding
from hwgq.errors import UnsupportedLayerError


@dataclass(frozen=True, slots=True)
class Reader:
    """How a layer reads.

    Parameters
    ----------
    beats
        Beats of a frame, read in as many cycles where nothing is missing.
    groups
        Rounds of `beats` cycles that a frame takes; each writes a beat at its end.
    """

    beats: int
    groups: int

    def writes(self, reads: Sequence[int]) -> list[int]:
        """Find when the layer writes, given when it read each beat; both in cycles."""
        ends = reads[self.beats - 1 :: self.beats]
        return [end + 1 + g * self.beats for end in ends for g in range(self.groups)]


class Elementwise(Reader):
    """How a layer reads that writes a beat for each that it reads."""

    def writes(self, reads: Sequence[int]) -> list[int]:
        """Find when the layer writes, given when it read each beat; both in cycles."""
        return [read + 1 for read in reads]


EAGER = Reader(beats=1, groups=1)


@dataclass(frozen=True, slots=True)
class Queue:
    """A FIFO that a stream needs.

    Parameters
    ----------
    depth
        Beats that it holds.
    beat
        Elements of one of its beats: as they are written, or as they are read.
    """

    depth: int
    beat: int


#: Beats that the register at the end of every layer holds anyway.
_HELD_ANYWAY = 1
#: Cycles from a beat's way into a FIFO until it can leave.
_LATENCY = 2


def initiation_interval(graph: Graph) -> int:
    """Count the cycles from one frame to the next: those of the slowest layer."""
    return max(layer_cycles(graph, layer) for layer in graph.layers)


def layer_cycles(graph: Graph, layer: Layer) -> int:
    """Count the cycles that a layer needs for a frame by itself."""
    if isinstance(layer, Mvau):
        streams = graph.streams[layer.inputs[0]].elements // layer.columns
        return layer.cycles * streams
    ends = (graph.streams[name] for name in (*layer.inputs, *layer.outputs))
    return max(stream.beats for stream in ends)


def fifos_needed(graph: Graph, frames: int | None = None) -> dict[str, Queue]:
    """Find the FIFO that each stream needs.

    Parameters
    ----------
    graph
        A chain of MVAUs and thresholdings whose streams have their final beats, without
        width converters and FIFOs.
    frames
        Frames to look at; by default enough for the slowest start to settle.

    Returns
    -------
    By stream name; streams on which nothing waits are left out.

    Raises
    ------
    UnsupportedLayerError
        If a layer is of another kind.
    """
    frames = frames or len(graph.layers) + 4
    interval = initiation_interval(graph)
    entry = graph.streams[graph.input]
    writes = [k * interval + j for k in range(frames) for j in range(entry.beats)]
    found = {}
    for layer in graph.layers:
        stream, reader = graph.streams[layer.inputs[0]], reader_of(graph, layer)
        beat = stream.elements // reader.beats
        queue, reads = _link(writes, stream.beat, beat, reader, interval)
        if queue is not None and stream.name != graph.input:
            found[stream.name] = queue
        writes = reader.writes(reads)
    return found


def reader_of(graph: Graph, layer: Layer) -> Reader:
    """Describe how a layer reads its input."""
    match layer:
        case Mvau():
            return Reader(layer.synapse_folds, layer.neuron_folds)
        case Thresholding():
            return Elementwise(graph.streams[layer.inputs[0]].elements // layer.pe, 1)
    raise UnsupportedLayerError(
        layer.name,
        f"there is no hardware for this {type(layer).__name__}",
        "Emulate the network, or change it to a chain of quantized dense layers",
    )


def _link(
    writes: Sequence[int], written: int, wanted: int, reader: Reader, interval: int
) -> tuple[Queue | None, list[int]]:
    """Follow a stream to its reader, across beats of two sizes.

    Returns
    -------
    The FIFO that the stream needs, if any, and the cycle of every read.
    """
    waits, _, reads = _queue(writes, written, wanted, reader, latency=0)
    if waits <= _HELD_ANYWAY and _keeps_pace(reads, reader, interval):
        return None, reads
    if written < wanted:
        # Beats are narrower before the converter. But from there it fills one wide
        # beat at a time, and a reader that wants several in a row may fall behind.
        depth, _, reads = _queue(writes, written, wanted, reader, latency=_LATENCY)
        if _keeps_pace(reads, reader, interval):
            return Queue(depth, written), reads
    _, _, ready = _queue(writes, written, wanted, EAGER, latency=0)
    depth, _, reads = _queue(ready, 1, 1, reader, latency=_LATENCY)
    return Queue(depth, wanted), reads


def _keeps_pace(reads: Sequence[int], reader: Reader, interval: int) -> bool:
    """Say whether the last frame was read no later than one II after that before."""
    return reads[-1] - reads[-1 - reader.beats] <= interval


def _queue(
    writes: Sequence[int], taken: int, given: int, reader: Reader, *, latency: int
) -> tuple[int, list[int], list[int]]:
    """Follow beats through a FIFO, and a width converter if their sizes differ.

    Returns
    -------
    The most beats in the FIFO, the cycles in which they leave it, and those in which
    the reader reads.
    """
    there = [cycle + latency for cycle in writes]
    accepts, reads = _convert(there, taken, given, reader)
    leaves = reads if taken == given else accepts
    written = np.searchsorted(np.asarray(writes), np.asarray(leaves), side="right")
    return int((written - np.arange(len(leaves))).max()), leaves, reads


def _convert(
    writes: Sequence[int], taken: int, given: int, reader: Reader
) -> tuple[list[int], list[int]]:
    """Follow beats of `taken` elements through a width converter to a reader.

    The converter takes a beat while it holds less than the `given` elements of one that
    it gives (see `hwgq_width_converter`); one of equal sizes is a register.

    Returns
    -------
    Cycles in which it takes each beat, and in which `reader` reads each.
    """
    accepts: list[int] = []
    reads: list[int] = []
    pause = (reader.groups - 1) * reader.beats
    for index in range(len(writes) * taken // given):
        needed = -(-given * (index + 1) // taken)
        while len(accepts) < needed:
            gone = taken * len(accepts) // given
            free = reads[gone - 1] if gone else 0
            after = accepts[-1] + 1 if accepts else 0
            accepts.append(max(writes[len(accepts)], after, free))
        first = reads[-1] + 1 if reads else 0
        if index and index % reader.beats == 0:
            first += pause
        reads.append(max(accepts[needed - 1] + 1, first))
    return accepts, reads
