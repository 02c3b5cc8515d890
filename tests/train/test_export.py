# SPDX-License-Identifier: Apache-2.0
"""network.onnx: what it says, that it is reproducible, and that it computes."""

import hashlib
from collections import OrderedDict

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

from hwgq.errors import NetworkError, UnsupportedLayerError
from hwgq.train import HWGQ, BinaryLinear, Sign, export_network, reference, witness
from hwgq.train.exporter import check_network
from hwgq.train.samples import collect
from tests.train.networks import images, network


def exported(model, bits=5):
    return onnx.load_from_string(export_network(model, (12,), bits))


@pytest.mark.parametrize(
    "options",
    [{}, {"bits": 1}, {"bits": 3}, {"affine": True}, {"bias": False}, {"sign": True}],
    ids=str,
)
def test_qonnx_gives_the_references_levels_and_logits(options):
    model, frames = network(**options), images(30)
    exact = reference(model, frames)
    graph = ModelWrapper(exported(model)).transform(InferShapes())
    for k, frame in enumerate(frames.astype(np.float32)):
        got = execute_onnx(graph, {"image": frame[None]}, return_full_exec_context=True)
        assert np.allclose(got["logits"][0], exact.logits[k], atol=1e-5)
        for name, codes in exact.levels.items():
            values = (got[name][0] + 1) / 2 if options.get("sign") else got[name][0]
            assert np.array_equal(values, codes[k])


def test_quantizers_and_the_input_have_their_names_and_types():
    model = exported(network())
    nodes = {n.name: n for n in model.graph.node if n.op_type == "MultiThreshold"}
    assert set(nodes) == {"act1", "act2"}
    initializers = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, node in nodes.items():
        assert list(node.output) == [name]
        stored = initializers[node.input[1]]
        assert node.input[1] == f"{name}.thresholds"
        assert np.array_equal(stored, HWGQ().quantizer.thresholds[None])
        assert stored.dtype == np.float32
    assert [i.name for i in model.graph.input] == ["image"]
    assert [o.name for o in model.graph.output] == ["logits"]
    (annotation,) = model.graph.quantization_annotation
    (entry,) = annotation.quant_parameter_tensor_names
    assert (annotation.tensor_name, entry.key) == ("image", "finn_datatype")
    assert entry.value == "UINT5"


def test_names_of_nested_quantizers_are_their_module_paths():
    block = nn.Sequential(BinaryLinear(12, 4), nn.BatchNorm1d(4, affine=False), HWGQ())
    model = nn.Sequential(block, Sign(), BinaryLinear(4, 2)).eval()
    outputs = {name for node in exported(model).graph.node for name in node.output}
    assert {"0.2", "1"} <= outputs


def test_equal_weights_give_equal_bytes_without_traces_of_their_making():
    first, second = (export_network(network(), (12,), 5) for _ in range(2))
    assert first == second
    assert first != export_network(network(1), (12,), 5)
    for trace in (b".py", b"/home", b"/root", b"/work", b"site-packages", b"pytorch"):
        assert trace not in first


def test_the_model_is_left_as_it_was():
    model = network().train()
    before = model(torch.ones(4, 12))
    export_network(model, (12,), 5)
    assert model.training
    assert torch.equal(model(torch.ones(4, 12)), before)


def test_a_quantizer_that_is_never_called_is_named():
    class Forgetful(nn.Sequential):
        def forward(self, x):
            for layer in (self.linear1, self.norm1, self.act1):
                x = layer(x)
            return x

    model = Forgetful(OrderedDict(network().named_children())).eval()
    with pytest.raises(UnsupportedLayerError, match="act2: is not in the exported"):
        export_network(model, (12,), 5)


def test_a_network_that_computes_something_else_is_refused():
    model, frames = network(), images(4)
    other = export_network(network(1), (12,), 5)
    with pytest.raises(NetworkError, match="gives logits that are"):
        check_network(other, frames, reference(model, frames))


def test_samples_hold_the_reference():
    model, frames = network(), images(50)
    exact = reference(model, frames)
    table = witness(model, frames)
    arrays = collect(frames, np.arange(50), exact, table)
    assert np.array_equal(arrays["images"], frames)
    assert arrays["logits"].dtype == np.float64
    assert arrays["accumulators"].shape == (50, 3)
    assert arrays["levels/act2"].shape == (32, 7)
    assert arrays["sha256/act2"].shape == (50, 32)
    frame = exact.levels["act1"][40].astype(np.uint8).tobytes()
    assert arrays["sha256/act1"][40].tobytes() == hashlib.sha256(frame).digest()
    assert arrays["witness/layer"].tolist() == ["act1", "act2"]
