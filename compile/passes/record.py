# SPDX-License-Identifier: Apache-2.0
"""Record what a normalized network computes, before FINN rewrites it.

The chain of nodes is cut where integers are: at a declared integer input and behind
every quantizer. What stands before the first or after the last of them is float and
stays on the host; in between, each piece becomes a section of the device.
"""

import functools
import itertools
from dataclasses import replace

import numpy as np
from onnx import NodeProto

from hwgq.compile.chains import (
    check_monotone,
    frame_chain,
    pixel_chain,
    pixel_shape,
    real_pixel_chain,
)
from hwgq.compile.evaluate import Float64
from hwgq.compile.network import BoolArray, Integers, Network, Section
from hwgq.compile.onnx_file import (
    ACTIVATIONS,
    AFFINE,
    DOTS,
    MONOTONE,
    RENAMING,
    SUM,
)
from hwgq.compile.passes.exact_thresholds import accumulator_bounds, decreasing
from hwgq.compile.pieces import POOLING, Piece, cut, is_low_bit, pooled
from hwgq.compile.quantizers import integer_output, parse_quantizer
from hwgq.compile.read_dot import read_dot
from hwgq.compile.read_window import read_window
from hwgq.compile.tape import Tape
from hwgq.compile.weights import REMEDY, weight_kind
from hwgq.errors import NetworkError, UnsupportedLayerError

_GLUE = AFFINE | MONOTONE | RENAMING | {"Transpose"}


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
    source = _source(tape, declared, start)
    pieces = list(cut(tape, source, tape.path[start:end]))
    return Network(
        input_shape=tape.input_shape,
        declared=declared,
        source=source,
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
            "has low-bit weights but reads a float input that no quantizer made",
            "Declare the input, as by --input-type UINT8 --input-scale 1/255, or"
            " put a quantizer before it",
        )
    start = starts.pop()
    while starts and _maps(tape, declared, starts[-1], start):
        start = starts.pop()
    return start


def _first_layer(tape: Tape) -> int:
    """Find the first product with low-bit weights."""
    for position, node in enumerate(tape.path):
        if is_low_bit(tape, node):
            return position
    if not any(node.op_type in ACTIVATIONS for node in tape.path):
        raise NetworkError(
            "network",
            "has no quantizer of activations",
            "Quantize activations by Quant, BipolarQuant or MultiThreshold",
        )
    products = [n for n in tape.path if n.op_type in DOTS]
    kinds = ", ".join(f"{n.name} has {weight_kind(tape, n)} weights" for n in products)
    raise NetworkError(
        "network",
        f"has no layer with low-bit weights ({kinds or 'and no other'})",
        REMEDY,
    )


def _maps(tape: Tape, declared: Integers | None, start: int, end: int) -> bool:
    """Tell whether the device can go from integers to the quantizer before `end`."""
    *glue, quantizer = tape.path[start:end]
    if any(n.op_type not in _GLUE or n.op_type == "Transpose" for n in glue):
        return False
    piece = Piece(
        source=_source(tape, declared, start), behind=tuple(glue), quantizer=quantizer
    )
    return not decreasing(_section(tape, piece)).any()


def _end_of_device(tape: Tape, start: int) -> int:
    """Find the first node that only a host can compute."""
    culprit: tuple[int, NodeProto] | None = None
    for position, node in enumerate(tape.path[start:], start):
        low_bit = is_low_bit(tape, node)
        if low_bit and culprit is not None:
            raise _in_the_way(tape, culprit[1])
        known = low_bit or node.op_type in _GLUE | ACTIVATIONS | POOLING
        if not known and culprit is None:
            culprit = position, node
    return culprit[0] if culprit else len(tape.path)


