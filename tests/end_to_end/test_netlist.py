# SPDX-License-Identifier: Apache-2.0
"""The netlist of a whole iCEBreaker, through its serial pins, equals the reference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwgq import tools
from hwgq.boards.design import read_design
from hwgq.boards.flows.flow import GATES, synthesize
from hwgq.compile import compile_network
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.gate_level import netlist_outputs
from hwgq.compile.graph import Graph
from hwgq.compile.netlist import write_rtl
from hwgq.compile.serialize import save_graph
from hwgq.errors import BoardError
from hwgq.storage import read_npz, write_text
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, export, train
from tests.boards.designs import write_build

FRAMES = 10
RECIPE = """
format = 1
name = "small"
[data]
set = "digits"
[network]
model = "mlp"
hidden = [16, 16]
[schedule]
epochs = 4
batch = 64
learning_rate = 0.01
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Train a network on real images and compile it, not too wide."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(RECIPE)
    trained = train("small.toml")
    network = trained / "network.onnx"
    return compile_network(network, "icebreaker", fps=200_000, out=tmp_path / "build")


def synthesize_build(folder: Path) -> None:
    design = read_design(folder)
    for name, text in design.files.items():
        write_text(folder / name, text)
    command = synthesize(design.flow)
    tools.run(command.argv, cwd=folder, log=folder / command.log)


def erase_weights(folder: Path, graph: Graph) -> Graph:
    """Turn every weight of a build to -1, and leave its thresholds."""
    for layer in graph.mvaus():
        graph, key = graph.with_tensor(np.zeros_like(graph.tensors[layer.weights]))
        graph = graph.with_layers({layer.name: replace(layer, weights=key)})
    write_rtl(graph, folder / "rtl")
    save_graph(graph, folder / "dataflow.json", folder / "tensors")
    return graph


def test_the_netlist_gives_the_references_logits_by_its_weights(build: Path) -> None:
    compiled, samples = load_build(build), read_npz(build / "samples.npz")
    codes = compiled.codes(samples["images"][:FRAMES], "samples")
    wanted = samples["logits"][:FRAMES]
    assert len(set(wanted.argmax(axis=1))) > 3  # of several classes

    synthesize_build(build)
    netlist = (build / GATES).read_text()
    assert "SB_RAM40_4K" in netlist
    assert "hwgq_mvau " not in netlist  # nothing but cells is left
    given = compiled.outputs(netlist_outputs(build, codes))
    np.testing.assert_array_equal(given, wanted)

    graph = erase_weights(build, compiled.graph)
    synthesize_build(build)
    erased = netlist_outputs(build, codes)
    np.testing.assert_array_equal(erased, emulate(graph, codes)[graph.output])
    assert (compiled.outputs(erased) != wanted).any(axis=1).all()


def test_the_netlist_of_a_convolutional_network_gives_the_references_logits(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(BinaryConv2d(1, 4, 3, padding=1), nn.MaxPool2d(2)),
        *(nn.BatchNorm2d(4), HWGQ(), BinaryConv2d(4, 8, 3)),
        *(nn.BatchNorm2d(8), HWGQ(), nn.Flatten(), BinaryLinear(32, 10, bias=True)),
    )
    images = np.random.default_rng(0).integers(0, 17, (40, 1, 8, 8)).astype(np.uint8)
    model.train()(torch.from_numpy(images).float())
    labels = np.zeros(len(images), np.int64)
    network = export(model.eval(), tmp_path, images, labels, input_bits=5)
    build = compile_network(network, "icebreaker", fps=20_000, out=tmp_path / "build")
    compiled, samples = load_build(build), read_npz(build / "samples.npz")
    synthesize_build(build)
    codes = compiled.codes(samples["images"][:FRAMES], "samples")
    given = compiled.outputs(netlist_outputs(build, codes))
    np.testing.assert_array_equal(given, samples["logits"][:FRAMES])
    assert len(np.unique(given, axis=0)) == FRAMES


def test_a_family_without_models_is_refused(tmp_path: Path) -> None:
    folder = write_build(tmp_path, "ulx3s-85f")
    with pytest.raises(BoardError, match="netlists of ecp5 are not simulated"):
        netlist_outputs(folder, np.zeros((1, 4), np.int64))
