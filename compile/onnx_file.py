# SPDX-License-Identifier: Apache-2.0
"""Read a network file that nobody vouches for.

Everything here looks at the bare protobuf, before qonnx or FINN see it: qonnx imports
a node's domain as a Python module, and both trust shapes and references.
"""

import difflib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from hwgq.compile.onnx_schema import check_quantizer, check_schemas, infer_shapes
from hwgq.compile.passes.explicit_pads import write_pads
from hwgq.errors import NetworkError, UnsupportedLayerError

QONNX_DOMAIN = "qonnx.custom_op.general"
# What older exporters call the same operators.
QONNX_ALIASES = ("onnx.brevitas", "finn.custom_op.general")

INT_QUANT = "IntQuant"  # what qonnx 1.0 calls Quant
ACTIVATIONS = frozenset({"BipolarQuant", "MultiThreshold", "Quant"})
# These give the dimensions of a tensor new names and leave its elements in order.
RENAMING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
LAYOUT = RENAMING | {"Transpose"}
AFFINE = frozenset({"Add", "BatchNormalization", "Div", "Mul", "Neg", "Sub"})
# Each of these never decreases, so that thresholds can stand for it.
MONOTONE = frozenset(
    {"Ceil", "Clip", "Elu", "Erf", "Floor", "HardSigmoid", "LeakyRelu"}
    | {"Relu", "Round", "Selu", "Sigmoid", "Softplus", "Softsign", "Tanh"}
)
DOTS = frozenset({"Conv", "Gemm", "MatMul"})
# These tell the pixels of an image from its channels. ReduceSum is what is left of a
# GlobalAveragePool when its division stands apart.
POOLS = frozenset({"GlobalAveragePool", "MaxPool"})
SUM = "ReduceSum"
WINDOWED = frozenset({"Conv", "MaxPool", SUM})
REMOVABLE = frozenset({"Cast", "Constant", "Dropout", "Identity"})
# Arithmetic on shapes, as exporters write it for `x.view(x.size(0), -1)`.
SHAPES = frozenset({"Concat", "Gather", "Shape", "Slice"})
# These may stand before the first or after the last quantizer only: on the host.
HOST = frozenset({"ArgMax", "LogSoftmax", "Softmax", "TopK"})

STANDARD = LAYOUT | AFFINE | MONOTONE | DOTS | POOLS | REMOVABLE | SHAPES | HOST
DOMAINS = {
    "": STANDARD,
    "ai.onnx": STANDARD,
    QONNX_DOMAIN: ACTIVATIONS | {INT_QUANT},
} | dict.fromkeys(QONNX_ALIASES, ACTIVATIONS)

MAX_FILE_BYTES = 2**31 - 1
MAX_ELEMENTS = 2**26
MAX_OPSET, MIN_OPSET = 24, 7

_ITEM_BYTES: Mapping[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.DOUBLE: 8,
    TensorProto.FLOAT16: 2,
    TensorProto.INT8: 1,
    TensorProto.UINT8: 1,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
    TensorProto.BOOL: 1,
}


def load_network(path: Path) -> ModelProto:
    """Read an ONNX file and check all that later stages rely on.

    Parameters
    ----------
    path
        A ``.onnx`` file with QONNX quantizers.

    Returns
    -------
    ModelProto
        The network as it was handed in, known to be one graph of allowed operators in
        topological order, with whole initializers of sane shapes.

    Raises
    ------
    NetworkError
        If the file is not such a network.
    UnsupportedLayerError
        If a node has an operator that no stage knows.
    """
    model = read_model(path)
    check_network(model, str(path))
    return model


