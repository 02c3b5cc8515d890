# SPDX-License-Identifier: Apache-2.0
"""Networks that nobody vouches for: one message, exit code 1, and nothing written."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.end_to_end.command import refused
from tests.end_to_end.hand_made import make_network, node, save, set_tensor, tensor


def compile_refused(folder: Path, network: Path) -> str:
    return refused(
        folder,
        *("compile", network, "--board", "icebreaker", "--out", folder / "build"),
    )


NO_NETWORKS = {
    "empty": b"",
    "text": b"This is not an ONNX file.\n",
    "zeros": bytes(1000),
    "zip": b"PK\x03\x04" + bytes(64),
    "pickle": b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.",
    "deeply nested": b"\x3a\x80\x80\x01" * 400,
}


@pytest.mark.parametrize("data", NO_NETWORKS.values(), ids=NO_NETWORKS)
def test_what_is_no_network_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(data)
    assert str(path) in compile_refused(tmp_path, path)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9, 0.99])
def test_a_truncated_network_is_refused(share: float, tmp_path: Path) -> None:
    path = save(make_network(), tmp_path / "network.onnx")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert str(path) in compile_refused(tmp_path, path)


@pytest.mark.parametrize("name", ["none.onnx", "folder.onnx"])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.onnx").mkdir()
    assert name in compile_refused(tmp_path, tmp_path / name)


def replace(name: str, changed: Callable[[np.ndarray], object]) -> Callable:
    """Spoil the values of a tensor."""

    def spoil(model: ModelProto) -> None:
        set_tensor(model, name, changed(numpy_helper.to_array(tensor(model, name))))

    return spoil


def declare(name: str, *dims: int) -> Callable[[ModelProto], None]:
    """Spoil the shape that a tensor says it has."""

    def spoil(model: ModelProto) -> None:
        tensor(model, name).dims[:] = dims

    return spoil


def entry(*dims: int | str) -> Callable[[ModelProto], None]:
    """Spoil the shape of the network's input."""

    def spoil(model: ModelProto) -> None:
        model.graph.input[0].CopyFrom(
            helper.make_tensor_value_info("image", TensorProto.FLOAT, dims)
        )

    return spoil


def domain(name: str) -> Callable[[ModelProto], None]:
    def spoil(model: ModelProto) -> None:
        node(model, "levels0").domain = name

    return spoil


def operator(kind: str, **attributes: object) -> Callable[[ModelProto], None]:
    """Put a node between the input and the first layer."""

    def spoil(model: ModelProto) -> None:
        made = helper.make_node(kind, ["image"], ["new"], "new", **attributes)
        node(model, "dot0").input[0] = "new"
        model.graph.node.insert(0, made)

    return spoil


def external(location: str) -> Callable[[ModelProto], None]:
    """Let a tensor point to a file."""

    def spoil(model: ModelProto) -> None:
        weights = tensor(model, "dot0.weights")
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)

    return spoil


def without_quantizer(model: ModelProto) -> None:
    model.graph.node.remove(node(model, "levels0"))
    node(model, "dot1").input[0] = "norm0"


def without_any_quantizer(model: ModelProto) -> None:
    del model.graph.quantization_annotation[:]
    for name in ("levels0", "levels1"):
        quantizer = node(model, name)
        quantizer.op_type, quantizer.domain = "Relu", ""
        del quantizer.input[1:], quantizer.attribute[:]


def cycle(model: ModelProto) -> None:
    node(model, "dot0").input[0] = "norm0"


def written_twice(model: ModelProto) -> None:
    node(model, "scaled0").output[0] = "dot0"


def output_that_is_the_input(model: ModelProto) -> None:
    model.graph.output[0].name = "image"


def two_inputs(model: ModelProto) -> None:
    entry(1, 16)(model)
    model.graph.input.append(
        helper.make_tensor_value_info("again", TensorProto.FLOAT, (1, 16))
    )


def branch(model: ModelProto) -> None:
    """Use the input once more, behind the first layer."""
    model.graph.node.append(helper.make_node("Relu", ["image"], ["more"], "more"))
    made = helper.make_node("MatMul", ["more", "dot0.weights"], ["side"], "side")
    joined = helper.make_node("Add", ["norm0", "side"], ["joined"], "joined")
    del model.graph.node[-1:]
    place = list(model.graph.node).index(node(model, "levels0"))
    for extra in (joined, made):
        model.graph.node.insert(place, extra)
    model.graph.node.insert(0, helper.make_node("Relu", ["image"], ["more"], "more"))
    node(model, "levels0").input[0] = "joined"


