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

from hwgq.errors import DataError, MismatchError, UnsupportedLayerError
from hwgq.storage import read_npz
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, Sign, reference
from hwgq.train.exporter import export, export_network
from hwgq.train.qonnx_check import check_network
from hwgq.train.samples import collect
from tests.train.networks import images, network, pictures, put_means_on_the_grid


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


def test_names_that_a_sequential_has_itself_are_kept():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.append, self.insert = BinaryLinear(12, 4), HWGQ()
            self.pop = BinaryLinear(4, 2)

        def forward(self, x):
            return self.pop(self.insert(self.append(x)))

    torch.manual_seed(0)
    model = Net()
    assert "insert" in {node.name for node in exported(model).graph.node}
    assert check_network(export_network(model, (12,), 5), model, images(20)) == 0


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
    with pytest.raises(UnsupportedLayerError, match="act2: is never called"):
        export_network(model, (12,), 5)


def test_a_network_that_computes_something_else_is_refused():
    other = export_network(network(1), (12,), 5)
    with pytest.raises(MismatchError, match="QONNX, act1, frame and index"):
        check_network(other, network(), images(4))


def test_logits_that_are_something_else_are_refused():
    model, other = network(), network()
    other.linear3.bias.data += 1e-4
    with pytest.raises(MismatchError, match="QONNX, the logits, frame and index"):
        check_network(export_network(other, (12,), 5), model, images(4))


def test_ties_in_qonnx_are_excused():
    model = put_means_on_the_grid(network())
    assert check_network(export_network(model, (12,), 5), model, images(200)) > 0


def test_a_frozen_scale_is_what_is_stored():
    model = network()
    layer = model.linear1
    scale = torch.full((9, 1), 0.1)
    layer.freeze(layer.signs(), scale)
    tensors = exported(model).graph.initializer
    stored = [numpy_helper.to_array(t) for t in tensors if list(t.dims) == [9, 1]]
    assert any(np.array_equal(array, scale) for array in stored)
    assert check_network(export_network(model, (12,), 5), model, images(20)) == 0


def test_samples_hold_the_reference():
    model, frames = network(), images(250)
    exact = reference(model, frames)
    arrays = collect(model, frames, np.arange(250))
    assert np.array_equal(arrays["images"], frames)
    assert np.array_equal(arrays["logits"], exact.logits)
    assert arrays["logits"].dtype == np.float64
    assert np.array_equal(arrays["accumulators"], exact.accumulators)
    assert arrays["levels/act2"].shape == (32, 7)
    assert arrays["sha256/act2"].shape == (250, 32)
    frame = exact.levels["act1"][240].astype(np.uint8).tobytes()
    assert arrays["sha256/act1"][240].tobytes() == hashlib.sha256(frame).digest()
    assert arrays["witness/layer"].tolist() == ["act1", "act2"]
    assert arrays["witness/elements"].tolist() == [250 * 9, 250 * 7]


def test_a_network_of_ones_own_is_exported_with_its_samples(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(BinaryConv2d(3, 4, 3), nn.BatchNorm2d(4))
            self.act, self.head = HWGQ(), BinaryLinear(196, 2)

        def forward(self, x):
            x = self.act(self.first(x))
            return self.head(x.view(x.size(0), -1))

    frames, labels = pictures(12), np.arange(12)
    model = Net().to(memory_format=torch.channels_last)
    path = export(model, tmp_path / "mine", frames, labels)
    assert path == tmp_path / "mine" / "network.onnx"
    kept = read_npz(path.with_name("samples.npz"))
    assert np.array_equal(kept["labels"], labels)
    assert np.array_equal(kept["logits"], reference(model, frames).logits)
    nodes = onnx.load(path).graph.node
    assert [n.op_type for n in nodes if n.op_type in {"Reshape", "Flatten"}] == (
        ["Flatten"]
    )
    assert "act" in [node.name for node in nodes]


FRAMES = images(4)


@pytest.mark.parametrize(
    ("frames", "labels", "bits", "message"),
    [
        (FRAMES / 2, np.arange(4), None, "images: are float64 of shape"),
        (FRAMES[:0], np.arange(0), None, "images: are uint8 of shape"),
        (FRAMES, np.arange(3), None, r"labels: have the shape \(3,\), for 4 images"),
        (FRAMES.astype(int), np.arange(4), None, "images: are int64. Give input_bits"),
        (FRAMES, np.arange(4), 4, "images: reach from 0 to 16, not from 0 to 15"),
        (FRAMES.astype(int) - 9, np.arange(4), 8, "images: reach from -9"),
    ],
)
def test_images_that_are_no_such_integers_are_refused(
    frames, labels, bits, message, tmp_path
):
    with pytest.raises(DataError, match=message):
        export(network(), tmp_path / "none", frames, labels, input_bits=bits)
    assert not (tmp_path / "none").exists()
