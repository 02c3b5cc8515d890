# SPDX-License-Identifier: Apache-2.0
"""Read the window of a ``Conv`` or a ``MaxPool`` off its node."""

from collections.abc import Sequence

import numpy as np
from onnx import NodeProto

from hwgq.compile.onnx_node import attribute_values
from hwgq.compile.tape import Tape
from hwgq.compile.window import Pair, Window
from hwgq.errors import UnsupportedLayerError

_IMAGE_RANK = 3


def read_window(tape: Tape, node: NodeProto) -> Window:
    """Say where the window of a node lies.

    Parameters
    ----------
    tape
        The network.
    node
        A ``Conv`` or ``MaxPool`` of its path.

    Raises
    ------
    UnsupportedLayerError
        If it moves over anything but images, or lies in the padding alone somewhere.
    """
    given, made = tape.shape(node), tape.output_shape(node)
    values = attribute_values(node)
    if len(given) != _IMAGE_RANK:
        raise UnsupportedLayerError(
            node.name,
            f"moves over {len(given) - 1} dimensions",
            "Use images of two dimensions; one may have size 1",
        )
    if node.op_type == "Conv":
        kernel = tape.operand(node)[0].shape[2:]
    else:
        kernel = _pair(values.get("kernel_shape"))
    window = Window(
        input=_pair(given[1:]),
        output=_pair(made[1:]),
        kernel=_pair(kernel),
        stride=_pair(values.get("strides", (1, 1))),
        dilation=_pair(values.get("dilations", (1, 1))),
        pad=_pads(values),
    )
    _check_reach(node, window)
    return window


def _pair(sizes: object) -> Pair:
    assert isinstance(sizes, Sequence)
    rows, columns = (int(size) for size in sizes)
    return rows, columns


def _pads(values: dict[str, object]) -> Pair:
    """Give the padding above and to the left."""
    pads = values.get("pads", (0, 0, 0, 0))
    assert isinstance(pads, Sequence)
    return _pair(pads[:2])


def _check_reach(node: NodeProto, window: Window) -> None:
    """Refuse pooling windows that meet no pixel: they have no maximum.

    Executors also refuse to pad a pooling by its kernel or more, however dilated.
    """
    if node.op_type != "MaxPool":
        return
    wide = any(
        max(ends) >= taps
        for *ends, taps in zip(window.pad, window.pad_end, window.kernel, strict=True)
    )
    if wide or not all(_reaches(window, axis) for axis in (0, 1)):
        raise UnsupportedLayerError(
            node.name,
            "is padded by its kernel or more, or lies in the padding alone",
            "Pad by less than the kernel",
        )


def _reaches(window: Window, axis: int) -> bool:
    """Tell whether a window meets a pixel at each of its positions along one axis."""
    positions = np.arange(window.output[axis])[:, np.newaxis]
    starts = positions * window.stride[axis] - window.pad[axis]
    met = starts + np.arange(window.kernel[axis]) * window.dilation[axis]
    return bool(((met >= 0) & (met < window.input[axis])).any(axis=1).all())