def outer_product(model: ModelProto) -> None:
    """Ask for 32 GiB that no input has a part in."""
    for name, shape in (("tall", (65536, 1, 1)), ("wide", (1, 65536, 1))):
        value = np.ones(shape, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    made = [
        helper.make_node("Mul", ["tall", "wide"], ["huge"], "huge"),
        helper.make_node("Mul", ["scaled2", "huge"], ["more"], "more"),
    ]
    model.graph.node.extend(made)


def subgraph(model: ModelProto) -> None:
    attribute = helper.make_attribute("body", model.graph)
    node(model, "dot0").attribute.append(attribute)


def sparse(model: ModelProto) -> None:
    model.graph.sparse_initializer.add().dims[:] = [1]


def function(model: ModelProto) -> None:
    model.functions.add(name="f", domain="os")


def texts(model: ModelProto) -> None:
    tensor(model, "scaled0.alpha").CopyFrom(
        helper.make_tensor("scaled0.alpha", TensorProto.STRING, [1], [b"x"])
    )


def parameters_from_the_input(model: ModelProto) -> None:
    """Let thresholds depend on the image."""
    node(model, "levels1").input[1] = "dot1"


def attribute(name: str, key: str, value: object) -> Callable[[ModelProto], None]:
    def spoil(model: ModelProto) -> None:
        spoiled: NodeProto = node(model, name)
        kept = [a for a in spoiled.attribute if a.name != key]
        del spoiled.attribute[:]
        spoiled.attribute.extend([*kept, helper.make_attribute(key, value)])

    return spoil


def opset(version: int) -> Callable[[ModelProto], None]:
    def spoil(model: ModelProto) -> None:
        model.opset_import[0].version = version

    return spoil


SPOILED: dict[str, tuple[Callable[[ModelProto], None], str]] = {
    "domain os": (domain("os"), "operator domain 'os'"),
    "domain subprocess": (domain("subprocess"), "operator domain 'subprocess'"),
    "domain a path": (domain("../../evil"), "operator domain '../../evil'"),
    "operator": (operator("Sin"), "operator 'Sin'"),
    "operator with a near name": (operator("Sigmoidd"), "close: Sigmoid"),
    "attribute": (operator("Relu", evil=1), "Unrecognized attribute: evil"),
    "huge attribute": (operator("Transpose", perm=list(range(10**5))), "do not fit"),
    "float weights": (
        replace("dot1.weights", lambda w: w * np.arange(len(w))[:, np.newaxis]),
        "dot1: .*float, and 1-bit layers follow|dot1: ",
    ),
    "missing quantizer": (without_quantizer, "dot1: reads what dot0 computed"),
    "no quantizer": (without_any_quantizer, "dot0: has low-bit weights but"),
    "external data": (external("weights.bin"), "keeps its data in another file"),
    "passwd": (external("../../etc/passwd"), "keeps its data in another file"),
    "sparse": (sparse, "sparse tensors"),
    "function": (function, "functions"),
    "subgraph": (subgraph, "a graph of its own"),
    "texts": (texts, "unknown element type"),
    "cycle": (cycle, "reads 'norm0', which nothing before it writes"),
    "written twice": (written_twice, "writes no tensor, or one that exists"),
    "output that is the input": (output_that_is_the_input, "output|chain"),
    "two inputs": (two_inputs, "has 2 inputs"),
    "branch": (branch, "joins or forks"),
    "outer product": (outer_product, "has the shape"),
    "parameters": (parameters_from_the_input, "levels1|dot1"),
    "negative size": (declare("dot0.weights", -16, -12), "has the shape"),
    "overflow": (declare("dot0.weights", 2**32, 2**32), "has the shape"),
    "overflow of the input": (entry(1, 2**32, 2**32), "has the shape"),
    "size that is not fixed": (entry(1, "pixels"), "has no fixed shape"),
    "input of another width": (entry(1, 17), "do not fit|reads 17"),
    "less data": (declare("dot0.weights", 17, 12), "less or more data"),
    "more data": (declare("dot0.weights", 15, 12), "less or more data"),
    "no data": (declare("dot0.weights", 0, 12), "less or more data"),
    "no rows": (replace("dot0.weights", lambda w: w[:, :0]), "do not fit"),
    "nan weights": (replace("dot1.weights", lambda w: w * np.nan), "dot1: .*number"),
    "inf weights": (replace("dot1.weights", lambda w: w * np.inf), "dot1: .*number"),
    "nan scale": (replace("scaled0.alpha", lambda a: a * np.nan), "scaled0: .*number"),
    "inf mean": (replace("norm0.mean", lambda m: m * np.inf), "norm0: .*number"),
    "negative variance": (replace("norm1.var", np.negative), "norm1: .*variance"),
    "nan thresholds": (
        replace("levels0.thresholds", lambda t: t * np.nan),
        "levels0: has thresholds of NaN",
    ),
    "attribute of a quantizer": (attribute("levels0", "evil", 1), "'evil'"),
    "scale of a quantizer": (
        attribute("levels0", "out_scale", 0.0),
        "levels0: .*scale",
    ),
    "opset 3": (opset(3), "opset 3"),
    "opset 99": (opset(99), "opset 99"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_network_is_refused_by_name(name: str, tmp_path: Path) -> None:
    spoil, problem = SPOILED[name]
    model = make_network()
    spoil(model)
    message = compile_refused(tmp_path, save(model, tmp_path / "network.onnx"))
    assert re.search(problem, message), message


def test_a_domain_is_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    model = make_network()
    node(model, "levels0").domain = "evil_module"
    message = compile_refused(tmp_path, save(model, tmp_path / "network.onnx"))
    assert "operator domain 'evil_module'" in message
    assert "evil_module" not in sys.modules


def test_text_that_is_none_is_refused(tmp_path: Path) -> None:
    path = save(make_network(), tmp_path / "network.onnx")
    path.write_bytes(path.read_bytes().replace(b"scaled0", b"scaled\xff"))
    assert "no text" in compile_refused(tmp_path, path)
