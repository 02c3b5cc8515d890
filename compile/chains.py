# SPDX-License-Identifier: Apache-2.0
"""Make the float64 chains that begin with integers, or with dot products of them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.levels import Integers
from hwgq.compile.onnx_file import LAYOUT, RENAMING
from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.scales import FROM_PIXEL_TO_PIXEL, START, check_operand, scaling
from hwgq.compile.section import Dot
from hwgq.compile.tape import Shape, Tape, relinked
from hwgq.errors import UnsupportedLayerError


def pixel_chain(
    tape: Tape,
    glue: Sequence[NodeProto],
    channels: int,
    *,
    source: Integers,
    before: Sequence[NodeProto] = (),
    dot: Dot | None = None,
) -> Float64:
    """Make the chain of one pixel that begins with integers or accumulators.

    It reads flat frames of `channels` elements. Where all scales are products, they are
    multiplied with each other first, as the numeric contract has it, x = (α·Δ)·acc;
    else each is applied in the graph's order.

    Parameters
    ----------
    tape
        The network.
    glue
        The nodes of the chain.
    channels
        Elements of a pixel.
    source
        What the integers mean.
    dot, before
        The dot product, if there is one, and the nodes before it.

    Raises
    ------
    UnsupportedLayerError
        If a node of `before` is no scale that all columns share, and no offset, or one
        of `glue` differs from pixel to pixel.
    """
    nodes, operands = scaling(tape, source, before, dot)
    return _pixel(tape, glue, channels, nodes, operands)


def real_pixel_chain(tape: Tape, glue: Sequence[NodeProto], channels: int) -> Float64:
    """Make the chain of one pixel that begins with real numbers, in flat frames."""
    return _pixel(tape, glue, channels, [], {})


def frame_chain(
    tape: Tape,
    glue: Sequence[NodeProto],
    shape: Shape,
    *,
    source: Integers,
    before: Sequence[NodeProto] = (),
    dot: Dot | None = None,
) -> Float64:
    """Make the chain of whole frames that begins with integers or accumulators.

    It reads flat frames of what a stream carries, images with their channels last;
    else as :func:`pixel_chain`.

    Parameters
    ----------
    shape
        Shape of a frame that the first node of `glue` reads.
    """
    frame = tape.frame(shape)
    flat = len(frame) == 1
    start = START if flat else f"{START}.rows"
    nodes, operands = scaling(tape, source, before, dot, start)
    constants: dict[str, npt.NDArray[Any]] = dict(operands)
    real, shaped = nodes[-1].output[0], f"{START}.shaped"
    make = onnx.helper.make_node
    if not flat:
        constants[f"{START}.frame"] = np.asarray((-1, *frame), np.int64)
        rows = make("Reshape", [START, f"{START}.frame"], [start])
        turn = make("Transpose", [real], [shaped], perm=[0, 3, 1, 2])
        nodes = [rows, *nodes, turn]
    elif len(shape) != 1:
        constants[f"{START}.shape"] = np.asarray((-1, *shape), np.int64)
        nodes.append(make("Reshape", [real, f"{START}.shape"], [shaped]))
    nodes += relinked(tape, glue, nodes[-1].output[0])
    return tape.evaluator(nodes, START, (math.prod(shape),), constants, made=shape)


def _pixel(
    tape: Tape,
    glue: Sequence[NodeProto],
    channels: int,
    first: list[NodeProto],
    operands: dict[str, FloatArray],
) -> Float64:
    tensor = first[-1].output[0] if first else START
    constants: dict[str, npt.NDArray[Any]] = dict(operands)
    shape = pixel_shape(tape, glue[0], channels) if glue else (channels,)
    if len(shape) != 1:
        key = f"{START}.shape"
        constants[key] = np.asarray((-1, *shape), np.int64)
        shaped = onnx.helper.make_node("Reshape", [tensor, key], [f"{START}.shaped"])
        first, tensor = [*first, shaped], shaped.output[0]
    for node in glue:
        constants |= _of_a_pixel(tape, node, channels)
    nodes = [*first, *relinked(tape, glue, tensor)]
    return tape.evaluator(nodes, START, (channels,), constants, made=shape)


def pixel_shape(tape: Tape, node: NodeProto, channels: int) -> Shape:
    """Give the shape of one pixel of what a node reads."""
    shape = tape.shape(node)
    return (channels, 1, 1) if len(tape.frame(shape)) > 1 else shape


def _of_a_pixel(
    tape: Tape, node: NodeProto, channels: int
) -> dict[str, npt.NDArray[Any]]:
    """Cut a node's constants down to one pixel, where it works on images."""
    frame = tape.frame(tape.shape(node))
    if len(frame) == 1:
        return {}
    if node.op_type in RENAMING and math.prod(frame) == frame[-1]:
        return {}
    if node.op_type in LAYOUT:
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) stands between a layer of images and its quantizer",
            "Put it behind the quantizer",
        )
    cut = {}
    for name in node.input:
        value = tape.constants.get(name)
        if value is None or node.op_type == "BatchNormalization":
            continue
        value = value.reshape(*(1,) * (len(frame) - value.ndim), *value.shape)
        if np.any(value != value[..., :1, :1]):
            raise UnsupportedLayerError(
                node.name,
                f"({node.op_type}) {FROM_PIXEL_TO_PIXEL}",
                "Use one number, or one a channel",
            )
        cut[name] = value[..., :1, :1]
    return cut


def check_monotone(tape: Tape, node: NodeProto) -> None:
    """Refuse a node of a chain that thresholds cannot stand for.

    Raises
    ------
    UnsupportedLayerError
        If it orders elements anew, is not monotone, or can give no number.
    """
    problem = None
    if node.op_type == "Transpose":
        problem = "orders the elements between a layer and its quantizer anew"
    elif (
        node.op_type in ("Elu", "LeakyRelu", "Selu")
        and float(str(attribute_values(node)["alpha"])) < 0
    ):
        problem = "has a negative alpha, and so rises and falls"
    if problem is not None:
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) {problem}",
            "Move it behind the quantizer, or leave it out",
        )
    check_operand(tape, node)
