# SPDX-License-Identifier: Apache-2.0
"""What the datapath adds up instead of a dot product, and what lies between the two.

A code ``u`` of B bits under a weight bit contributes ``u XOR ~w`` (on every bit) to the
popcount ``S``: ``u`` itself under +1, ``2^B - 1 - u`` under -1. Under a weight of
several bits in two's complement it contributes ``2^k·u`` for each bit k that is set,
but for the top bit, of place value ``t``, ``t·(2^B - 1 - u)``. Either way (``t`` is 1
for a weight bit) it is ``w·u``, and ``t·(2^B - 1)`` if ``w`` is negative. With the
value of a code, ``step·u + offset``, the dot product of one row is::

    dot = step·S + K,   K = offset·sum(w) - step·t·(2^B - 1)·neg

where ``neg`` counts the row's negative weights. ``K`` depends on nothing that changes
while the hardware runs, so thresholds and biases take it over.
"""

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import ElementType, Graph, IntArray, Mvau, Vvau

BoolArray = npt.NDArray[np.bool_]
#: Signs, True for +1, or integers.
Weights = BoolArray | IntArray


def layer_weights(graph: Graph, layer: Mvau | Vvau) -> IntArray:
    """Find the integers that a layer multiplies with, a row for each channel."""
    return _integers(graph.tensors[layer.weights])


def corrections(weights: Weights, element: ElementType, bits: int = 1) -> IntArray:
    """Compute the constant K of every row.

    Parameters
    ----------
    weights
        Shape (rows, columns).
    element
        Type of the layer's input.
    bits
        Bits of a weight.

    Returns
    -------
    K, shape (rows,).
    """
    total: IntArray = _integers(weights).sum(axis=1)
    return element.offset * total - element.step * _offsets(weights, element, bits)


def popcounts(
    codes: IntArray, weights: Weights, element: ElementType, bits: int = 1
) -> IntArray:
    """Compute S by its definition.

    Parameters
    ----------
    codes
        Shape (frames, columns), or (frames, rows, columns) where rows share no codes.
    weights, element, bits
        As of :func:`corrections`.

    Returns
    -------
    S, shape (frames, rows).
    """
    form = "fc,rc->fr" if codes.ndim == 2 else "frc,rc->fr"
    # BLAS is exact here: float64 holds every partial sum of integers below 2^53.
    factors = (codes.astype(np.float64), _integers(weights).astype(np.float64))
    sums: IntArray = np.einsum(form, *factors, optimize=True).astype(np.int64)
    return sums + _offsets(weights, element, bits)


def popcount_bounds(
    weights: Weights, element: ElementType, bits: int = 1
) -> tuple[IntArray, IntArray]:
    """Find the smallest and the largest popcount S that each row can reach.

    Parameters
    ----------
    weights, bits
        As of :func:`corrections`.
    element
        Type of the layer's input; its `low` must not be negative.

    Returns
    -------
    Two arrays of shape (rows,).
    """
    integers, offsets = _integers(weights), _offsets(weights, element, bits)
    positive = integers.clip(min=0).sum(axis=1)
    negative = integers.clip(max=0).sum(axis=1)
    low = positive * element.low + negative * element.high
    high = positive * element.high + negative * element.low
    return low + offsets, high + offsets


def _integers(weights: npt.NDArray[np.generic]) -> IntArray:
    if weights.dtype == np.bool_:
        return np.where(weights, 1, -1)
    return weights.astype(np.int64)


def _offsets(weights: Weights, element: ElementType, bits: int) -> IntArray:
    """Compute by how much each row's S exceeds the sum of w·u."""
    negative = np.count_nonzero(_integers(weights) < 0, axis=1).astype(np.int64)
    most = (1 << element.bits) - 1
    offsets: IntArray = (most << (bits - 1)) * negative
    return offsets
