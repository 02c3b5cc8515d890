# SPDX-License-Identifier: Apache-2.0
"""What turns integers, or dot products of them, into real numbers.

Scales and offsets that the file has before a dot product are applied behind it, to the
accumulator: the real number is the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import NodeProto

from hwgq.compile.evaluate import FloatArray
from hwgq.compile.levels import Integers
from hwgq.compile.onnx_file import AFFINE, LAYOUT
from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.section import Dot
from hwgq.compile.streams import IntArray, channels_first
from hwgq.compile.tape import Tape, relinked
from hwgq.errors import UnsupportedLayerError

START = "hwgq.integers"
FROM_PIXEL_TO_PIXEL = "has a constant that differs from pixel to pixel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operator, ``Mul``, ``Div`` or ``Add``, with a constant on its right."""

    operator: str
    value: FloatArray


def scaling(
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
            f"({node.op_type}) {FROM_PIXEL_TO_PIXEL}",
            "Use one number, or one a channel",
        )
    return np.asarray(image[:, 0, 0])


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
