# SPDX-License-Identifier: Apache-2.0
"""Say of each node of a network where it is computed, or why it cannot map.

`compile` stops at the first node that does not map; this goes on, so that a network can
be mended in one round.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwgq.compile.finn import FINN_STEPS
from hwgq.compile.finn_graph import write_finn_graph
from hwgq.compile.network import Network
from hwgq.compile.onnx_file import (
    ACTIVATIONS,
    DOTS,
    check_network,
    check_node,
    read_model,
)
from hwgq.compile.options import declared_input
from hwgq.compile.passes.border import cross_border
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.passes.record import record
from hwgq.compile.pieces import is_low_bit
from hwgq.compile.quantizers import parse_quantizer
from hwgq.compile.read_window import read_window
from hwgq.compile.tape import Tape
from hwgq.errors import HwgqError

_WINDOWS = ("Conv", "MaxPool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A node that does not map.

    Parameters
    ----------
    node, problem, remedy
        Which, why, and what to change.
    """

    node: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node is computed.

    Parameters
    ----------
    node, operator
        The node.
    where
        ``"device"``, ``"host, before"`` or ``"host, after"``.
    layer
        Of the device's nodes, the layer that they become part of.
    """

    node: str
    operator: str
    where: str
    layer: str = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """What `lint` found.

    Parameters
    ----------
    nodes
        Where each node is computed; empty where something does not map.
    findings
        What does not map; empty where all does.
    """

    nodes: tuple[Place, ...] = ()
    findings: tuple[Finding, ...] = ()


def lint(
    network: Path, *, input_type: str | None = None, input_scale: str | None = None
) -> LintReport:
    """Check whether a network maps to hardware, and name every node that does not.

    Parameters
    ----------
    network
        QONNX file.
    input_type, input_scale
        As of :func:`hwgq.compile.compile_network`.

    Raises
    ------
    NetworkError
        If the file is no ONNX file.
    OptionError
        If an option is wrong.
    """
    model = read_model(network)
    findings = _Findings()
    for node in model.graph.node:
        with findings.collect():
            check_node(node, network.name)
    if not findings.found:
        with findings.collect():
            check_network(model, str(network))
    if findings.found:
        return findings.report()
    tape: Tape | None = None
    with findings.collect():
        tape = Tape(normalize(model))
    if tape is None:
        return findings.report()
    _check_nodes(tape, findings)
    declared = declared_input(tape.annotations.get(tape.input), input_type, input_scale)
    places: tuple[Place, ...] = ()
    with findings.collect():
        recorded = record(tape, declared)
        _check_finn(recorded)
        places = tuple(_places(tape, recorded))
    return findings.report(places)


class _Findings:
    """Collects errors, each once."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Take an error for a finding."""
        try:
            yield
        except HwgqError as error:
            finding = Finding(
                node=error.place, problem=error.problem, remedy=error.remedy
            )
            if finding not in self.found:
                self.found.append(finding)

    def report(self, nodes: tuple[Place, ...] = ()) -> LintReport:
        """Make the report; where something does not map, no node has a place."""
        found = tuple(self.found)
        return LintReport(nodes=() if found else nodes, findings=found)


def _check_nodes(tape: Tape, findings: _Findings) -> None:
    """Check what can be said of a node by itself."""
    for node in tape.path:
        with findings.collect():
            if node.op_type in ACTIVATIONS:
                parse_quantizer(node, tape.constants)
            elif node.op_type in DOTS:
                is_low_bit(tape, node)
        with findings.collect():
            if node.op_type in _WINDOWS:
                read_window(tape, node)


def _check_finn(network: Network) -> None:
    """Let FINN streamline the network, and meet what it made of it."""
    finn = write_finn_graph(network)
    for step in FINN_STEPS:
        finn = step.apply(finn)
    cross_border(finn, network)


def _places(tape: Tape, network: Network) -> Iterator[Place]:
    """Say where each node of the path is computed."""
    layers = [section.name for section in network.sections]
    for position, node in enumerate(tape.path):
        where, layer = "device", "-"
        if position < network.start:
            where = "host, before"
        elif not layers:
            where = "host, after"
        else:
            layer = layers[0]
            layers = layers[node.name == layer :]
        yield Place(node=node.name, operator=node.op_type, where=where, layer=layer)
