# SPDX-License-Identifier: Apache-2.0
"""The float32 witness: PyTorch itself, layer by layer, against the reference.

Each layer starts from the reference's own integers, so that one tie counts once. Where
PyTorch's float32 level differs, a threshold must lie within the rounding error that
float32 can make of the value; anything else is a mistake of one of the two.

References
----------
Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 3.5:
n roundings change a sum of products by at most gamma(n) times its sum of magnitudes.
"""

import copy
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hwgq.errors import MismatchError
from hwgq.train.exact import Float64, Flow, Int64, evaluate, float64
from hwgq.train.layers import BinaryLinear

UNIT_ROUNDOFF = 2.0**-24
"""Largest relative error of one float32 rounding."""

NORM_ROUNDINGS = 12
"""Bounds the roundings of one batch normalization, in whichever order it is computed:
of eps, its sum, root, reciprocal, scale, shift, product and sum, twice where affine."""


@dataclass(frozen=True, slots=True)
class Witness:
    """One layer's agreement of float32 PyTorch with the reference.

    Parameters
    ----------
    layer
        Module path of the quantizer.
    elements
        Levels compared.
    ties
        Levels that differ, each within `bound` of a threshold.
    bound
        Largest float32 error bound of the layer, in the units of its thresholds.
    """

    layer: str
    elements: int
    ties: int
    bound: float


def witness(
    model: nn.Sequential, images: npt.NDArray[np.integer]
) -> tuple[Witness, ...]:
    """Compare float32 PyTorch with the reference at every quantizer.

    Parameters
    ----------
    model
        The network; it is evaluated with its running statistics.
    images
        Integers, shape (n, ...).

    Raises
    ------
    MismatchError
        If levels differ where no float32 rounding explains it.
    """
    model = copy.deepcopy(model).eval()
    found: list[Witness] = []
    flow = Flow(images.astype(np.int64))
    value = _values(flow)
    error = np.zeros(value.shape)
    for name, layer in model.named_children():
        with torch.no_grad():
            value = layer(value)
        before, flow = flow, evaluate(layer, flow, name)
        if flow.codes is None:
            error = error_bound(layer, before, flow, error)
            continue
        got = np.rint(float64(value) / flow.step).astype(np.int64)
        low, high = (_shifted(layer, before, by, name) for by in (-error, error))
        _refuse_unexplained(name, got, low, flow.integers, high)
        ties = int((got != flow.integers).sum())
        found.append(Witness(name, got.size, ties, float(error.max())))
        value = _values(flow)
        error = np.zeros(value.shape)
    return tuple(found)


@singledispatch
def error_bound(layer: nn.Module, before: Flow, after: Flow, error: Float64) -> Float64:
    """Bound the float32 error after a layer by that before it, element by element."""
    return error.reshape(after.integers.shape)


@error_bound.register
def _(layer: BinaryLinear, before: Flow, after: Flow, error: Float64) -> Float64:
    assert after.real is not None
    magnitude = np.abs(before.integers).sum(1, keepdims=True) * before.step
    products = float64(layer.alpha()).reshape(-1) * magnitude
    # One rounding makes the input's value, one each product, the others the sum.
    bound: Float64 = _gamma(layer.in_features + 1) * products
    if layer.bias is not None:
        bound = bound + UNIT_ROUNDOFF * (np.abs(after.real) + bound)
    return bound


@error_bound.register
def _(layer: nn.BatchNorm1d, before: Flow, after: Flow, error: Float64) -> Float64:
    assert before.real is not None
    assert layer.running_mean is not None
    assert layer.running_var is not None
    factor = 1 / np.sqrt(float64(layer.running_var) + layer.eps)
    shift = np.abs(float64(layer.running_mean)) * factor
    if layer.affine:
        gain = np.abs(float64(layer.weight))
        factor, shift = factor * gain, shift * gain + np.abs(float64(layer.bias))
    magnitude = (np.abs(before.real) + error) * factor + shift
    bound: Float64 = error * factor + _gamma(NORM_ROUNDINGS) * magnitude
    return bound


def _gamma(roundings: int) -> float:
    return roundings * UNIT_ROUNDOFF / (1 - roundings * UNIT_ROUNDOFF)


def _values(flow: Flow) -> torch.Tensor:
    """Make the float32 numbers that the model itself has for these integers."""
    return torch.from_numpy(flow.integers).float() * flow.step


def _shifted(layer: nn.Module, before: Flow, by: Float64, name: str) -> Int64:
    """Quantize the reference's values, moved by an error."""
    assert before.real is not None
    return evaluate(layer, replace(before, real=before.real + by), name).integers


def _refuse_unexplained(
    name: str, got: Int64, low: Int64, expected: Int64, high: Int64
) -> None:
    """Raise where float32 is outside what its rounding can make of the reference."""
    wrong = np.argwhere((got < low) | (got > high))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        raise MismatchError(
            "float32 PyTorch", name, index, int(expected[index]), int(got[index])
        )
