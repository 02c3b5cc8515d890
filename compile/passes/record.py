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

import numpy as np
from onnx import NodeProto

from hwgq.compile.chains import (
    check_monotone,
    column_order,
    from_integers,
    from_reals,
)
from hwgq.compile.evaluate import Float64
from hwgq.compile.network import Dot, Integers, Network, Section
from hwgq.compile.onnx_file import ACTIVATIONS, AFFINE, MONOTONE, RENAMING
from hwgq.compile.passes.exact_thresholds import decreasing
from hwgq.compile.quantizers import integer_output, parse_quantizer
from hwgq.compile.tape import Tape
from hwgq.compile.weights import REMEDY, binary_weights, weight_kind
from hwgq.errors import NetworkError, UnsupportedLayerError

_GLUE = AFFINE | MONOTONE | RENAMING | {"Transpose"}


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
    start = _start_of_device(tape, declared)
    end = _end_of_device(tape, start)
    pieces = list(_cut(tape, _source(tape, declared, start), tape.path[start:end]))
    if pieces[-1].quantizer is None and pieces[-1].matmul is None:
        pieces.pop()  # glue behind the last quantizer: the host's
    return Network(
        input_shape=tape.input_shape,
        declared=declared,
        source=pieces[0].source,
        before=_before(tape, start) if start else None,
        start=start,
        sections=tuple(_section(tape, p) for p in pieces),
        after=_after(tape, pieces[-1]),
    )


def _source(tape: Tape, declared: Integers | None, start: int) -> Integers:
    """Say what the integers are that flow into the node at `start`."""
    if start == 0:
        assert declared is not None
        return declared
    return parse_quantizer(tape.path[start - 1], tape.constants).output


def _is_binary(tape: Tape, node: NodeProto) -> bool:
    return node.op_type == "MatMul" and binary_weights(tape, node) is not None


def _start_of_device(tape: Tape, declared: Integers | None) -> int:
    """Find where the device begins: at the input, or behind a quantizer.

    That is as early as can be; what is float, or falls where no weights can be negated,
    is the host's.
    """
    layer = _first_layer(tape)
    starts = [0] if declared else []
    starts += [i + 1 for i in range(layer) if tape.path[i].op_type in ACTIVATIONS]
    if not starts:
        raise UnsupportedLayerError(
            tape.path[layer].name,
            "has 1-bit weights but reads a float input that no quantizer made",
            "Declare the input, as by --input-type UINT8 --input-scale 1/255, or"
            " put a quantizer before it",
        )
    start = starts.pop()
    while starts and _maps(tape, declared, starts[-1], start):
        start = starts.pop()
    return start


def _first_layer(tape: Tape) -> int:
    """Find the first product with 1-bit weights."""
    for position, node in enumerate(tape.path):
        if _is_binary(tape, node):
            return position
    if not any(node.op_type in ACTIVATIONS for node in tape.path):
        raise NetworkError(
            "network",
            "has no quantizer of activations",
            "Quantize activations by Quant, BipolarQuant or MultiThreshold",
        )
    products = [n for n in tape.path if n.op_type == "MatMul"]
    kinds = ", ".join(f"{n.name} has {weight_kind(tape, n)} weights" for n in products)
    raise NetworkError(
        "network",
        f"has no layer with 1-bit weights ({kinds or 'and no other'})",
        REMEDY,
    )


def _maps(tape: Tape, declared: Integers | None, start: int, end: int) -> bool:
    """Tell whether the device can go from integers to the quantizer before `end`."""
    *glue, quantizer = tape.path[start:end]
    if any(n.op_type not in _GLUE or n.op_type == "Transpose" for n in glue):
        return False
    piece = _Piece(
        source=_source(tape, declared, start),
        before=tuple(glue),
        matmul=None,
        behind=(),
        quantizer=quantizer,
    )
    return not decreasing(_section(tape, piece)).any()


