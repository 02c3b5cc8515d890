# SPDX-License-Identifier: Apache-2.0
"""What ONNX's messages say, as plain values."""

import onnx
from onnx import ModelProto, NodeProto


def opset_of(model: ModelProto) -> int:
    """Give the version of the standard operators that a network uses."""
    return max((o.version for o in model.opset_import if o.domain == ""), default=13)


def attribute_values(node: NodeProto) -> dict[str, object]:
    """Read a node's attributes, texts as `str`."""
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
