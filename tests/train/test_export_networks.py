# SPDX-License-Identifier: Apache-2.0
"""Every network of hwgq's, as QONNX: equal to the reference, and streamlined.

FINN's own transformations must leave nothing but integers between the quantizers.
"""

import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline, absorb, reorder
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation import general
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from qonnx.util.cleanup import cleanup_model

from hwgq.train import reference
from hwgq.train.augmentation import MeanImage, PixelScale
from hwgq.train.exporter import export_network
from hwgq.train.models import Style, build
from hwgq.train.models.style import sequential
from hwgq.train.qonnx_check import check_network
from tests.train.networks import (
    IMAGE,
    calibrated,
    conv_network,
    pictures,
    put_conv_means_on_the_grid,
)

SHAPES = {
    "lenet": (1, 28, 28),
    "cnn": (1, 28, 28),
    "cnv": (3, 32, 32),
    "vgg-small": (3, 32, 32),
    "tfc": (784,),
}


def shipped(name, width=0.125, **style):
    """A network with random weights, calibrated; pixels scaled or centred in front."""
    torch.manual_seed(0)
    shape = SHAPES[name]
    model = build(name, shape, 10, Style(**style), width=width)
    mean = np.random.default_rng(0).uniform(100, 150, shape).astype(np.float32)
    pixels = MeanImage(mean) if style.get("ends") == "paper" else PixelScale()
    model = sequential({"pixels": pixels, **dict(model.named_children())})
    if len(shape) == 3:
        model = model.to(memory_format=torch.channels_last)
    return calibrated(model, pictures(16, shape=shape))


@pytest.mark.parametrize("ends", ["hardware", "paper"])
@pytest.mark.parametrize("name", SHAPES)
def test_qonnx_gives_the_references_levels_and_logits(name, ends):
    model = shipped(name, ends=ends)
    data = export_network(model, SHAPES[name], 8)
    check_network(data, model, pictures(3, seed=1, shape=SHAPES[name]))
    assert data == export_network(shipped(name, ends=ends), SHAPES[name], 8)


STYLES = [
    {"levels": 1},
    {"levels": 2},
    {"levels": 15, "affine": True},
    {"form": "round"},
    {"form": "round", "levels": 7},
    {"activation": "sign"},
    {"spacing": "lloyd-max"},
    {"spacing": "lloyd-max", "form": "round", "levels": 15, "ends": "paper"},
]


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_every_quantizer_is_written_as_it_is(style):
    model = shipped("lenet", **style)
    frames = pictures(2, seed=1, shape=SHAPES["lenet"])
    check_network(export_network(model, SHAPES["lenet"], 8), model, frames)


@pytest.mark.parametrize("options", [{}, {"pool_first": False}, {"levels": 7}])
def test_qonnx_differs_by_ties_alone_where_means_are_on_the_grid(options):
    model = put_conv_means_on_the_grid(conv_network(**options))
    ties = check_network(export_network(model, IMAGE, 8), model, pictures(15))
    assert ties > 0


def test_levels_that_are_not_uniform_are_looked_up_in_a_table():
    model = conv_network(spacing="lloyd-max", levels=2)
    graph = onnx.load_from_string(export_network(model, IMAGE, 8)).graph
    tables = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for name in ("act1", "act2"):
        at = next(i for i, node in enumerate(graph.node) if node.name == name)
        kinds = [node.op_type for node in graph.node[at : at + 3]]
        assert kinds == ["MultiThreshold", "Cast", "Gather"]
        assert list(graph.node[at].output) == [name]
        values = model.get_submodule(name).quantizer.values
        assert np.array_equal(tables[f"{name}.values"], values)
        assert graph.node[at + 2].input[0] == f"{name}.values"


def streamlined(data):
    """Apply what notes/finn.md calls its recipe for convolutions."""
    logging.getLogger("finn_logger").setLevel(logging.ERROR)
    graph = cleanup_model(ModelWrapper(onnx.load_from_string(data)))
    for step in (
        ConvertQONNXtoFINN(),
        InferShapes(),
        FoldConstants(),
        general.RemoveStaticGraphInputs(),
        InferDataTypes(),
        absorb.AbsorbScalarBiasIntoMultiThreshold(),
        Streamline(),
        LowerConvsToMatMul(),
        reorder.MakeMaxPoolNHWC(),
        absorb.AbsorbTransposeIntoMultiThreshold(),
        reorder.MakeMaxPoolNHWC(),
        absorb.AbsorbConsecutiveTransposes(),
        Streamline(),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = graph.transform(step)
    return graph


INTEGER = {"Flatten", "Im2Col", "MatMul", "MaxPoolNHWC", "MultiThreshold", "Transpose"}


@pytest.mark.parametrize(
    ("name", "style"), [*((name, {}) for name in SHAPES), ("lenet", {"levels": 2})]
)
def test_finn_leaves_only_integers_up_to_the_last_product(name, style):
    model = shipped(name, **style)
    graph = streamlined(export_network(model, SHAPES[name], 8))
    kinds = [node.op_type for node in graph.graph.node]
    last = len(kinds) - kinds[::-1].index("MatMul")
    assert set(kinds[:last]) <= INTEGER
    assert kinds.count("MultiThreshold") == len(
        [n for n, _ in model.named_children() if n.startswith("act")]
    )
    frame = pictures(1, seed=1, shape=SHAPES[name])
    (got,) = execute_onnx(graph, {"global_in": frame.astype(np.float32)}).values()
    exact = reference(model, frame).logits
    assert np.abs(got - exact).max() < 0.1 * np.abs(exact).max()  # ties move it a bit