def _end_of_device(tape: Tape, start: int) -> int:
    """Find the first node that only a host can compute."""
    culprit: tuple[int, NodeProto] | None = None
    for position, node in enumerate(tape.path[start:], start):
        binary = _is_binary(tape, node)
        if binary and culprit is not None:
            raise _in_the_way(tape, culprit[1])
        if not binary and node.op_type not in _GLUE | ACTIVATIONS and culprit is None:
            culprit = position, node
    return culprit[0] if culprit else len(tape.path)


def _in_the_way(tape: Tape, node: NodeProto) -> UnsupportedLayerError:
    if node.op_type != "MatMul":
        return UnsupportedLayerError(
            node.name,
            f"({node.op_type}) is float, and 1-bit layers follow it",
            "Move it to an end of the network, where the host computes it",
        )
    kind = weight_kind(tape, node)
    remedy = f"{REMEDY}; only the first and the last layer can stay on the host"
    return UnsupportedLayerError(
        node.name, f"has {kind} weights, and stands between 1-bit layers", remedy
    )


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
            source = parse_quantizer(node, tape.constants).output
            matmul, before, behind = None, [], []
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
        assert piece.matmul is not None
        assert dot is not None
        return Section(
            name=dot.name,
            input_type=piece.source.type,
            channels=len(dot.signs),
            dot=dot,
        )
    glue = piece.before if piece.matmul is None else piece.behind
    for node in glue:
        check_monotone(tape, node)
    shape = tape.shape((*glue, piece.quantizer)[0])
    affine = sum(
        1 for _ in itertools.takewhile(lambda n: n.op_type not in MONOTONE, glue)
    )
    tail = glue[affine:]
    middle = tape.shape((*glue, piece.quantizer)[affine])
    quantizer = parse_quantizer(piece.quantizer, tape.constants)
    return Section(
        name=piece.quantizer.name,
        input_type=piece.source.type,
        channels=math.prod(shape),
        dot=dot,
        head=from_integers(
            tape,
            glue[:affine],
            shape,
            source=piece.source,
            before=piece.before,
            dot=dot,
        ),
        tail=from_reals(tape, tail, middle) if tail else None,
        quantizer=quantizer.per_element(tape.shape(piece.quantizer)),
    )


def _dot(tape: Tape, piece: _Piece, node: NodeProto) -> Dot:
    weights = binary_weights(tape, node)
    assert weights is not None
    signs, scale = weights
    order = column_order(tape, piece.before, node)
    if len(order) != signs.shape[1] or math.prod(tape.output_shape(node)) != len(signs):
        raise UnsupportedLayerError(
            node.name,
            f"reads {len(order)} elements a frame with weights for {signs.shape[1]}",
            "Flatten before it: only matrix-vector products are mapped",
        )
    original = np.empty_like(signs)
    original[:, order] = signs
    return Dot(name=node.name, signs=original, scale=scale)


def _before(tape: Tape, start: int) -> Float64:
    """Make the host's part up to the first quantizer, which shall emit integers."""
    last, extra = integer_output(tape.path[start - 1], tape.constants)
    nodes = [*tape.path[: start - 1], *last]
    return tape.evaluator(nodes, tape.input, tape.input_shape, extra)


def _after(tape: Tape, piece: _Piece) -> Float64:
    """Make the host's part from the integers that leave the device."""
    path = list(tape.path)
    if piece.quantizer is None:
        assert piece.matmul is not None
        dot = _dot(tape, piece, piece.matmul)
        glue = path[path.index(piece.matmul) + 1 :]
        shape = tape.output_shape(piece.matmul)
        return from_integers(
            tape, glue, shape, source=piece.source, before=piece.before, dot=dot
        )
    glue = path[path.index(piece.quantizer) + 1 :]
    source = parse_quantizer(piece.quantizer, tape.constants).output
    shape = tape.output_shape(piece.quantizer)
    return from_integers(tape, glue, shape, source=source)
