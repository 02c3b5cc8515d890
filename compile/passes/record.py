# SPDX-License-Identifier: Apache-2.0
"""Record what a normalized network computes, before FINN rewrites it.

The chain of nodes is cut where integers are: at a declared integer input and behind
every quantizer. What stands before the first or after the last of them is float and
stays on the host; in between, each piece becomes a section of the device.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.graph import IntArray
from hwgq.compile.network import BoolArray, Dot, Integers, Network, Section
from hwgq.compile.onnx_file import ACTIVATIONS, AFFINE, LAYOUT, MONOTONE
from hwgq.compile.quantizers import integer_output, parse_quantizer
from hwgq.compile.tape import Tape, relinked
from hwgq.compile.weights import binary_weights
from hwgq.errors import NetworkError, UnsupportedLayerError

_INTEGERS = "hwgq.integers"
_GLUE = AFFINE | LAYOUT | MONOTONE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """Nodes from one tensor of integers to the next."""

    source: Integers
    before: tuple[NodeProto, ...]
    matmul: NodeProto | None
    behind: tuple[NodeProto, ...]
    quantizer: NodeProto | None


def record(tape: Tape, declared: Integers | None) -> Network:
    """Cut a network into sections.

    Parameters
    ----------
    tape
        The network's nodes.
    declared
        What the network's own input is; None where it is float.

    Returns
    -------
    Network
        Host part before, sections on the device, host part after.

    Raises
    ------
    UnsupportedLayerError
        If a node cannot be mapped, or a layer has no quantizer before it.
    NetworkError
        If the network has no 1-bit layer.
    """
    start = 0 if declared else _first_quantizer(tape)
    end = _end_of_device(tape, start)
    source = declared or _made_by(tape.path[start - 1], tape)
    pieces = list(_cut(tape, source, tape.path[start:end]))
    if pieces[-1].quantizer is None and pieces[-1].matmul is None:
        pieces.pop()  # glue behind the last quantizer: the host's
    if not any(p.matmul for p in pieces):
        raise NetworkError(
            "network",
            "has no layer with 1-bit weights behind a quantizer",
            "Quantize weights by BipolarQuant, and inputs by Quant or --input-type",
        )
    return Network(
        input_shape=tape.input_shape,
        source=source,
        before=None if declared else _before(tape, start),
        sections=tuple(_section(tape, p) for p in pieces),
        after=_after(tape, pieces[-1]),
    )


def _made_by(quantizer: NodeProto, tape: Tape) -> Integers:
    return parse_quantizer(quantizer, tape.constants).output


def _weights(tape: Tape, node: NodeProto) -> tuple[BoolArray, FloatArray] | None:
    """Read the 1-bit weights of a MatMul; None where they are float."""
    name = node.input[1]
    if name not in tape.constants:
        raise UnsupportedLayerError(
            node.name, "has no constant on its right", "Use constant weights there"
        )
    return binary_weights(node.name, name, tape.constants, tape.producers)


def _first_quantizer(tape: Tape) -> int:
    """Find the position behind the first quantizer of a network with float input."""
    for position, node in enumerate(tape.path):
        if node.op_type in ACTIVATIONS:
            return position + 1
        if node.op_type == "MatMul" and _weights(tape, node) is not None:
            raise UnsupportedLayerError(
                node.name,
                "has 1-bit weights but reads a float input that no quantizer made",
                "Declare the input, as by --input-type UINT8 --input-scale 1/255, or"
                " put a quantizer before it",
            )
    raise NetworkError(
        "network",
        "has no quantizer of activations",
        "Quantize activations by Quant, BipolarQuant or MultiThreshold",
    )


def _end_of_device(tape: Tape, start: int) -> int:
    """Find the first node that only a host can compute."""
    culprit: tuple[int, NodeProto] | None = None
    for position, node in enumerate(tape.path[start:], start):
        binary = node.op_type == "MatMul" and _weights(tape, node) is not None
        if binary and culprit is not None:
            raise UnsupportedLayerError(
                culprit[1].name,
                f"({culprit[1].op_type}) is float, and 1-bit layers follow it",
                "Give it 1-bit weights (BipolarQuant), or move it to an end of the"
                " network, where the host computes it",
            )
        if not binary and node.op_type not in _GLUE | ACTIVATIONS and culprit is None:
            culprit = position, node
    return culprit[0] if culprit else len(tape.path)


def _cut(tape: Tape, source: Integers, nodes: Sequence[NodeProto]) -> Iterator[_Piece]:
    """Cut the device's nodes behind every quantizer; the last piece may have none."""
    matmul: NodeProto | None = None
    before: list[NodeProto] = []
    behind: list[NodeProto] = []
    for node in nodes:
        if node.op_type == "MatMul" and matmul is not None:
            raise UnsupportedLayerError(
                node.name,
                f"reads what {matmul.name} computed, with no quantizer between",
                "Put a Quant, BipolarQuant or MultiThreshold before it",
            )
        if node.op_type == "MatMul":
            matmul = node
        elif node.op_type in ACTIVATIONS:
            yield _Piece(
                source=source,
                before=tuple(before),
                matmul=matmul,
                behind=tuple(behind),
                quantizer=node,
            )
            source, matmul, before, behind = _made_by(node, tape), None, [], []
        else:
            (before if matmul is None else behind).append(node)
    yield _Piece(
        source=source,
        before=tuple(before),
        matmul=matmul,
        behind=tuple(behind),
        quantizer=None,
    )


