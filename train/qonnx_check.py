# SPDX-License-Identifier: Apache-2.0
"""Does a written network compute what the reference computes? qonnx executes it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_node
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

from hwgq.train.chain import chain
from hwgq.train.error_bounds import bounded
from hwgq.train.exact import Step
from hwgq.train.float_witness import Codes, compare, compare_logits
from hwgq.train.flow import Float64, Images
from hwgq.train.layers import Sign
from hwgq.train.qonnx_writer import INPUT, OUTPUT

RUNG = "QONNX"


def check_network(data: bytes, model: nn.Module, images: Images) -> int:
    """Execute a written network with qonnx, in float32, layer by layer.

    Each layer starts from the reference's integers, so that one tie counts once.

    Parameters
    ----------
    data, model
        What `export_network` wrote, and of which network.
    images
        Integers, shape (n, ...).

    Returns
    -------
    int
        Levels that differ, each a tie.

    Raises
    ------
    MismatchError
        If a level or a logit differs from the reference's by more than rounding.
    """
    graph = ModelWrapper(onnx.load_from_string(data)).transform(InferShapes())
    layers, ties = chain(model), 0
    for frame in np.split(images, len(images)):
        context = graph.make_empty_exec_context()
        context[INPUT] = frame.astype(np.float32)
        nodes = iter(graph.graph.node)
        real, error = np.zeros(()), np.zeros(())
        for step, error in bounded(layers, frame):
            if step.after.codes is not None:
                _run(graph, nodes, context, step.name)
                got = _codes(step, context[step.name])
                ties += compare(RUNG, step, error, got).ties
                context[step.name] = step.after.integers.astype(np.float32)
            elif step.after.real is not None:
                real = step.after.real
        _run(graph, nodes, context, OUTPUT)
        compare_logits(RUNG, real, error, context[OUTPUT].astype(np.float64))
    return ties


def _run(
    graph: ModelWrapper, nodes: Iterator[NodeProto], context: dict[str, Any], until: str
) -> None:
    """Execute nodes up to the one that writes a tensor."""
    versions = graph.get_opset_imports()
    for node in nodes:
        execute_node(node, context, graph.graph, versions[node.domain])
        if until in node.output:
            return


def _codes(step: Step, values: Float64) -> Codes:
    """Tell codes from what the node of a quantizer writes."""
    if isinstance(step.layer, Sign):
        return (values > 0).astype(np.uint8)
    return np.rint(values).astype(np.uint8)
