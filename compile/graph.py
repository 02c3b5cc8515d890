# SPDX-License-Identifier: Apache-2.0
"""The dataflow IR: layers joined by named streams, all of it frozen.

A :class:`Graph` is a value. A pass takes one and returns another; nothing is changed
in place. Big arrays (weights, thresholds) live in ``Graph.tensors`` under the hash of
their contents, so that graphs stay small to print and cheap to copy.
"""

import dataclasses
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hwgq.compile.layers import (
    Add,
    Fifo,
    Fork,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Vvau,
    WidthConverter,
)
from hwgq.compile.streams import BIPOLAR, ElementType, IntArray, Stream
from hwgq.compile.window import Window

__all__ = [
    "BIPOLAR",
    "Add",
    "ElementType",
    "Fifo",
    "Fork",
    "Graph",
    "IntArray",
    "Layer",
    "Mvau",
    "Pool",
    "SlidingWindow",
    "Stream",
    "SumPool",
    "Thresholding",
    "Vvau",
    "WidthConverter",
    "Window",
    "divisors",
    "tensor_key",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Layers in topological order, joined by streams.

    Parameters
    ----------
    layers
        Every layer after the ones that feed it.
    streams
        All streams, by name.
    input, output
        Names of the streams at the ends.
    tensors
        Weights and thresholds, by the hash of their contents.
    """

    layers: tuple[Layer, ...]
    streams: Mapping[str, Stream]
    input: str
    output: str
    tensors: Mapping[str, npt.NDArray[np.generic]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )

    def mvaus(self) -> Iterator[Mvau]:
        """Go through the matrix layers, in order."""
        return (n for n in self.layers if isinstance(n, Mvau))

    def tensor_keys(self) -> tuple[str, ...]:
        """List the keys of the tensors that layers use, each once."""
        fields = ("weights", "thresholds", "bias", "flips")
        keys = (getattr(layer, name, None) for layer in self.layers for name in fields)
        return tuple(dict.fromkeys(key for key in keys if key is not None))

    def replace(self, **changes: Any) -> Self:
        """Copy the graph with some fields changed."""
        return dataclasses.replace(self, **changes)

    def with_layers(self, changed: Mapping[str, Layer]) -> Self:
        """Copy the graph with the layers of these names exchanged."""
        return self.replace(layers=tuple(changed.get(n.name, n) for n in self.layers))

    def with_stream(self, stream: Stream) -> Self:
        """Copy the graph with one stream more, or another of the same name."""
        return self.replace(streams={**self.streams, stream.name: stream})

    def fresh_name(self, wish: str) -> str:
        """Find a name that no stream and no layer has, as near to `wish` as may be."""
        taken = {*self.streams, *(layer.name for layer in self.layers)}
        numbered = (f"{wish}.{i}" for i in itertools.count(2))
        return next(n for n in itertools.chain([wish], numbered) if n not in taken)

    def insert_before(self, reader: str, layer: Layer, output: Stream) -> Self:
        """Copy the graph with `layer` between the layer `reader` and what it reads.

        Parameters
        ----------
        reader
            Name of the layer that reads `output` from now on.
        layer
            The new layer, whose first input `reader` read so far.
        output
            The stream that the new layer writes.
        """
        layers: list[Layer] = []
        for old in self.layers:
            if old.name == reader:
                inputs = (
                    output.name if n == layer.inputs[0] else n for n in old.inputs
                )
                layers += [layer, dataclasses.replace(old, inputs=tuple(inputs))]
            else:
                layers.append(old)
        return self.with_stream(output).replace(layers=tuple(layers))

    def with_tensor(self, array: npt.NDArray[np.generic]) -> tuple[Self, str]:
        """Copy the graph with one more tensor; also return its key."""
        key = tensor_key(array)
        tensors = MappingProxyType({**self.tensors, key: array})
        return self.replace(tensors=tensors), key


def tensor_key(array: npt.NDArray[np.generic]) -> str:
    """Hash the contents, the shape and the type of an array."""
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def divisors(n: int) -> tuple[int, ...]:
    """List the divisors of `n`, ascending."""
    return tuple(d for d in range(1, n + 1) if n % d == 0)
