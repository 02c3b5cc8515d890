# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights and calibrated normalizations, as QONNX.

What a network costs in hardware, and how fast it is, does not depend on its weights;
but levels have to vary as those of a trained network, or comparisons compare nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import ModelProto, NodeProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

from hwgq.train import export
from hwgq.train.augmentation import PixelScale
from hwgq.train.models import Activation, Style, build

QONNX = "qonnx.custom_op.general"


def untrained(
    model: str,
    shape: tuple[int, ...],
    *,
    width: float = 1.0,
    activation: Activation = Activation.HWGQ,
    frames: int = 64,
    input_bits: int = 8,
    seed: int = 0,
) -> tuple[nn.Module, npt.NDArray[np.uint8]]:
    """Make a network of `hwgq.train.models`, and images for it.

    Parameters
    ----------
    model, shape, width
        As of `hwgq.train.models.build`.
    activation
        ``HWGQ`` for levels of 2 bits, ``SIGN`` for -1 and +1.
    frames
        Images.
    input_bits
        Bits of their pixels.
    seed
        Of weights and images.
    """
    torch.manual_seed(seed)
    network = build(model, shape, 10, Style(activation=activation), width=width)
    network = nn.Sequential(PixelScale(), network)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 1 << input_bits, (frames, *shape)).astype(np.uint8)
    with torch.no_grad():
        for _ in range(3):  # statistics of deeper layers follow those before them
            for module in network.modules():
                if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                    module.momentum = 0.9
            network.train()(torch.from_numpy(images[:32]).float())
    return network.eval(), images


def write_untrained(
    folder: Path,
    model: str,
    shape: tuple[int, ...],
    *,
    input_bits: int = 8,
    **options: Any,
) -> Path:
    """Write a network of :func:`untrained`, and samples to verify it by.

    Parameters
    ----------
    folder
        Where network.onnx and samples.npz go.
    model, shape, input_bits, options
        As of :func:`untrained`; its images become samples.
    """
    network, images = untrained(model, shape, input_bits=input_bits, **options)
    labels = np.zeros(len(images), np.int64)
    return export(network, folder, images, labels, input_bits=input_bits)


def with_weights_of(bits: int, network: Path, target: Path, seed: int = 0) -> Path:
    """Give a network weights of several bits, and calibrate it anew.

    Parameters
    ----------
    bits
        Of a weight; -2^(bits - 1) ... 2^(bits - 1) - 1, all of which occur.
    network
        What `write_untrained` wrote.
    target
        File to write.
    seed
        Of the images to calibrate on.
    """
    model = onnx.load(network)
    for node in model.graph.node:
        if node.op_type == "BipolarQuant":
            _requantize(model, node, bits)
    normalizations = [n for n in model.graph.node if n.op_type == "BatchNormalization"]
    value = model.graph.input[0]
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    images = np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)
    for node in normalizations:
        shaped = ModelWrapper(model).transform(InferShapes())
        context = execute_onnx(shaped, {value.name: images}, True)
        found = context[node.input[0]]
        axes = tuple(i for i in range(found.ndim) if i != 1)
        many = found.ndim > 2 and np.prod([found.shape[i] for i in axes]) > 8
        mean = found.mean(axes) if many else np.full(found.shape[1], found.mean())
        deviation = found.std(axes) if many else np.full(found.shape[1], found.std())
        _store(model, node.input[3], mean)
        _store(model, node.input[4], deviation**2)
    onnx.save(model, target)
    return target


def _requantize(model: ModelProto, node: NodeProto, bits: int) -> None:
    weights = next(t for t in model.graph.initializer if t.name == node.input[0])
    scale = float(numpy_helper.to_array(weights).std()) * 2.0 ** (2 - bits)
    operands = {"scale": scale, "zero": 0.0, "bits": float(bits)}
    names = [f"{node.output[0]}.{name}" for name in operands]
    for name, value in zip(names, operands.values(), strict=True):
        _store(model, name, np.asarray(value))
    made = helper.make_node(
        "Quant",
        [node.input[0], *names],
        list(node.output),
        node.name,
        domain=QONNX,
        signed=1,
        narrow=0,
        rounding_mode="ROUND",
    )
    node.CopyFrom(made)


def _store(model: ModelProto, name: str, value: np.ndarray) -> None:
    """Store a constant in place of what has this name."""
    kept = [t for t in model.graph.initializer if t.name != name]
    nodes = [n for n in model.graph.node if name not in n.output]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(nodes)
    tensor = numpy_helper.from_array(value.astype(np.float32), name)
    model.graph.initializer.append(tensor)
