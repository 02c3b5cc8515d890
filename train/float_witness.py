# SPDX-License-Identifier: Apache-2.0
"""The float32 witness: PyTorch itself, layer by layer, against the reference.

Each layer starts from the reference's own integers, so that one tie counts once. Where
PyTorch's float32 level differs, a threshold must lie within the rounding error that
float32 can make of the value; anything else is a mistake of one of the two.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from hwgq.errors import MismatchError
from hwgq.train.chain import Chain, chain, unwrapped
from hwgq.train.error_bounds import bounded
from hwgq.train.exact import FRAMES, Reference, Step, batches, gather
from hwgq.train.exact_layers import evaluate
from hwgq.train.flow import Float64, Flow, Images, float64
from hwgq.train.layers import HWGQ, Sign

PYTORCH = "float32 PyTorch"

Codes = npt.NDArray[np.uint8]


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


def witness(model: nn.Module, images: Images) -> tuple[Witness, ...]:
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
        If levels or logits differ where no float32 rounding explains it.
    UnsupportedLayerError
        As `hwgq.train.reference`.
    """
    total: tuple[Witness, ...] = ()
    for _, rows in witnessed_batches(model, images):
        total = added(total, rows)
    return total


def witnessed_batches(
    model: nn.Module, images: Images, frames: int = FRAMES
) -> Iterator[tuple[Reference, tuple[Witness, ...]]]:
    """Evaluate some frames at a time, and hear the witness; errors as `witness`."""
    layers = chain(copy.deepcopy(unwrapped(model)).cpu().eval())
    for some in batches(images, frames):
        rows: list[Witness] = []
        exact = gather(_witnessed(layers, some, rows))
        yield exact, tuple(rows)


def added(total: tuple[Witness, ...], rows: tuple[Witness, ...]) -> tuple[Witness, ...]:
    """Add what was found on more frames."""
    if not total:
        return rows
    return tuple(
        Witness(
            row.layer,
            row.elements + more.elements,
            row.ties + more.ties,
            max(row.bound, more.bound),
        )
        for row, more in zip(total, rows, strict=True)
    )


def compare(rung: str, step: Step, error: Float64, got: Codes) -> Witness:
    """Compare the codes of a quantizer in float32 with the reference's.

    Parameters
    ----------
    rung
        Who computed them.
    step, error
        The quantizer, and the float32 error bound of what it gets.
    got
        The codes, in the shape of the reference's.

    Raises
    ------
    MismatchError
        If any differs that float32 rounding does not explain.
    """
    expected, real = step.after.codes, step.before.real
    assert expected is not None
    assert real is not None
    ties = np.nonzero(got != expected)
    low, high = (
        evaluate(step.layer, replace(step.before, real=moved), step.name).codes
        for moved in (real[ties] - error[ties], real[ties] + error[ties])
    )
    assert low is not None
    assert high is not None
    wrong = np.flatnonzero((got[ties] < low) | (got[ties] > high))
    if len(wrong):
        index = tuple(int(axis[wrong[0]]) for axis in ties)
        raise MismatchError(
            rung, step.name, index, int(expected[index]), int(got[index])
        )
    return Witness(step.name, got.size, len(ties[0]), float(error.max(initial=0)))


def compare_logits(rung: str, exact: Float64, error: Float64, got: Float64) -> None:
    """Compare logits in float32 with the reference's.

    Raises
    ------
    MismatchError
        If any differs that float32 rounding does not explain.
    """
    wrong = np.argwhere(~(np.abs(got - exact) <= error))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise MismatchError(
            rung, "the logits", index, float(exact[index]), float(got[index])
        )


def _witnessed(layers: Chain, images: Images, rows: list[Witness]) -> Iterator[Step]:
    """Walk along, with float32 beside; append a row a quantizer."""
    value, error, last = _values(Flow(images)), np.zeros(()), None
    # NNPACK's convolutions transform, and so round in other ways.
    with torch.no_grad(), torch.backends.nnpack.flags(enabled=False):
        for last, error in bounded(layers, images):
            value = last.layer(value)
            if last.after.codes is not None:
                rows.append(compare(PYTORCH, last, error, _codes(last.layer, value)))
                value = _values(last.after)
            yield last
    if last is not None and last.after.real is not None:
        compare_logits(PYTORCH, last.after.real, error, float64(value))


def _values(flow: Flow) -> Tensor:
    """Make the float32 numbers that the model itself has for these integers."""
    if flow.table is not None:
        return torch.from_numpy(flow.values().astype(np.float32))
    return torch.from_numpy(flow.integers.astype(np.float32)) * flow.step


def _codes(layer: nn.Module, value: Tensor) -> Codes:
    """Tell a quantizer's codes from its values."""
    numbers = np.asarray(value.numpy())
    if isinstance(layer, Sign):
        return (numbers > 0).astype(np.uint8)
    assert isinstance(layer, HWGQ)
    quantizer = layer.quantizer
    if quantizer.uniform:
        return np.rint(numbers / quantizer.step).astype(np.uint8)
    return np.searchsorted(quantizer.values, numbers).astype(np.uint8)