def _in_the_way(tape: Tape, node: NodeProto) -> UnsupportedLayerError:
    if node.op_type not in DOTS:
        return UnsupportedLayerError(
            node.name,
            f"({node.op_type}) is float, and low-bit layers follow it",
            "Move it to an end of the network, where the host computes it",
        )
    kind = weight_kind(tape, node)
    remedy = f"{REMEDY}; only the first and the last layer can stay on the host"
    return UnsupportedLayerError(
        node.name, f"has {kind} weights, and stands between low-bit layers", remedy
    )


def _section(tape: Tape, piece: Piece) -> Section:
    shape_in = tape.frame(tape.shape(piece.nodes[0]))
    kind = piece.source.type
    if piece.dot is None and piece.quantizer is None:
        assert piece.pool is not None
        sums = piece.pool.op_type == SUM
        return Section(
            name=piece.pool.name,
            input_type=kind,
            shape_in=shape_in,
            shape=(1, 1, shape_in[-1]) if sums else shape_in,
            pool=None if sums else read_window(tape, piece.pool),
            sums=sums,
            output=pooled(tape, piece.source, piece.pool),
        )
    dot = None if piece.dot is None else read_dot(tape, piece, piece.dot)
    shape = shape_in
    if piece.dot is not None:
        shape = tape.frame(tape.output_shape(piece.dot))
    if piece.quantizer is None:
        assert dot is not None
        return Section(
            name=dot.name, input_type=kind, shape_in=shape_in, shape=shape, dot=dot
        )
    glue = piece.behind
    for node in glue:
        check_monotone(tape, node)
    affine = sum(
        1 for _ in itertools.takewhile(lambda n: n.op_type not in MONOTONE, glue)
    )
    make_chain = functools.partial(
        pixel_chain, tape, source=piece.source, before=piece.before, dot=dot
    )
    tail = glue[affine:]
    quantizer = parse_quantizer(piece.quantizer, tape.constants)
    section = Section(
        name=piece.quantizer.name,
        output=quantizer.output,
        input_type=kind,
        shape_in=shape_in,
        shape=shape,
        dot=dot,
        head=make_chain(glue[:affine], channels=shape[-1]),
        tail=real_pixel_chain(tape, tail, shape[-1]) if tail else None,
        quantizer=quantizer.per_element(
            pixel_shape(tape, piece.quantizer, shape[-1]),
        ),
    )
    if piece.pool is None:
        return section
    section = replace(section, pool=read_window(tape, piece.pool))
    ahead = make_chain(glue[: piece.ahead], channels=shape[-1])
    return replace(section, minimum=_falling_behind_pool(section, ahead))


def _falling_behind_pool(section: Section, ahead: Float64) -> BoolArray | None:
    """Tell of which channels the chain falls from the pooling on.

    `ahead` is the part of the chain before the pooling.
    """
    ends = np.stack(accumulator_bounds(section))
    low, high = section.codes(ends)
    first, last = ahead.run(ends).reshape(ends.shape)
    minimum = np.asarray((low != high) & ((high < low) != (last < first)))
    return minimum if minimum.any() else None


def _before(tape: Tape, start: int) -> Float64:
    """Make the host's part up to the first quantizer, which shall emit integers."""
    last, extra = integer_output(tape.path[start - 1], tape.constants)
    nodes = [*tape.path[: start - 1], *last]
    return tape.evaluator(nodes, tape.input, tape.input_shape, extra)


def _after(tape: Tape, piece: Piece) -> Float64:
    """Make the host's part from the integers that leave the device."""
    last = piece.quantizer or piece.pool or piece.dot
    assert last is not None
    path = list(tape.path)
    glue = path[path.index(last) + 1 :]
    make_chain = functools.partial(frame_chain, tape, glue, tape.output_shape(last))
    if piece.quantizer is not None:
        source = parse_quantizer(piece.quantizer, tape.constants).output
        return make_chain(source=source)
    if piece.dot is None:
        return make_chain(source=pooled(tape, piece.source, last))
    dot = read_dot(tape, piece, piece.dot)
    return make_chain(source=piece.source, before=piece.before, dot=dot)
