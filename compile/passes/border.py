# SPDX-License-Identifier: Apache-2.0
"""Cross from FINN's graph into our own IR, the last place where an ONNX type is seen.

FINN says which layers there are and how they are joined; the recorded sections say
what each computes. The two meet by the numbers in the tensors' names, and FINN's
weights must be the recorded ones, up to the rows whose sign was turned.
"""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.finn_graph import lowered_apart, weight_name
from hwgq.compile.finn_layers import REMEDY, finn_layers
from hwgq.compile.graph import (
    ElementType,
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    Stream,
    SumPool,
    Thresholding,
    Vvau,
    Window,
    tensor_key,
)
from hwgq.compile.network import Dot, Network, Section, Shape
from hwgq.compile.passes.exact_thresholds import (
    accumulator_bounds,
    exact_thresholds,
)
from hwgq.errors import UnsupportedLayerError

INPUT = "input"


def cross_border(model: ModelWrapper, network: Network) -> Graph:
    """Read FINN's hardware layers and the recorded sections into a graph.

    Parameters
    ----------
    model
        FINN's graph behind the last of its steps.
    network
        The same network as it was recorded.

    Returns
    -------
    Graph
        Layers with exact integer thresholds, not folded yet.

    Raises
    ------
    UnsupportedLayerError
        If FINN left a float node among the layers, lost one or doubled it, or has
        other weights than the network.
    """
    groups = finn_layers(model, network)
    writer = _Writer(network)
    for number, section in enumerate(network.sections):
        if section.dot is not None:
            _check_weights(model, groups[number], section, number)
        writer.section(section)
    return writer.graph()


class _Writer:
    """Collects layers, each of which reads what the one before it wrote."""

    def __init__(self, network: Network) -> None:
        entry = Stream(name=INPUT, shape=network.shape, type=network.input_type)
        self.source = entry
        self.streams = {INPUT: entry}
        self.layers: list[Layer] = []
        self.tensors: dict[str, npt.NDArray[np.generic]] = {}

    def graph(self) -> Graph:
        """Make the graph of what was written."""
        return Graph(
            layers=tuple(self.layers),
            streams=MappingProxyType(self.streams),
            input=INPUT,
            output=self.source.name,
            tensors=MappingProxyType(self.tensors),
        )

    def section(self, section: Section) -> None:
        """Write a section's layers."""
        inner = section.name if section.pool is None else section.unpooled
        if section.dot is not None:
            self._product(section, section.dot, inner)
        elif section.quantizer is not None:
            self._thresholding(section, inner)
        elif section.sums:
            pooling = SumPool(
                **self._ends(section.name, section.name),
                channels=section.channels,
                pixels=section.shape_in[0] * section.shape_in[1],
            )
            self._write(pooling, section.shape, section.output_type)
        if section.pool is not None:
            self._pool(section, section.pool)

    def _product(self, section: Section, dot: Dot, output: str) -> None:
        window = dot.window
        if window is not None and (
            dot.depthwise or not (window.whole or window.pointwise)
        ):
            zero = int(section.input_type.codes(np.asarray(0)))
            grouped = dot.depthwise
            self._window(f"{section.name}.window", window, zero, grouped=grouped)
        exact = exact_thresholds(section) if section.quantizer else None
        weights = dot.weights
        low, high = accumulator_bounds(section)
        thresholds = None
        if exact is not None:
            turned = exact.flipped
            weights = np.where(turned[:, np.newaxis], -weights, weights)
            low, high = np.where(turned, -high, low), np.where(turned, -low, high)
            thresholds = self._keep(exact.thresholds)
        stored = weights > 0 if dot.bits == 1 else weights
        common: dict[str, Any] = {
            **self._ends(section.name, output),
            "weights": self._keep(stored),
            "weight_bits": _bits(weights, dot.bits),
            "thresholds": thresholds,
            "accumulator": ElementType.signed(int(low.min()), int(high.max())),
        }
        rows, columns = weights.shape
        product: Layer = Mvau(**common, rows=rows, columns=columns)
        if dot.depthwise:
            product = Vvau(**common, channels=rows, taps=columns)
        kind = section.output_type
        if thresholds is None:
            kind = ElementType.signed(int(low.min()), int(high.max()))
        self._write(product, section.shape, kind)

    def _thresholding(self, section: Section, output: str) -> None:
        codes = section.input_type.codes(exact_thresholds(section).thresholds)
        if np.all(codes == codes[0]):
            codes = codes[:1]
        thresholding = Thresholding(
            **self._ends(section.name, output),
            channels=len(codes),
            thresholds=self._keep(codes),
        )
        self._write(thresholding, section.shape, section.output_type)

    def _pool(self, section: Section, window: Window) -> None:
        # The pool-only section is a layer of its own name.
        name = section.name if section.quantizer is None else f"{section.name}.pool"
        # A pooling takes no notice of what is padded: it is the least code.
        self._window(f"{section.name}.pool.window", window, 0, grouped=True)
        pool = Pool(
            **self._ends(name, section.name),
            channels=section.channels,
            taps=window.taps,
            flips=None if section.minimum is None else self._keep(section.minimum),
        )
        self._write(pool, section.shape_out, section.output_type)

    def _window(
        self, name: str, window: Window, pad_code: int, *, grouped: bool = False
    ) -> None:
        kind = self.source.type
        layer = SlidingWindow(
            **self._ends(name, name),
            window=window,
            channels=self.source.shape[-1],
            pad_code=pad_code,
            grouped=grouped,
        )
        self._write(layer, layer.shape_out, kind)

    def _ends(self, name: str, output: str) -> dict[str, Any]:
        return {"name": name, "inputs": (self.source.name,), "outputs": (output,)}

    def _write(self, layer: Layer, shape: Shape, kind: ElementType) -> None:
        self.layers.append(layer)
        self.source = Stream(name=layer.outputs[0], shape=shape, type=kind)
        self.streams[self.source.name] = self.source

    def _keep(self, array: npt.NDArray[np.generic]) -> str:
        key = tensor_key(array)
        self.tensors[key] = array
        return key


def _bits(weights: npt.NDArray[np.int64], bits: int) -> int:
    """Give the bits of weights some of which may have been negated."""
    if bits == 1:
        return 1
    return max(2, ElementType.signed(int(weights.min()), int(weights.max())).bits)


def _check_weights(
    model: ModelWrapper, nodes: Sequence[NodeProto], section: Section, number: int
) -> None:
    name = weight_name(number)
    found = np.asarray(model.get_initializer(name))
    assert section.dot is not None
    ours = section.dot.weights
    # A depthwise layer's weights are (channels, 1, rows, columns).
    theirs = found.reshape(ours.shape) if lowered_apart(section.dot) else found.T
    same, turned = (theirs == ours).all(axis=1), (theirs == -ours).all(axis=1)
    if not np.all(same | turned):
        row = int(np.flatnonzero(~(same | turned))[0])
        raise UnsupportedLayerError(
            section.name, f"has other weights in FINN's graph, row {row}", REMEDY
        )
