# SPDX-License-Identifier: Apache-2.0
"""The XNOR identity: a dot product with signs is a weighted popcount and a constant.

A code ``u`` of B bits under a weight bit ``w`` contributes ``u XOR ~w`` (on every bit)
to the popcount ``S``: ``u`` itself under +1, ``2^B - 1 - u`` under -1. With the value
of a code, ``step·u + offset``, the dot product of one row is::

    dot = step·S + K,   K = offset·(columns - 2·neg) - step·(2^B - 1)·neg

where ``neg`` counts the row's -1 weights. ``K`` depends on nothing that changes while
the hardware runs, so thresholds and biases take it over.
"""

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import ElementType, IntArray

BoolArray = npt.NDArray[np.bool_]


def corrections(weights: BoolArray, element: ElementType) -> IntArray:
    """Compute the constant K of every row.

    Parameters
    ----------
    weights
        Signs, shape (rows, columns); True is +1.
    element
        Type of the layer's input.

    Returns
    -------
    K, shape (rows,).
    """
    columns = weights.shape[1]
    negative = columns - np.count_nonzero(weights, axis=1).astype(np.int64)
    flipped = element.step * ((1 << element.bits) - 1) * negative
    constant: IntArray = element.offset * (columns - 2 * negative) - flipped
    return constant


def popcount_bounds(
    weights: BoolArray, element: ElementType
) -> tuple[IntArray, IntArray]:
    """Find the smallest and the largest popcount S that each row can reach.

    Every integer between them is reachable too, because each column's contribution
    takes every value of a range of one and the same length.

    Parameters
    ----------
    weights
        Signs, shape (rows, columns); True is +1.
    element
        Type of the layer's input; its `low` must not be negative.

    Returns
    -------
    Two arrays of shape (rows,).
    """
    positive = np.count_nonzero(weights, axis=1).astype(np.int64)
    negative = weights.shape[1] - positive
    top = (1 << element.bits) - 1
    low = positive * element.low + negative * (top - element.high)
    high = positive * element.high + negative * (top - element.low)
    return low, high