def _section(tape: Tape, piece: _Piece) -> Section:
    dot = None if piece.matmul is None else _dot(tape, piece, piece.matmul)
    if piece.quantizer is None:
        assert dot is not None
        return Section(
            name=dot.name,
            input_type=piece.source.type,
            shape=(len(dot.signs),),
            dot=dot,
        )
    glue = piece.before if dot is None else piece.behind
    shape = _elementwise_shape(tape, piece) if dot is None else (len(dot.signs),)
    for node in glue:
        if node.op_type == "Transpose" or (dot and node.op_type in LAYOUT):
            raise UnsupportedLayerError(
                node.name,
                f"({node.op_type}) stands between a layer and its quantizer",
                "Move it behind the quantizer",
            )
    quantizer = parse_quantizer(piece.quantizer, tape.constants)
    affine = sum(
        1 for _ in itertools.takewhile(lambda n: n.op_type not in MONOTONE, glue)
    )
    tail = relinked(tape, glue[affine:], _INTEGERS)
    return Section(
        name=piece.quantizer.name,
        input_type=piece.source.type,
        shape=shape,
        dot=dot,
        head=_from_integers(tape, piece, dot, glue[:affine]),
        tail=tape.evaluator(tail, _INTEGERS) if tail else None,
        quantizer=quantizer.per_element(shape) if dot is None else quantizer,
    )


def _elementwise_shape(tape: Tape, piece: _Piece) -> tuple[int, ...]:
    """Give the shape of a frame that a piece without dot product reads."""
    assert piece.quantizer is not None
    return tape.shape(piece.before[0] if piece.before else piece.quantizer)


def _dot(tape: Tape, piece: _Piece, node: NodeProto) -> Dot:
    weights = _weights(tape, node)
    assert weights is not None
    signs, scale = weights
    order = _column_order(tape, piece, node)
    if len(order) != signs.shape[1] or sorted(order) != list(range(len(order))):
        raise UnsupportedLayerError(
            node.name,
            f"reads {len(order)} elements a frame with weights for {signs.shape[1]}",
            "Flatten before it: only matrix-vector products are mapped",
        )
    original = np.empty_like(signs)
    original[:, order] = signs
    return Dot(name=node.name, signs=original, scale=scale)


def _column_order(tape: Tape, piece: _Piece, node: NodeProto) -> IntArray:
    """Tell which element of the integers each column of the weights meets."""
    layout = [n for n in piece.before if n.op_type in LAYOUT]
    shape = tape.shape((*piece.before, node)[0])
    order: IntArray = np.arange(math.prod(shape)).reshape(1, *shape)
    if layout:
        chain = relinked(tape, layout, _INTEGERS)
        order = tape.evaluator(chain, _INTEGERS).run(order).astype(np.int64)
    return order.reshape(-1)


