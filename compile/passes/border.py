# SPDX-License-Identifier: Apache-2.0
"""Cross from FINN's graph into our own IR, the last place where an ONNX type is seen.

FINN says which layers there are and how they are joined; the recorded sections say
what each computes. The two meet by the numbers in the tensors' names, and FINN's
weights must be the recorded ones, up to the rows whose sign was turned.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.finn_graph import threshold_name, weight_name
from hwgq.compile.graph import (
    ElementType,
    Graph,
    Layer,
    Mvau,
    Stream,
    Thresholding,
    tensor_key,
)
from hwgq.compile.network import Network, Section
from hwgq.compile.passes.exact_thresholds import (
    IntegerThresholds,
    accumulator_bounds,
    exact_thresholds,
)
from hwgq.errors import UnsupportedLayerError

INPUT = "input"
_HARDWARE = "finn.custom_op.fpgadataflow"
_REMEDY = "FINN did not streamline this network as expected; please report it"


def cross_border(model: ModelWrapper, network: Network) -> Graph:
    """Read FINN's hardware layers and the recorded sections into a graph.

    Parameters
    ----------
    model
        FINN's graph behind the last of its steps.
    network
        The same network as it was recorded.

    Returns
    -------
    Graph
        Layers with exact integer thresholds, not folded yet.

    Raises
    ------
    UnsupportedLayerError
        If FINN left a float node among the layers, lost one or doubled it, or has
        other weights than the network.
    """
    numbers = [_section_number(model, node, network) for node in _hardware(model)]
    if numbers != list(range(len(network.sections))):
        raise UnsupportedLayerError(
            "border",
            f"FINN's layers stand for the sections {numbers} of"
            f" {len(network.sections)}",
            _REMEDY,
        )
    entry = Stream(name=INPUT, shape=(network.elements,), type=network.input_type)
    streams = {INPUT: entry}
    layers: list[Layer] = []
    tensors: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    source = INPUT
    for node, section in zip(_hardware(model), network.sections, strict=True):
        exact = exact_thresholds(section) if section.quantizer else None
        layer, arrays = _layer(section, source, exact)
        if section.dot is not None:
            _check_weights(model, node, section)
        layers.append(layer)
        tensors.update(arrays)
        streams[section.name] = _output_stream(section)
        source = section.name
    return Graph(
        layers=tuple(layers),
        streams=MappingProxyType(streams),
        input=INPUT,
        output=source,
        tensors=MappingProxyType(tensors),
    )


def _hardware(model: ModelWrapper) -> Iterator[NodeProto]:
    """Go through FINN's hardware layers; nothing else may stand before the last."""
    nodes = list(model.graph.node)
    last = max((i for i, n in enumerate(nodes) if n.domain == _HARDWARE), default=-1)
    for node in nodes[: last + 1]:
        if node.domain != _HARDWARE:
            raise UnsupportedLayerError(
                node.name, f"({node.op_type}) is left between hardware layers", _REMEDY
            )
        yield node


def _section_number(model: ModelWrapper, node: NodeProto, network: Network) -> int:
    """Find by its tensors' names which section a hardware layer stands for."""
    for number, section in enumerate(network.sections):
        names = {weight_name(number)} if section.dot else set()
        names |= {threshold_name(number)} if section.quantizer else set()
        if names == set(node.input[1:]):
            return number
    raise UnsupportedLayerError(
        node.name, f"reads {list(node.input[1:])}, which no layer has", _REMEDY
    )


def _check_weights(model: ModelWrapper, node: NodeProto, section: Section) -> None:
    assert section.dot is not None
    theirs = np.asarray(model.get_initializer(node.input[1])).T
    ours = np.where(section.dot.signs, 1, -1)
    same, turned = (theirs == ours).all(axis=1), (theirs == -ours).all(axis=1)
    if not np.all(same | turned):
        row = int(np.flatnonzero(~(same | turned))[0])
        raise UnsupportedLayerError(
            section.name, f"has other weights in FINN's graph, row {row}", _REMEDY
        )


def _output_stream(section: Section) -> Stream:
    if section.quantizer is None:
        low, high = accumulator_bounds(section)
        kind = ElementType.signed(int(low.min()), int(high.max()))
    else:
        kind = section.quantizer.type
    return Stream(name=section.name, shape=(section.channels,), type=kind)


def _layer(
    section: Section, source: str, exact: IntegerThresholds | None
) -> tuple[Layer, Mapping[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]]:
    if section.dot is None:
        assert exact is not None
        codes = section.input_type.codes(exact.thresholds)
        if np.all(codes == codes[0]):
            codes = codes[:1]
        key = tensor_key(codes)
        thresholding = Thresholding(
            name=section.name,
            inputs=(source,),
            outputs=(section.name,),
            channels=len(codes),
            thresholds=key,
        )
        return thresholding, {key: codes}
    signs = section.dot.signs
    low, high = accumulator_bounds(section)
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    thresholds = None
    if exact is not None:
        signs = signs ^ exact.flipped[:, np.newaxis]
        low, high = (
            np.where(exact.flipped, -high, low),
            np.where(exact.flipped, -low, high),
        )
        thresholds = tensor_key(exact.thresholds)
        arrays[thresholds] = exact.thresholds
    weights = tensor_key(signs)
    arrays[weights] = signs
    mvau = Mvau(
        name=section.name,
        inputs=(source,),
        outputs=(section.name,),
        rows=signs.shape[0],
        columns=signs.shape[1],
        weights=weights,
        thresholds=thresholds,
        accumulator=ElementType.signed(int(low.min()), int(high.max())),
    )
    return mvau, arrays
