# SPDX-License-Identifier: Apache-2.0
"""The netlist of a whole iCEBreaker, through its serial pins, equals emulation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwgq import tools
from hwgq.boards.design import read_design
from hwgq.boards.flows.flow import GATES, synthesize
from hwgq.compile.emulate import emulate
from hwgq.compile.gate_level import netlist_outputs
from hwgq.compile.graph import Graph
from hwgq.compile.netlist import write_rtl
from hwgq.compile.serialize import save_graph
from hwgq.storage import write_text, write_toml
from tests.compile.graphs import placed, random_codes, random_mlp

FRAMES = 10


def synthesized(folder: Path, graph: Graph) -> Path:
    """Write a build folder and synthesize it."""
    write_rtl(graph, folder / "rtl")
    save_graph(graph, folder / "dataflow.json", folder / "tensors")
    write_toml(folder / "build.toml", {"name": "tiny", "board": "icebreaker"})
    design = read_design(folder)
    for name, text in design.files.items():
        write_text(folder / name, text)
    command = synthesize(design.flow)
    tools.run(command.argv, cwd=folder, log=folder / command.log)
    return folder


@pytest.fixture(scope="module")
def graph() -> Graph:
    # Width converters up, down and uneven; SIMD below and at the width; PE below rows.
    return placed(random_mlp(4, (16, 12, 8, 5)), [(3, 8), (4, 12), (1, 4)])


def test_the_netlist_answers_as_emulation_does(graph: Graph, tmp_path: Path) -> None:
    folder = synthesized(tmp_path, graph)
    netlist = (folder / GATES).read_text()
    assert "SB_RAM40_4K" in netlist
    assert "hwgq_mvau " not in netlist  # nothing but cells is left
    codes = random_codes(graph, FRAMES)
    expected = emulate(graph, codes)[graph.output]
    np.testing.assert_array_equal(netlist_outputs(folder, codes), expected)


def test_without_its_weights_the_netlist_answers_otherwise(
    graph: Graph, tmp_path: Path
) -> None:
    erased = graph
    for layer in graph.mvaus():
        zeros = np.zeros_like(graph.tensors[layer.weights])
        erased, key = erased.with_tensor(zeros)
        erased = erased.with_layers({layer.name: replace(layer, weights=key)})
    folder = synthesized(tmp_path, erased)
    codes = random_codes(graph, FRAMES)
    answers = netlist_outputs(folder, codes)
    np.testing.assert_array_equal(answers, emulate(erased, codes)[graph.output])
    assert (answers != emulate(graph, codes)[graph.output]).any(axis=1).all()
