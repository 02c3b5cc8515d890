# SPDX-License-Identifier: Apache-2.0
"""Find which of FINN's hardware layers stand for which recorded section.

Those with weights or thresholds are known by the numbers in their tensors' names; the
windows, paddings and poolings between them by their place.
"""

import re
from collections.abc import Iterator

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.compile.finn_graph import threshold_name, weight_name
from hwgq.compile.finn_nodes import HARDWARE
from hwgq.compile.network import Network, Section
from hwgq.errors import UnsupportedLayerError

REMEDY = "FINN did not streamline this network as expected; please report it"
_NAMED = re.compile(r"(?:weights|thr)\.\d+")
_POOLS = ("Pool",)
_SUMS = ("GlobalAccPool",)


def finn_layers(model: ModelWrapper, network: Network) -> list[list[NodeProto]]:
    """List FINN's hardware layers, section by section.

    Parameters
    ----------
    model
        FINN's graph behind the last of its steps.
    network
        The network as it was recorded.

    Raises
    ------
    UnsupportedLayerError
        If FINN left a float node among the layers, lost one or doubled it.
    """
    nodes = list(_hardware(model))
    groups = []
    for number, section in enumerate(network.sections):
        groups.append(_take(nodes, section, number))
    if nodes:
        raise _surprise(nodes[0], f"is left behind the {len(groups)} sections")
    return groups


def _hardware(model: ModelWrapper) -> Iterator[NodeProto]:
    """Go through FINN's hardware layers; nothing else may stand between them.

    Before the first and behind the last, images may be turned to another layout; an
    ONNX operator pads what FINN cannot.
    """
    nodes = list(model.graph.node)
    places = [i for i, node in enumerate(nodes) if node.domain == HARDWARE]
    first, last = (places[0], places[-1]) if places else (0, -1)
    first -= first > 0 and nodes[first - 1].op_type == "Pad"
    for node in nodes[:first]:
        if node.op_type not in ("Transpose", "Flatten", "Reshape"):
            raise _surprise(node, "stands before the hardware layers")
    for node in nodes[first : last + 1]:
        if node.domain != HARDWARE and node.op_type != "Pad":
            raise _surprise(node, "is left between hardware layers")
        yield node


def _take(nodes: list[NodeProto], section: Section, number: int) -> list[NodeProto]:
    """Take a section's layers from the front of the list."""
    wanted = {weight_name(number)} if section.dot else set()
    wanted |= {threshold_name(number)} if section.quantizer else set()
    taken: list[NodeProto] = []
    ends = [_SUMS] if section.sums else []
    ends += [_POOLS] if section.pool is not None else []
    while wanted or ends:
        if not nodes:
            raise UnsupportedLayerError(
                section.name, "has no layer in FINN's graph", REMEDY
            )
        node = nodes.pop(0)
        names = {name for name in node.input[1:] if _NAMED.fullmatch(name)}
        if names - wanted:
            raise _surprise(node, f"reads {sorted(names)}, not {sorted(wanted)}")
        wanted -= names
        if ends and not wanted and node.op_type in ends[0]:
            ends.pop(0)
        taken.append(node)
    return taken


def _surprise(node: NodeProto, problem: str) -> UnsupportedLayerError:
    return UnsupportedLayerError(node.name, f"({node.op_type}) {problem}", REMEDY)
