# SPDX-License-Identifier: Apache-2.0
"""Write a chain of nodes for FINN, poolings of images among them.

FINN infers a pooling's hardware layers only where its padding is even, its dilation 1
and its stride no longer than the kernel, though the layers themselves take all of
these, so they are written down directly. Images between them have channels last.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto

from hwgq.compile.onnx_file import QONNX_DOMAIN
from hwgq.compile.section import Shape
from hwgq.compile.streams import ElementType
from hwgq.compile.window import Window

HARDWARE = "finn.custom_op.fpgadataflow"
CHANNELS_LAST, CHANNELS_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def datatype(kind: ElementType) -> str:
    """Name FINN's type of the integers that a stream's codes mean."""
    low, high = (int(kind.values(np.asarray(c))) for c in (kind.low, kind.high))
    if kind.step == 2:
        return "BIPOLAR"
    if low >= 0:
        return f"UINT{max(1, high.bit_length())}"
    return f"INT{max((-low - 1).bit_length(), high.bit_length()) + 1}"


class Nodes:
    """Collects nodes, each of which reads what the one before it wrote.

    Attributes
    ----------
    nodes, constants
        What was written.
    tensor
        What the last node wrote.
    """

    def __init__(self, entry: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}
        self.tensor = entry

    def add(
        self, op: str, output: str, *operands: str, domain: str = "", **attributes: Any
    ) -> None:
        """Write a node."""
        inputs = [self.tensor, *operands]
        node = onnx.helper.make_node(
            op, inputs, [output], output, domain=domain, **attributes
        )
        self.nodes.append(node)
        self.tensor = output

    def constant(self, op: str, key: str, value: npt.NDArray[np.float32]) -> None:
        """Write a node with a constant on its right."""
        self.constants[key] = value
        self.add(op, f"{key}.{op.lower()}", key)

    def turn(self, output: str, perm: tuple[int, ...]) -> None:
        """Write a node that lays images out with channels last, or first."""
        self.add("Transpose", output, perm=list(perm))

    def max_pool(
        self, name: str, window: Window, channels: int, element: ElementType
    ) -> None:
        """Write a max pooling of the integers that codes of a type mean.

        FINN pads with 0; where that is not the least integer, an ONNX operator pads.
        """
        pads = [*window.pad, *window.pad_end]
        least = int(element.values(np.asarray(element.low)))
        self.turn(f"{name}.last", CHANNELS_LAST)
        if window.padded and least:
            self._pad(f"{name}.padded", pads, least)
            pads = [0, 0, 0, 0]
        rows, columns = (
            size + before + behind
            for size, before, behind in zip(
                window.input, window.pad, window.pad_end, strict=True
            )
        )
        image = window.input if any(pads) else (rows, columns)
        kind = datatype(element)
        self.add(
            "Im2Col",
            f"{name}.windows",
            domain=QONNX_DOMAIN,
            stride=list(window.stride),
            kernel_size=list(window.kernel),
            dilations=list(window.dilation),
            pad_amount=pads,
            input_shape=str((1, *image, channels)),
            depthwise=1,
        )
        self.add(
            "Pool",
            f"{name}.largest",
            domain=HARDWARE,
            backend="fpgadataflow",
            InputDataType=kind,
            OutputDataType=kind,
            Channels=channels,
            PE=channels,  # the only one for which Python has the order of Im2Col
            KernelSize=list(window.kernel),
            Function="MaxPool",
            OutImgDims=list(window.output),
        )
        self.turn(name, CHANNELS_FIRST)

    def _pad(self, output: str, pads: Sequence[int], value: int) -> None:
        """Write a node that pads images with channels last."""
        top, left, bottom, right = pads
        around = [0, top, left, 0, 0, bottom, right, 0]
        self.constants[f"{output}.pads"] = np.asarray(around, np.int64)
        self.constants[f"{output}.value"] = np.asarray(value, np.float32)
        self.add("Pad", output, f"{output}.pads", f"{output}.value")

    def sum_pool(self, name: str, shape: Shape, element: ElementType) -> None:
        """Write the sum over all pixels of images of shape (rows, columns, channels).

        FINN infers the same layer from a mean, but with a factor behind it that no
        layer absorbs.
        """
        rows, columns, channels = shape
        least, most = element.values(np.asarray([element.low, element.high]))
        if least < 0 and most >= -least:
            # FINN finds the type of the sums by the least one, and then takes the
            # largest, if it is as large, for more than there can be. One column more,
            # of which nothing else takes notice, makes that type large enough.
            columns += 1
        self.turn(f"{name}.last", CHANNELS_LAST)
        self.add(
            "GlobalAccPool",
            f"{name}.sums",
            domain=HARDWARE,
            backend="fpgadataflow",
            NumChannels=channels,
            PE=1,
            inputDataType=datatype(element),
            numInputVectors=[1, rows, columns],
        )
        self.turn(name, CHANNELS_FIRST)


def geometry(window: Window) -> dict[str, Any]:
    """Write a window as the attributes of a ``Conv`` or ``MaxPool``."""
    attributes = {
        "kernel_shape": window.kernel,
        "strides": window.stride,
        "dilations": window.dilation,
        "pads": (*window.pad, *window.pad_end),
    }
    return {name: list(value) for name, value in attributes.items()}