def _from_integers(
    tape: Tape, piece: _Piece, dot: Dot | None, glue: Sequence[NodeProto]
) -> Float64:
    """Make the evaluator that begins with a piece's integers or accumulators.

    Scales before a dot product are applied to the accumulator: the real number is the
    same. Where they are products alone, they are multiplied with α first, as the
    numeric contract has it, x = (α·Δ)·acc; else each is applied in the graph's order.
    """
    steps: list[tuple[str, npt.NDArray[Any]]] = [("Mul", np.asarray(piece.source.step))]
    if piece.source.bias:
        steps.append(("Add", np.asarray(piece.source.bias)))
    if dot is not None:
        signs = np.where(dot.signs, 1.0, -1.0)
        steps += [_scale_step(tape, n) for n in piece.before if n.op_type not in LAYOUT]
        steps = [(o, _through(signs, v) if o == "Add" else v) for o, v in steps]
        steps.append(("Mul", dot.scale))
    if all(operator == "Mul" for operator, _ in steps):
        steps = [
            ("Mul", math.prod((v for _, v in steps[:-1]), start=1.0) * steps[-1][1])
        ]
    nodes, operands, tensor = [], {}, _INTEGERS
    for number, (operator, value) in enumerate(steps):
        key, output = f"{_INTEGERS}.operand{number}", f"{_INTEGERS}.real{number}"
        operands[key] = np.asarray(value, np.float64)
        nodes.append(onnx.helper.make_node(operator, [tensor, key], [output]))
        tensor = output
    chain = [*nodes, *relinked(tape, glue, tensor)]
    return tape.evaluator(chain, _INTEGERS, operands)


def _through(signs: FloatArray, offset: npt.NDArray[Any]) -> FloatArray:
    """Compute what adding `offset` to every column adds to each dot product."""
    columns = np.broadcast_to(offset.reshape(-1), signs.shape[1:])
    return np.asarray([math.fsum(row * columns) for row in signs])


def _scale_step(tape: Tape, node: NodeProto) -> tuple[str, npt.NDArray[Any]]:
    """Read an affine node between integers and a dot product."""
    if node.op_type == "Neg":
        return "Mul", np.asarray(-1.0)
    if node.op_type not in ("Add", "Div", "Mul", "Sub"):
        raise UnsupportedLayerError(
            node.name,
            f"({node.op_type}) stands between a quantizer and a dot product",
            "Put it before the quantizer",
        )
    value, position = tape.operand(node)
    if position == 0 and node.op_type in ("Div", "Sub"):
        raise UnsupportedLayerError(
            node.name, f"({node.op_type}) has a constant on its left", "Use the right"
        )
    if node.op_type in ("Div", "Mul"):
        if np.any(value != value.flat[0]):
            raise UnsupportedLayerError(
                node.name,
                "scales the columns of a dot product differently",
                "Use one scale for all of them",
            )
        return node.op_type, np.asarray(value.flat[0])
    elements = math.prod(tape.shape(node))
    if value.size not in (1, elements):
        value = np.broadcast_to(value, (1, *tape.shape(node)))
    return "Add", value if node.op_type == "Add" else -value


def _before(tape: Tape, start: int) -> Float64:
    """Make the host's part up to the first quantizer, which shall emit integers."""
    last, extra = integer_output(tape.path[start - 1], tape.constants)
    return tape.evaluator([*tape.path[: start - 1], *last], tape.input, extra)


def _after(tape: Tape, piece: _Piece) -> Float64:
    """Make the host's part from the integers that leave the device."""
    if piece.quantizer is None:
        assert piece.matmul is not None
        position = list(tape.path).index(piece.matmul) + 1
        return _from_integers(
            tape, piece, _dot(tape, piece, piece.matmul), tape.path[position:]
        )
    position = list(tape.path).index(piece.quantizer) + 1
    source = _Piece(
        source=_made_by(piece.quantizer, tape),
        before=(),
        matmul=None,
        behind=(),
        quantizer=None,
    )
    return _from_integers(tape, source, None, tape.path[position:])
