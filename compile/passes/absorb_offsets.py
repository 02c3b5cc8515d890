# SPDX-License-Identifier: Apache-2.0
"""Bring thresholds and biases from dot products to the datapath's popcount S."""

import dataclasses

import numpy as np

from hwgq.compile.graph import ElementType, Graph, IntArray, Mvau, Vvau
from hwgq.compile.popcount import corrections, layer_weights, popcount_bounds
from hwgq.errors import UnsupportedLayerError


def absorb_offsets(graph: Graph, *, exchangeable: bool = False) -> Graph:
    """Restate every MVAU and VVAU in terms of the popcount that its datapath computes.

    Afterwards ``popcount`` is true for all of them; thresholds are compared with S and
    lie between the smallest S of their row ("always") and one more than the largest
    ("never"); layers without thresholds have a bias and a shift that turn S into the
    dot product. Accumulators are as wide as S and the thresholds need, no wider.

    Parameters
    ----------
    graph
        The graph.
    exchangeable
        Whether all widths shall do for any weights and thresholds of the same shape.

    Raises
    ------
    UnsupportedLayerError
        If a layer's input is in two's complement, or if accumulators are to be emitted
        for an input whose step is no power of two.
    """
    for layer in graph.layers:
        if isinstance(layer, Mvau | Vvau) and not layer.popcount:
            graph = _absorb(graph, layer, exchangeable=exchangeable)
    return graph


def _absorb(graph: Graph, layer: Mvau | Vvau, *, exchangeable: bool) -> Graph:
    element = graph.streams[layer.inputs[0]].type
    if element.is_signed or element.step < 1:
        raise UnsupportedLayerError(
            layer.name,
            f"its input is in two's complement or has step {element.step}",
            "Quantize the input so that its codes are unsigned and rise with the value",
        )
    if layer.thresholds is None:
        return _absorb_into_bias(graph, layer, element, exchangeable=exchangeable)
    return _absorb_into_thresholds(graph, layer, element, exchangeable=exchangeable)


def _absorb_into_thresholds(
    graph: Graph, layer: Mvau | Vvau, element: ElementType, *, exchangeable: bool
) -> Graph:
    assert layer.thresholds is not None
    dots = graph.tensors[layer.thresholds].astype(np.int64)
    weights = layer_weights(graph, layer)
    low, high = popcount_bounds(weights, element, layer.weight_bits)
    constant = corrections(weights, element, layer.weight_bits)
    thresholds = _popcount_thresholds(dots, constant, element.step, low, high)
    graph, key = graph.with_tensor(thresholds)
    largest = int(max(high.max(), thresholds.max(initial=0)))
    if exchangeable:
        low, high = popcount_bounds(
            _extremes(layer, weights), element, layer.weight_bits
        )
        largest = int(high.max()) + 1  # "never"
    changed = dataclasses.replace(
        layer,
        thresholds=key,
        popcount=True,
        accumulator=_accumulator(low, high, largest),
    )
    return graph.with_layers({layer.name: changed})


def _popcount_thresholds(
    dots: IntArray, constant: IntArray, step: int, low: IntArray, high: IntArray
) -> IntArray:
    """Turn ``dot >= T`` into ``S >= T'``; all but `dots` and `step` are per row."""
    # Clipping comes first: a "never" may be as large as int64 goes.
    reachable = np.clip(
        dots, (step * low + constant)[:, None], (step * high + constant + 1)[:, None]
    )
    return -((constant[:, None] - reachable) // step)


def _absorb_into_bias(
    graph: Graph, layer: Mvau | Vvau, element: ElementType, *, exchangeable: bool
) -> Graph:
    if element.step & (element.step - 1):
        raise UnsupportedLayerError(
            layer.name,
            f"emits accumulators of an input with step {element.step}",
            "Use an input quantizer whose step is a power of two of its unit",
        )
    weights = layer_weights(graph, layer)
    low, high = popcount_bounds(weights, element, layer.weight_bits)
    bias = corrections(weights, element, layer.weight_bits)
    if layer.bias is not None:
        bias = bias + graph.tensors[layer.bias].astype(np.int64)
    graph, key = graph.with_tensor(bias)
    if exchangeable:
        weights = _extremes(layer, weights)
        low, high = popcount_bounds(weights, element, layer.weight_bits)
        bias = corrections(weights, element, layer.weight_bits)
    changed = dataclasses.replace(
        layer,
        bias=key,
        shift=element.step.bit_length() - 1,
        popcount=True,
        accumulator=_accumulator(low, high, int(high.max())),
    )
    smallest = int((element.step * low + bias).min())
    largest = int((element.step * high + bias).max())
    name = layer.outputs[0]
    emitted = dataclasses.replace(
        graph.streams[name], type=ElementType.signed(smallest, largest)
    )
    return graph.with_layers({layer.name: changed}).with_stream(emitted)


def _extremes(layer: Mvau | Vvau, weights: IntArray) -> IntArray:
    """Make rows of weights that no others of their bits go beyond, in S or in dots."""
    top = 1 << (layer.weight_bits - 1)
    values = (-1, 1) if layer.weight_bits == 1 else (-top, -1, 0, top - 1)
    return np.repeat(np.array(values)[:, None], weights.shape[1], axis=1)


def _accumulator(low: IntArray, high: IntArray, largest: int) -> ElementType:
    """Make the type of S, wide enough for the largest number compared with it."""
    bits = max(1, largest.bit_length())
    return ElementType(bits=bits, low=int(low.min()), high=int(high.max()))
