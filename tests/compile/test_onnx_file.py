# SPDX-License-Identifier: Apache-2.0
"""Any file is either a network or one of our errors; odd but legal ones are read."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from hwgq.compile.network import Network
from hwgq.compile.onnx_file import DOMAINS, load_network
from hwgq.compile.options import declared_input
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.passes.record import record
from hwgq.compile.reference import evaluate
from hwgq.compile.tape import Tape
from hwgq.errors import HwgqError
from tests.end_to_end.hand_made import QONNX, make_network, node, save

SIZES = (6, 4, 3, 2)
FRAMES = np.random.default_rng(0).integers(0, 16, (20, SIZES[0]))


def front(path: Path) -> Network:
    """Do all that happens to a network before FINN gets it."""
    tape = Tape(normalize(load_network(path)))
    return record(tape, declared_input(tape.annotations.get(tape.input), None, None))


def outcome(path: Path) -> str:
    """Read a network and run a frame; any error but ours gets through."""
    try:
        network = front(path)
        evaluate(network, np.zeros((2, *network.input_shape)))
    except HwgqError as error:
        return type(error).__name__
    return "read"


@pytest.mark.parametrize("seed", range(4))
def test_any_change_of_bytes_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    path = save(make_network(SIZES), tmp_path / "network.onnx")
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    outcomes = set()
    for _ in range(100):
        spoiled = whole.copy()
        places = rng.integers(0, len(spoiled), rng.integers(1, 4))
        spoiled[places] = rng.integers(0, 256, len(places))
        end = rng.integers(len(spoiled)) if rng.random() < 0.2 else len(spoiled)
        path.write_bytes(spoiled[:end].tobytes())
        outcomes.add(outcome(path))
    assert {"read", "NetworkError", "UnsupportedLayerError"} <= outcomes


def swap_operator(model: ModelProto, rng: np.random.Generator) -> None:
    spoiled = rng.choice(model.graph.node)
    spoiled.domain = rng.choice(["", QONNX])
    spoiled.op_type = rng.choice(sorted(DOMAINS[spoiled.domain]))
    if rng.random() < 0.5:
        del spoiled.attribute[:]
    del spoiled.input[rng.integers(1, 6) :]


def rewire(model: ModelProto, rng: np.random.Generator) -> None:
    names = [t.name for t in model.graph.initializer]
    names += [name for n in model.graph.node for name in n.output]
    spoiled = rng.choice(model.graph.node)
    spoiled.input[rng.integers(len(spoiled.input))] = rng.choice(["image", *names])


def drop_node(model: ModelProto, rng: np.random.Generator) -> None:
    place = rng.integers(len(model.graph.node) - 1)
    dropped = model.graph.node.pop(place)
    model.graph.node[place].input[0] = dropped.input[0]


def change_values(model: ModelProto, rng: np.random.Generator) -> None:
    spoiled = rng.choice(model.graph.initializer)
    values = numpy_helper.to_array(spoiled).copy()
    value = rng.choice([np.nan, np.inf, -np.inf, 0, -1, 1e38, -1e38, 1e-42])
    values.flat[: rng.integers(1, values.size + 1)] = value
    spoiled.CopyFrom(numpy_helper.from_array(values, spoiled.name))


def change_shape(model: ModelProto, rng: np.random.Generator) -> None:
    spoiled = rng.choice(model.graph.initializer)
    values = numpy_helper.to_array(spoiled)
    forms = [values.T, values.ravel(), values[None], values[..., None], values[:0]]
    form = forms[rng.integers(len(forms))]
    kind = rng.choice(["f2", "f4", "f8", "i1", "i8", "?"])
    spoiled.CopyFrom(numpy_helper.from_array(form.astype(kind), spoiled.name))


def change_attribute(model: ModelProto, rng: np.random.Generator) -> None:
    names = ["out_scale", "out_bias", "data_layout", "epsilon", "signed", "axis"]
    values = [1, -1, 1.5, float("nan"), "NHWC", [1, 2], 10**18]
    name, value = rng.choice(names), values[rng.integers(len(values))]
    rng.choice(model.graph.node).attribute.append(helper.make_attribute(name, value))


CHANGES = (
    swap_operator,
    rewire,
    drop_node,
    change_values,
    change_shape,
    change_attribute,
)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_the_graph_is_read_or_refused(
    change: Callable[[ModelProto, np.random.Generator], None], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(60):
        model = make_network(SIZES)
        for _ in range(rng.integers(1, 3)):
            change(model, rng)
        outcomes.add(outcome(save(model, tmp_path / "network.onnx")))
    assert outcomes > {"NetworkError"} or outcomes > {"UnsupportedLayerError"}


def weights_listed_as_inputs(model: ModelProto) -> None:
    """List initializers among the inputs, as IR version 3 had to."""
    model.ir_version = 3
    for tensor in model.graph.initializer:
        info = helper.make_tensor_value_info(
            tensor.name, TensorProto.FLOAT, tensor.dims
        )
        model.graph.input.append(info)


def unused_nodes(model: ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["dot0"], ["unused"], "unused"))


def identities(model: ModelProto) -> None:
    names = ["image", *(f"same{i}" for i in range(2000))]
    for i, (one, other) in enumerate(pairwise(names)):
        made = helper.make_node("Identity", [one], [other])
        model.graph.node.insert(i, made)
    node(model, "dot0").input[0] = names[-1]


def batch_of_four(model: ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 4


def open_batch(model: ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"


def without_a_graph_name(model: ModelProto) -> None:
    model.graph.name = ""


def older_domain(model: ModelProto) -> None:
    """Name quantizers as older exporters did, and do not import their operators."""
    for quantizer in ("levels0", "levels1"):
        node(model, quantizer).domain = "onnx.brevitas"
    del model.opset_import[1:]


def nodes_without_names(model: ModelProto) -> None:
    for every in model.graph.node:
        every.name = ""


def nodes_of_one_name(model: ModelProto) -> None:
    for every in model.graph.node:
        every.name = "input"


def constants_as_nodes(model: ModelProto) -> None:
    for i, tensor in enumerate(model.graph.initializer):
        made = helper.make_node("Constant", [], [tensor.name], value=tensor)
        model.graph.node.insert(i, made)
    del model.graph.initializer[:]


ODD = (
    weights_listed_as_inputs,
    unused_nodes,
    identities,
    batch_of_four,
    open_batch,
    without_a_graph_name,
    older_domain,
    nodes_without_names,
    nodes_of_one_name,
    constants_as_nodes,
)


@pytest.mark.parametrize("change", ODD)
def test_an_odd_but_legal_network_computes_the_same(
    change: Callable[[ModelProto], None], tmp_path: Path
) -> None:
    model = make_network(SIZES)
    wanted = evaluate(front(save(model, tmp_path / "plain.onnx")), FRAMES)
    change(model)
    found = evaluate(front(save(model, tmp_path / "odd.onnx")), FRAMES)
    np.testing.assert_array_equal(found.outputs, wanted.outputs)
    assert len(found.codes) == len(wanted.codes)
