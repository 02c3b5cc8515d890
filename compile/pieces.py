# SPDX-License-Identifier: Apache-2.0
"""Cut a network's nodes where integers are: behind quantizers and poolings."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import NodeProto

from hwgq.compile.levels import Integers
from hwgq.compile.onnx_file import ACTIVATIONS, DOTS, SUM, WINDOWED
from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.quantizers import parse_quantizer
from hwgq.compile.streams import ElementType
from hwgq.compile.tape import Shape, Tape
from hwgq.compile.weights import low_bit_weights
from hwgq.errors import UnsupportedLayerError

POOLING = WINDOWED - {"Conv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Nodes from one tensor of integers to the next.

    Those of `behind` stand between the dot product and the quantizer, the first `ahead`
    of them before the pooling. Without a dot product, `behind` reads the integers.
    """

    source: Integers
    before: tuple[NodeProto, ...] = ()
    dot: NodeProto | None = None
    behind: tuple[NodeProto, ...] = ()
    ahead: int = 0
    pool: NodeProto | None = None
    quantizer: NodeProto | None = None

    @property
    def nodes(self) -> tuple[NodeProto, ...]:
        """All nodes, in no other order than that the first and last are those."""
        middle = (self.dot, *self.behind, self.pool, self.quantizer)
        return (*self.before, *(node for node in middle if node is not None))


def cut(tape: Tape, source: Integers, nodes: Sequence[NodeProto]) -> Iterator[Piece]:
    """Cut the device's nodes behind every quantizer and every pooling of levels.

    What stands behind the last of them, or of the dot products, is the host's.
    """
    piece = Piece(source=source)
    for node in nodes:
        if node.op_type in DOTS:
            if piece.dot is not None:
                raise UnsupportedLayerError(
                    node.name,
                    f"reads what {piece.dot.name} computed, with no quantizer between",
                    "Put a Quant, BipolarQuant or MultiThreshold before it",
                )
            piece = replace(piece, before=piece.behind, dot=node, behind=())
        elif node.op_type in ACTIVATIONS:
            yield replace(piece, quantizer=node)
            piece = Piece(source=parse_quantizer(node, tape.constants).output)
        elif node.op_type not in POOLING:
            piece = replace(piece, behind=(*piece.behind, node))
        elif piece.dot is None:
            pooling = replace(_scaled(tape, piece, node), behind=(), pool=node)
            yield pooling
            piece = Piece(source=pooled(tape, pooling.source, node))
        elif piece.pool is None and node.op_type != SUM:
            piece = replace(piece, pool=node, ahead=len(piece.behind))
        elif _goes_on(tape, nodes, node):
            raise UnsupportedLayerError(
                node.name,
                f"({node.op_type}) reads a layer's dot products, or pools again",
                "Put a Quant, BipolarQuant or MultiThreshold before it",
            )
        else:
            break
    if piece.dot is not None:
        yield replace(piece, behind=(), pool=None)


def _goes_on(tape: Tape, nodes: Sequence[NodeProto], node: NodeProto) -> bool:
    """Tell whether a layer of the device follows a node."""
    position = [n.name for n in nodes].index(node.name)
    behind = nodes[position:]
    return any(n.op_type in ACTIVATIONS or is_low_bit(tape, n) for n in behind)


def _scaled(tape: Tape, piece: Piece, pool: NodeProto) -> Piece:
    """Take the scales between integers and a pooling of them into their meaning."""
    source = piece.source
    for node in piece.behind:
        factor = _factor(tape, node)
        if factor is None:
            raise UnsupportedLayerError(
                pool.name,
                f"({pool.op_type}) pools behind {node.name} ({node.op_type})",
                "Pool right behind the quantizer",
            )
        divided = node.op_type == "Div"
        step = source.step / factor if divided else source.step * factor
        source = replace(source, step=step, bias=source.bias * step / source.step)
    if source.step < 0 and pool.op_type != SUM:
        raise UnsupportedLayerError(
            pool.name,
            f"({pool.op_type}) takes the largest of levels with a negative scale",
            "Use a positive scale in the quantizer before it",
        )
    return replace(piece, source=source)


def _factor(tape: Tape, node: NodeProto) -> float | None:
    """Give the positive number that a ``Mul`` or ``Div`` has; None of other nodes."""
    if node.op_type not in ("Mul", "Div"):
        return None
    operand, position = tape.operand(node)
    values = np.asarray(operand, np.float64).reshape(-1)
    divides = node.op_type == "Div" and position == 0
    if divides or np.any(values != values[:1]) or not values[0] > 0:
        return None
    return float(values[0])


def pooled(tape: Tape, source: Integers, node: NodeProto) -> Integers:
    """Say what integers mean behind a pooling of them.

    Raises
    ------
    UnsupportedLayerError
        If they are summed, but not over all pixels.
    """
    if node.op_type != SUM:
        return source
    shape = tape.shape(node)
    _check_sum(tape, node, shape)
    pixels = math.prod(shape[1:])
    kind = source.type
    total = ElementType.unsigned(
        kind.high * pixels, step=kind.step, offset=kind.offset * pixels
    )
    return replace(source, type=total, bias=source.bias * pixels)


def _check_sum(tape: Tape, node: NodeProto, shape: Shape) -> None:
    """Refuse sums over anything but all pixels of images."""
    values = attribute_values(node)
    axes = values.get("axes")
    if len(node.input) > 1 and node.input[1]:
        axes = tape.constants[node.input[1]].tolist()
    rank = len(shape) + 1
    over = sorted(int(a) % rank for a in axes) if isinstance(axes, list) else None
    if over != [2, 3] or not values.get("keepdims", 1):
        raise UnsupportedLayerError(
            node.name,
            f"adds up over the dimensions {axes}",
            "Use a GlobalAveragePool of images",
        )


def is_low_bit(tape: Tape, node: NodeProto) -> bool:
    """Tell whether a node is a product with weights that hardware can hold."""
    return node.op_type in DOTS and low_bit_weights(tape, node) is not None
