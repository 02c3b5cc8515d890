# SPDX-License-Identifier: Apache-2.0
"""Make the float64 chains that begin with integers: levels, or a dot product of them.

Scales and offsets that the file has before a dot product are applied behind it, to the
accumulator: the real number is the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.network import Dot, Integers
from hwgq.compile.onnx_file import AFFINE, LAYOUT
from hwgq.compile.passes.normalize import attribute_values
from hwgq.compile.streams import IntArray, channels_first
from hwgq.compile.tape import Shape, Tape, relinked
from hwgq.errors import UnsupportedLayerError

START = "hwgq.integers"
_FROM_PIXEL_TO_PIXEL = "has a constant that differs from pixel to pixel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operator, ``Mul``, ``Div`` or ``Add``, with a constant on its right."""

    operator: str
    value: FloatArray


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
    nodes, operands = _scaling(tape, source, before, dot)
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
    nodes, operands = _scaling(tape, source, before, dot, start)
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


def _scaling(
    tape: Tape,
    source: Integers,
    before: Sequence[NodeProto],
    dot: Dot | None,
    tensor: str = START,
) -> tuple[list[NodeProto], dict[str, FloatArray]]:
    """Write what turns integers or accumulators into real numbers.

    Returns
    -------
    nodes, operands
        Nodes with a constant a channel, and these constants.
    """
    steps = [Step(operator="Mul", value=np.asarray(source.step))]
    if source.bias:
        steps.append(Step(operator="Add", value=np.asarray(source.bias)))
    if dot is not None:
        for position, node in enumerate(before):
            if node.op_type not in LAYOUT:
                steps += _steps(tape, before[:position], node, dot)
        steps = [_behind(dot, step) for step in steps]
        steps.append(Step(operator="Mul", value=dot.scale))
    if all(step.operator == "Mul" for step in steps):
        product = math.prod((s.value for s in steps[:-1]), start=1.0) * steps[-1].value
        steps = [Step(operator="Mul", value=product)]
    nodes, operands = [], {}
    for number, step in enumerate(steps):
        key, output = f"{START}.operand{number}", f"{START}.real{number}"
        operands[key] = step.value
        nodes.append(onnx.helper.make_node(step.operator, [tensor, key], [output]))
        tensor = output
    return nodes, operands


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
    if node.op_type in LAYOUT:
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) stands between a layer of images and its quantizer",
            "Put it behind the quantizer",
        )
    cut = {}
    for name in node.input:
        value = tape.constants.get(name)
        if value is None or value.ndim < len(frame):
            continue
        if np.any(value != value[..., :1, :1]):
            raise UnsupportedLayerError(
                node.name,
                f"({node.op_type}) {_FROM_PIXEL_TO_PIXEL}",
                "Use one number, or one a channel",
            )
        cut[name] = value[..., :1, :1]
    return cut


def _behind(dot: Dot, step: Step) -> Step:
    """Take a step before a dot product behind it."""
    if step.operator != "Add":
        return step
    if dot.window is not None and dot.window.padded and np.any(step.value):
        raise UnsupportedLayerError(
            dot.name,
            "pads its input behind an offset, so that what is padded is no level",
            "Leave the offset (such as a mean) out, or convolve without padding",
        )
    weights = dot.weights.astype(np.float64)
    offsets = np.broadcast_to(step.value, weights.shape)
    sums = np.asarray([math.fsum(row) for row in weights * offsets])
    return Step(operator="Add", value=sums)