def read_model(path: Path) -> ModelProto:
    """Parse an ONNX file, and check nothing of what it says.

    Raises
    ------
    NetworkError
        If the file is not one.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_FILE_BYTES else b""
    except OSError as error:
        raise NetworkError(
            path, f"cannot be read ({error.strerror})", "Give a QONNX file"
        ) from None
    if not data:
        raise NetworkError(
            path, f"has {size} bytes", "Give a QONNX file of 1 byte to 2 GiB"
        )
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError:
        raise NetworkError(
            path, "is not an ONNX file, or is truncated", "Export it again"
        ) from None
    return model


def check_network(model: ModelProto, place: str) -> None:
    """Check a parsed network; see :func:`load_network`."""
    graph = model.graph
    _check_texts(model, place)
    if not graph.node or not graph.output:
        raise NetworkError(place, "holds no network", "Export it again")
    if model.functions or graph.sparse_initializer or model.training_info:
        raise NetworkError(
            place,
            "holds functions, sparse tensors or training graphs",
            "Export it as one plain inference graph",
        )
    _check_opsets(model, place)
    for tensor in graph.initializer:
        check_tensor(tensor, place)
    _check_ends(graph, place)
    for node in graph.node:
        check_node(node, place)
    _check_references(graph, place)
    check_schemas(model, place)
    padded = ModelProto()
    padded.CopyFrom(model)
    write_pads(padded)
    for name, sizes in infer_shapes(padded, place).items():
        _count_elements((size or 1 for size in sizes), f"{place}: {name!r}")


def _check_texts(message: Message, place: str) -> None:
    """Refuse texts that are not UTF-8, which protobuf hands out as bytes."""
    for field, value in message.ListFields():
        values = value if field.label == field.LABEL_REPEATED else (value,)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in values:
                _check_texts(part, place)
        elif field.type == FieldDescriptor.TYPE_STRING and not all(
            isinstance(text, str) for text in values
        ):
            raise NetworkError(
                place, f"has a {field.name} that is no text", "Export it again"
            )


def _check_opsets(model: ModelProto, place: str) -> None:
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and not (
            MIN_OPSET <= opset.version <= MAX_OPSET
        ):
            raise NetworkError(
                place,
                f"uses ONNX opset {opset.version}",
                f"Export it with an opset from {MIN_OPSET} to {MAX_OPSET}",
            )


def check_tensor(tensor: TensorProto, place: str) -> None:
    """Refuse tensors with data elsewhere, odd types, or sizes that do not add up."""
    where = f"{place}: tensor {tensor.name!r}"
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise NetworkError(
            where,
            "keeps its data in another file",
            "Save the network with its weights inside (external_data=False)",
        )
    if tensor.data_type not in _ITEM_BYTES:
        raise NetworkError(where, "has an unknown element type", "Use float32")
    count = _count_elements(tensor.dims, where)
    if tensor.HasField("raw_data"):
        whole = len(tensor.raw_data) == count * _ITEM_BYTES[tensor.data_type]
    else:
        fields = (tensor.float_data, tensor.int32_data, tensor.int64_data)
        whole = count in {len(f) for f in (*fields, tensor.double_data)}
    if not whole:
        raise NetworkError(
            where, "has less or more data than its shape", "Export again"
        )


def _count_elements(dims: Iterable[int], where: str) -> int:
    sizes = list(dims)
    count = math.prod(sizes)
    if any(d < 0 for d in sizes) or count > MAX_ELEMENTS:
        raise NetworkError(
            where,
            f"has the shape {sizes}",
            f"Use sizes of 0 or more with a product up to {MAX_ELEMENTS}",
        )
    return count


def _check_ends(graph: GraphProto, place: str) -> None:
    known = {t.name for t in graph.initializer}
    inputs = [v for v in graph.input if v.name not in known]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise UnsupportedLayerError(
            place,
            f"has {len(inputs)} inputs and {len(graph.output)} outputs",
            "Export a network with one of each",
        )
    for value in (*inputs, *graph.output):
        dims = value.type.tensor_type.shape.dim
        sizes = [d.dim_value for d in dims if d.HasField("dim_value")]
        _count_elements(sizes, f"{place}: {value.name!r}")


def check_node(node: NodeProto, place: str) -> None:
    """Check a node by itself; see :func:`load_network`."""
    where = f"{place}: node {node.name or node.output[:1]!r}"
    if node.domain not in DOMAINS:
        raise UnsupportedLayerError(
            where,
            f"comes from the operator domain {node.domain!r}",
            f"Use ONNX operators and those of {QONNX_DOMAIN}",
        )
    operators = DOMAINS[node.domain]
    if node.op_type not in operators:
        close = difflib.get_close_matches(node.op_type, operators, 3)
        hint = f" (close: {', '.join(close)})" if close else ""
        raise UnsupportedLayerError(
            where,
            f"has the operator {node.op_type[:80]!r}, which does not map to hardware",
            f"Replace it by one of {', '.join(sorted(operators))}{hint}",
        )
    if operators is not STANDARD:
        check_quantizer(node, where)
    for attribute in node.attribute:
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise NetworkError(where, "holds a graph of its own", "Export it unrolled")
        if attribute.type == AttributeProto.TENSOR:
            check_tensor(attribute.t, where)
        try:
            attribute.s.decode()
        except UnicodeDecodeError:
            raise NetworkError(
                where, f"has a {attribute.name!r} that is no text", "Export it again"
            ) from None


def _check_references(graph: GraphProto, place: str) -> None:
    defined = {t.name for t in graph.initializer} | {v.name for v in graph.input}
    for node in graph.node:
        where = f"{place}: node {node.name or node.output[:1]!r}"
        missing = [i for i in node.input if i and i not in defined]
        if missing:
            raise NetworkError(
                where,
                f"reads {missing[0][:80]!r}, which nothing before it writes",
                "Export the network again, in topological order",
            )
        again = [o for o in node.output if o in defined]
        if again or not node.output or not node.output[0]:
            raise NetworkError(
                where, "writes no tensor, or one that exists", "Export it again"
            )
        defined.update(o for o in node.output if o)
    if graph.output[0].name not in defined:
        raise NetworkError(place, "never computes its output", "Export it again")
