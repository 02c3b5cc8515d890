# SPDX-License-Identifier: Apache-2.0
"""Write every window's padding as numbers, whatever rule a file gives for it.

The rules ``auto_pad`` and ``ceil_mode`` are read differently by the executors that this
compiler is compared with: ONNX's own pads where VALID says not to, onnxruntime leaves
the dilation of a pooling out. Numbers are read by all of them alike.
"""

from collections.abc import Iterator, Mapping, Sequence

import onnx
from onnx import ModelProto, NodeProto

from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.onnx_schema import infer_shapes

_WINDOWED = frozenset({"Conv", "MaxPool"})


def write_pads(model: ModelProto) -> None:
    """Give each ``Conv`` and ``MaxPool`` of a network `pads` alone."""
    for number, node in enumerate(model.graph.node):
        values = attribute_values(node)
        automatic = values.get("auto_pad", "NOTSET") != "NOTSET"
        if node.op_type not in _WINDOWED or not (automatic or values.get("ceil_mode")):
            continue
        # Sizes are right up to here, because all rules before are gone. Those behind
        # may not fit: ONNX counts positions of `ceil_mode` that lie in padding alone.
        sizes = _sizes(model, number)
        kernel = values.get("kernel_shape") or sizes.get(node.input[1], ())[2:]
        given = sizes.get(node.input[0], ())[2:]
        assert isinstance(kernel, Sequence)
        if len(given) == len(kernel) > 0 and 0 not in given:
            pairs = list(_pads(values, given, kernel))
            _set_pads(node, [pair[end] for end in (0, 1) for pair in pairs])


def _sizes(model: ModelProto, nodes: int) -> Mapping[str, Sequence[int]]:
    """Infer the sizes of what the first nodes read and write."""
    begin = ModelProto()
    begin.CopyFrom(model)
    del begin.graph.node[nodes:], begin.graph.output[:]
    sizes: dict[str, Sequence[int]] = dict(infer_shapes(begin, "network"))
    for value in model.graph.input:
        sizes[value.name] = [d.dim_value for d in value.type.tensor_type.shape.dim]
    return sizes | {t.name: list(t.dims) for t in model.graph.initializer}


def _pads(
    values: Mapping[str, object], given: Sequence[int], kernel: Sequence[int]
) -> Iterator[tuple[int, int]]:
    """Give what pads each dimension, before and behind."""
    axes = len(kernel)
    strides = _numbers(values, "strides", [1] * axes)
    dilations = _numbers(values, "dilations", [1] * axes)
    pads = _numbers(values, "pads", [0] * 2 * axes)
    mode = values.get("auto_pad", "NOTSET")
    for axis, (size, taps) in enumerate(zip(given, kernel, strict=True)):
        stride, extent = strides[axis], dilations[axis] * (taps - 1) + 1
        before, behind = pads[axis], pads[axes + axis]
        if mode == "VALID":
            before = behind = 0
        elif mode != "NOTSET":
            total = max(0, (-(-size // stride) - 1) * stride + extent - size)
            before = (total + (mode == "SAME_LOWER")) // 2
            behind = total - before
        elif values.get("ceil_mode"):
            last = -(-(size + before + behind - extent) // stride) * stride
            # A position that begins behind the image and its padding is none.
            last -= stride if last >= size + before else 0
            behind = max(0, last + extent - before - size)
        yield before, behind


def _numbers(
    values: Mapping[str, object], name: str, default: Sequence[int]
) -> Sequence[int]:
    numbers = values.get(name) or default
    assert isinstance(numbers, Sequence)
    return numbers


def _set_pads(node: NodeProto, pads: Sequence[int]) -> None:
    replaced = ("auto_pad", "ceil_mode", "pads")
    kept = [a for a in node.attribute if a.name not in replaced]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute("pads", pads)])
