# SPDX-License-Identifier: Apache-2.0
"""The reference: the network evaluated under the numeric contract (design 4.3).

Each dot product is taken on integer levels and signs, exactly. The element-wise chain
after it is in float64, each operand being the float32 number that network.onnx stores,
in this order: ``(alpha * step) * accumulator``, then ``+ bias`` where there is one;
``(x - mean) / sqrt(variance + eps)``; ``* gamma + beta`` where affine; ``x >= T``. A
maximum is taken where the network takes it.

Levels that are not uniform have values that are no integers. Their dot products are
float64 sums, exact up to float64 rounding; no hardware has them. Float layers before
the first and after the last quantizer are evaluated in float64.

Everything from emulation down to the bitstream is integer and equal to this.
`hwgq.train.exact_layers` says what each layer does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import nn

from hwgq.errors import UnsupportedLayerError
from hwgq.train.chain import Chain, chain
from hwgq.train.datasets import Part
from hwgq.train.exact_layers import evaluate
from hwgq.train.flow import Float64, Flow, Images, Int64

FRAMES = 50
"""Frames evaluated at once; bounds the memory, some 150 MB for CNV."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the network computes on some images, by the numeric contract.

    Parameters
    ----------
    levels
        Codes that each activation quantizer emits, by its module path: uint8 of shape
        (n, ...). HWGQ's are its levels; a sign's are 0 for -1 and 1 for +1.
    accumulators
        Dot products of the last binary layer, int32 of shape (n, rows, ...); of shape
        (n, 0) where they are no integers, because the levels are not uniform.
    logits
        What the network returns, shape (n, classes).
    """

    levels: dict[str, npt.NDArray[np.uint8]]
    accumulators: npt.NDArray[np.int32]
    logits: Float64

    @property
    def classes(self) -> Int64:
        """Highest logit of each image; of equal ones the first."""
        return np.asarray(self.logits.argmax(1), np.int64)


@dataclass(frozen=True, slots=True)
class Step:
    """One layer, applied to some frames.

    Parameters
    ----------
    name, layer
        The module, and its path.
    before, after
        What it got, and what it made of it.
    """

    name: str
    layer: nn.Module
    before: Flow
    after: Flow


def reference(model: nn.Module, images: Images) -> Reference:
    """Evaluate a network exactly, and keep every level.

    Parameters
    ----------
    model
        A chain of layers; batch normalization uses its running statistics.
    images
        Integers, shape (n, ...).

    Raises
    ------
    UnsupportedLayerError
        If the network is no chain, a layer is not in the numeric contract, or stands
        where it has no meaning.
    """
    parts = list(reference_batches(model, images))
    if len(parts) == 1:
        return parts[0]
    return Reference(
        {k: np.concatenate([p.levels[k] for p in parts]) for k in parts[0].levels},
        np.concatenate([part.accumulators for part in parts]),
        np.concatenate([part.logits for part in parts]),
    )


def reference_batches(
    model: nn.Module, images: Images, frames: int = FRAMES
) -> Iterator[Reference]:
    """Evaluate a network exactly, some frames at a time; errors as `reference`."""
    layers = chain(model)
    for some in batches(images, frames):
        yield gather(walk(layers, some))


def classify(model: nn.Module, images: Images) -> Int64:
    """Find the class of each image, shape (n,); errors as `reference`."""
    return np.concatenate([part.classes for part in reference_batches(model, images)])


def accuracy(model: nn.Module, part: Part) -> float:
    """Compute the share of images whose class is their label; errors as `reference`."""
    return float((classify(model, part.images) == part.labels).mean())


def batches(images: Images, frames: int = FRAMES) -> Iterator[Images]:
    """Cut images into batches; of none, make one batch that is empty."""
    for start in range(0, max(len(images), 1), frames):
        yield images[start : start + frames]


def walk(layers: Chain, images: Images) -> Iterator[Step]:
    """Apply layer after layer."""
    flow = Flow(images)
    for name, layer in layers:
        before, flow = flow, evaluate(layer, flow, name)
        yield Step(name, layer, before, flow)


def gather(steps: Iterable[Step]) -> Reference:
    """Collect what a walk computes."""
    levels: dict[str, npt.NDArray[np.uint8]] = {}
    last: Flow | None = None
    for step in steps:
        last = step.after
        if last.codes is not None:
            levels[step.name] = last.codes
    if last is None or last.accumulators is None:
        remedy = "Give it binary layers; a float network is evaluated by PyTorch itself"
        raise UnsupportedLayerError("the network", "has no binary layer", remedy)
    if last.real is None:
        remedy = "End it in a binary layer, whose accumulators are the logits"
        raise UnsupportedLayerError("the network", "ends in a quantizer", remedy)
    return Reference(levels, last.accumulators.astype(np.int32), last.real)
