# SPDX-License-Identifier: Apache-2.0
"""Exact integer emulation of a graph, fast enough for whole data sets.

Emulation reads the graph alone: the very weights and thresholds that become memory
images. They are prepared once; then frames run through all layers in blocks that the
processor's caches hold, their codes being bit planes from layer to layer.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np

from hwgq.compile.bit_planes import words
from hwgq.compile.emulation_steps import Step, prepare
from hwgq.compile.forms import Form
from hwgq.compile.graph import Graph, IntArray
from hwgq.compile.kernels import Integers, WordArray
from hwgq.compile.streams import Stream
from hwgq.errors import DataError

BLOCK_BYTES = 1 << 20
"""What the widest stream of a block of frames may take in memory."""


def emulate(graph: Graph, codes: Integers) -> dict[str, IntArray]:
    """Run frames through the graph, and see what every stream carries.

    Parameters
    ----------
    graph
        A graph after any pass.
    codes
        Codes of the input stream, shape (frames, *input shape).

    Returns
    -------
    Codes of every stream by name, shape (frames, *stream shape).

    Raises
    ------
    DataError
        If `codes` has another shape or codes outside the input's range.
    """
    return Emulator.of(graph).streams(codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A graph, ready to run any number of frames.

    Parameters
    ----------
    graph
        The graph.
    steps
        Its layers, prepared.
    forms
        How each of its streams is held.
    """

    graph: Graph
    steps: tuple[Step, ...]
    forms: Mapping[str, Form]

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """Prepare a graph after any pass."""
        steps = tuple(prepare(graph, layer) for layer in graph.layers)
        forms = {graph.input: _entry_form(graph, steps)}
        for layer, step in zip(graph.layers, steps, strict=True):
            written = step.writes or forms[layer.inputs[0]]
            forms.update(dict.fromkeys(layer.outputs, written))
        return cls(graph=graph, steps=steps, forms=forms)

    def run(self, codes: Integers, *, threads: int | None = None) -> IntArray:
        """Run frames.

        Parameters
        ----------
        codes
            Codes of the input stream, shape (frames, *input shape), of any type of
            integers: the fewer bytes, the faster.
        threads
            Blocks of frames to run at once; as many as there are cores by default.

        Returns
        -------
        Codes of the output stream, shape (frames, *output shape).

        Raises
        ------
        DataError
            As :func:`emulate`.
        """
        name = self.graph.output
        return self._run(codes, (name,), threads)[name]

    def streams(self, codes: Integers) -> dict[str, IntArray]:
        """Run frames and keep the codes of every stream, as :func:`emulate`."""
        return self._run(codes, tuple(self.forms), None)

    def _run(
        self, codes: Integers, names: Sequence[str], threads: int | None
    ) -> dict[str, IntArray]:
        streams = self.graph.streams
        _check_input(streams[self.graph.input], codes)
        workers, frames = threads or os.cpu_count() or 1, len(codes)
        kept = {n: np.empty((frames, *streams[n].shape), np.int64) for n in names}
        size = max(1, min(self._block(), -(-frames // workers)))

        def run_block(start: int) -> None:
            block = slice(start, start + size)
            planes = self._planes(codes[block])
            for name, array in kept.items():
                form = self.forms[name]
                array[block] = form.unpacked(streams[name], planes[name])

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(run_block, range(0, frames, size)))
        return kept

    def _planes(self, codes: Integers) -> dict[str, WordArray]:
        """Run some frames through all layers; give the bit planes of each stream."""
        graph = self.graph
        entry = graph.streams[graph.input]
        planes = {graph.input: self.forms[graph.input].packed(entry, codes)}
        for layer, step in zip(graph.layers, self.steps, strict=True):
            inputs = [self._read(step, name, planes[name]) for name in layer.inputs]
            planes.update(dict.fromkeys(layer.outputs, step.run(*inputs)))
        return planes

    def _read(self, step: Step, name: str, planes: WordArray) -> WordArray:
        """Bring a stream to the form that a layer reads."""
        held, stream = self.forms[name], self.graph.streams[name]
        if step.reads in {None, held}:
            return planes
        return step.reads.packed(stream, held.unpacked(stream, planes))

    def _block(self) -> int:
        """Choose how many frames the caches of a core hold."""
        sizes = [
            8 * stream.type.bits * words(form.columns) * stream.elements // form.columns
            for name, form in self.forms.items()
            for stream in (self.graph.streams[name],)
        ]
        return BLOCK_BYTES // max(sizes)


def _entry_form(graph: Graph, steps: Sequence[Step]) -> Form:
    """Find how the first layer that is particular about it reads the input."""
    same = {graph.input}
    for layer, step in zip(graph.layers, steps, strict=True):
        if same.intersection(layer.inputs):
            if step.reads is not None:
                return step.reads
            same.update(layer.outputs)
    return Form.plain(graph.streams[graph.input].shape[-1])


def _check_input(entry: Stream, codes: Integers) -> None:
    if codes.shape[1:] != entry.shape:
        raise DataError(
            entry.name,
            f"frames have shape {codes.shape[1:]}, the network takes {entry.shape}",
            "Give an array of shape (frames, *network input)",
        )
    if codes.dtype.kind not in "iu":
        raise DataError(
            entry.name,
            f"codes are of the type {codes.dtype}",
            "Give an array of integers",
        )
    low, high = entry.type.low, entry.type.high
    if codes.size and (codes.min() < low or codes.max() > high):
        raise DataError(
            entry.name,
            f"codes reach from {codes.min()} to {codes.max()}, not {low} to {high}",
            "Scale the input to the integers that the network was trained on",
        )
