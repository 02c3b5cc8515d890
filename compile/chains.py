# SPDX-License-Identifier: Apache-2.0
"""Make the float64 chains that begin with integers: levels, or a dot product of them.

Scales and offsets that the file has before a dot product are applied behind it, to the
accumulator: the real number is the same.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.graph import IntArray
from hwgq.compile.network import Dot, Integers
from hwgq.compile.onnx_file import AFFINE, LAYOUT
from hwgq.compile.passes.normalize import attribute_values
from hwgq.compile.tape import Shape, Tape, relinked
from hwgq.errors import UnsupportedLayerError

START = "hwgq.integers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operator, ``Mul``, ``Div`` or ``Add``, with a constant on its right."""

    operator: str
    value: FloatArray


def from_integers(
    tape: Tape,
    glue: Sequence[NodeProto],
    shape: Shape,
    *,
    source: Integers,
    before: Sequence[NodeProto] = (),
    dot: Dot | None = None,
) -> Float64:
    """Make the chain that begins with integers or accumulators, in flat frames.

    Where all scales are products, they are multiplied with each other first, as the
    numeric contract has it, x = (α·Δ)·acc; else each is applied in the graph's order.

    Parameters
    ----------
    tape
        The network.
    glue
        The nodes of the chain.
    shape
        Shape of a frame that the first of them reads.
    source
        What the integers mean.
    dot, before
        The dot product, if there is one, and the nodes before it.

    Raises
    ------
    UnsupportedLayerError
        If a node of `before` is no scale that all columns share, and no offset.
    """
    steps = [Step(operator="Mul", value=np.asarray(source.step))]
    if source.bias:
        steps.append(Step(operator="Add", value=np.asarray(source.bias)))
    if dot is not None:
        for position, node in enumerate(before):
            if node.op_type not in LAYOUT:
                steps += _steps(tape, before[:position], node)
        steps = [_behind(dot, step) for step in steps]
        steps.append(Step(operator="Mul", value=dot.scale))
    if all(step.operator == "Mul" for step in steps):
        product = math.prod((s.value for s in steps[:-1]), start=1.0) * steps[-1].value
        steps = [Step(operator="Mul", value=product)]
    nodes, operands, tensor = [], {}, START
    for number, step in enumerate(steps):
        key, output = f"{START}.operand{number}", f"{START}.real{number}"
        operands[key] = step.value
        nodes.append(onnx.helper.make_node(step.operator, [tensor, key], [output]))
        tensor = output
    return _chain(tape, glue, shape, nodes, operands)


def from_reals(tape: Tape, glue: Sequence[NodeProto], shape: Shape) -> Float64:
    """Make the chain of some nodes that reads flat frames.

    Parameters
    ----------
    tape
        The network.
    glue
        The nodes.
    shape
        Shape of a frame that the first of them reads.
    """
    return _chain(tape, glue, shape, [], {})


def _chain(
    tape: Tape,
    glue: Sequence[NodeProto],
    shape: Shape,
    first: list[NodeProto],
    operands: dict[str, FloatArray],
) -> Float64:
    tensor = first[-1].output[0] if first else START
    constants: dict[str, npt.NDArray[Any]] = dict(operands)
    if len(shape) != 1:
        key = f"{START}.shape"
        constants[key] = np.asarray((-1, *shape), np.int64)
        shaped = onnx.helper.make_node("Reshape", [tensor, key], [f"{START}.shaped"])
        first, tensor = [*first, shaped], shaped.output[0]
    nodes = [*first, *relinked(tape, glue, tensor)]
    return tape.evaluator(nodes, START, (math.prod(shape),), constants, made=shape)


def _behind(dot: Dot, step: Step) -> Step:
    """Take a step before a dot product behind it."""
    if step.operator != "Add":
        return step
    signs = np.where(dot.signs, 1.0, -1.0)
    columns = np.broadcast_to(step.value, signs.shape[1:])
    sums = np.asarray([math.fsum(row * columns) for row in signs])
    return Step(operator="Add", value=sums)


def _steps(
    tape: Tape, before: Sequence[NodeProto], node: NodeProto
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
    step = functools.partial(_step, tape, node, column_order(tape, before, node))
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


def _step(
    tape: Tape, node: NodeProto, order: IntArray, operator: str, value: FloatArray
) -> Step:
    """Make a step of an operand of `node`, in the order of the integers."""
    columns = np.empty(len(order))
    columns[order] = np.broadcast_to(value, (1, *tape.shape(node))).reshape(-1)
    if operator == "Add":
        return Step(operator=operator, value=columns)
    if np.any(columns != columns[0]):
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) scales the columns of a dot product differently",
            "Use one scale for all of them, or put a quantizer behind it",
        )
    return Step(operator=operator, value=columns[0])


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
    shape = tape.shape((*before, node)[0])
    order: IntArray = np.arange(math.prod(shape)).reshape(1, *shape)
    if layout:
        chain = tape.evaluator(relinked(tape, layout, START), START, shape)
        order = chain.run(order).astype(np.int64)
    return order.reshape(-1)