def _steps(
    tape: Tape, before: Sequence[NodeProto], node: NodeProto, dot: Dot
) -> tuple[Step, ...]:
    """Read a node between integers and a dot product, `before` standing before it."""
    if node.op_type == "Neg":
        return (Step(operator="Mul", value=np.asarray(-1.0)),)
    if node.op_type not in AFFINE:
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) stands between a quantizer and a dot product",
            "Put it before the quantizer",
        )
    check_operand(tape, node)

    def step(operator: str, value: FloatArray) -> Step:
        columns = _in_columns(tape, node, before, dot, value)
        return _step(node, operator, columns)

    if node.op_type == "BatchNormalization":
        gamma, beta, mean, variance = (
            tape.constants[name].reshape(-1, *(1,) * (len(tape.shape(node)) - 1))
            for name in node.input[1:]
        )
        root = np.sqrt(variance + float(str(attribute_values(node)["epsilon"])))
        return (
            step("Add", -mean),
            step("Div", root),
            step("Mul", gamma),
            step("Add", beta),
        )
    value, position = tape.operand(node)
    if node.op_type != "Sub":
        return (step(node.op_type, value),)
    if position == 0:
        return step("Mul", np.asarray(-1.0)), step("Add", value)
    return (step("Add", -value),)


def _in_columns(
    tape: Tape,
    node: NodeProto,
    before: Sequence[NodeProto],
    dot: Dot,
    value: FloatArray,
) -> FloatArray:
    """Lay an operand of `node` out as the dot product's columns are.

    `before` stands between the integers and `node`.
    """
    whole = np.broadcast_to(value, (1, *tape.shape(node)))[0]
    if dot.window is None:
        order = column_order(tape, before, node)
        columns = np.empty(len(order))
        columns[order] = whole.reshape(-1)
        return columns
    columns = _of_channels(node, whole)
    return columns[:, None] if dot.depthwise else np.tile(columns, dot.window.taps)


def _step(node: NodeProto, operator: str, columns: FloatArray) -> Step:
    """Make a step of an operand of `node`, one number a column."""
    if operator == "Add":
        return Step(operator=operator, value=columns)
    if np.any(columns != columns.flat[0]):
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) scales the columns of a dot product differently",
            "Use one scale for all of them, or put a quantizer behind it",
        )
    return Step(operator=operator, value=np.asarray(columns.flat[0]))


def _of_channels(node: NodeProto, image: FloatArray) -> FloatArray:
    """Cut a constant of images, shape (channels, rows, columns), to one pixel."""
    if np.any(image != image[:, :1, :1]):
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) {_FROM_PIXEL_TO_PIXEL}",
            "Use one number, or one a channel",
        )
    return np.asarray(image[:, 0, 0])


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


def check_operand(tape: Tape, node: NodeProto) -> None:
    """Refuse constants by which a node gives no number, or is not monotone."""
    read = [tape.constants[i] for i in node.input if i in tape.constants]
    reals = [value for value in read if value.dtype.kind == "f"]
    affine = node.op_type in AFFINE
    problem = None
    if not all(np.all(np.isfinite(v) if affine else ~np.isnan(v)) for v in reals):
        problem = "has a constant that is no number"
    elif node.op_type == "Div" and tape.operand(node)[1] == 0:
        problem = "divides a constant by what flows in, which rises and falls"
    elif node.op_type == "Div" and not tape.operand(node)[0].all():
        problem = "divides by 0"
    elif node.op_type == "BatchNormalization":
        epsilon = float(str(attribute_values(node)["epsilon"]))
        if not np.all(reals[-1] + epsilon > 0):
            problem = "has a negative variance"
    if problem is not None:
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) {problem}",
            "Train again, and export in eval()",
        )


def column_order(tape: Tape, before: Sequence[NodeProto], node: NodeProto) -> IntArray:
    """Tell which element of the integers each column of a dot product's weights meets.

    Parameters
    ----------
    tape
        The network.
    before
        Nodes between the integers and the dot product.
    node
        The dot product.
    """
    layout = [n for n in before if n.op_type in LAYOUT]
    shape = tape.shape((*layout, node)[0])
    frame = tape.frame(shape)
    order: IntArray = np.arange(math.prod(shape)).reshape(1, *frame)
    order = channels_first(order).reshape(1, *shape)
    if layout:
        chain = tape.evaluator(relinked(tape, layout, START), START, shape)
        order = chain.run(order).astype(np.int64)
    return order.reshape(-1)
