# SPDX-License-Identifier: Apache-2.0
"""`verify` finds one wrong threshold, one wrong weight bit and one wrong operator.

Each test spoils one representation of a network that verifies, and expects the rung,
the layer and the element by name.
"""

import dataclasses
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwgq.cli
import hwgq.compile
import hwgq.compile.passes.border
from hwgq.compile.build_folder import load_build
from hwgq.compile.graph import Graph, Mvau
from hwgq.compile.netlist import write_rtl
from hwgq.compile.network import Section
from hwgq.compile.passes.exact_thresholds import IntegerThresholds, exact_thresholds
from hwgq.compile.serialize import save_graph
from hwgq.compile.verilator import Stalls
from hwgq.storage import read_json, sha256_file
from tests.end_to_end.command import refused, run
from tests.end_to_end.hand_made import make_network, save

LAYERS = ("levels0", "levels1")
EMULATION = "(?:boundary, )?emulation"
RTL = "(?:boundary, )?rtl"


def test_the_network_verifies_before_it_is_spoiled(build: Path) -> None:
    run("verify", build)
    rungs = {row["rung"]: row for row in read_json(build / "verify.json")["rungs"]}
    assert rungs.keys() > {"emulation", "rtl", "rtl, stalled", "boundary, rtl"}
    assert not any(row["mismatches"] for row in rungs.values())
    assert rungs["rtl, stalled"]["stalled_in"] > 30
    assert rungs["rtl, stalled"]["stalled_out"] > 30


def mismatch(build: Path, rungs: str, layer: str) -> int:
    """Expect `verify` to find a layer wrong.

    Parameters
    ----------
    build
        The build folder.
    rungs
        Pattern of the first rung that may see it.
    layer
        The layer.

    Returns
    -------
    int
        The element that the message names.
    """
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(["verify", str(build)])
    found = re.match(
        rf"({rungs}), {layer}, frame and index \(\d+, (\d+)\): expected \d+, got \d+\.",
        str(left.value.code),
    )
    assert found, left.value.code
    rows = {row["rung"]: row for row in read_json(build / "verify.json")["rungs"]}
    assert rows[found[1]]["mismatches"] > 0
    return int(found[2])


def saved(graph: Graph, build: Path) -> None:
    """Write a spoiled graph as `compile` would have."""
    old = sha256_file(build / "dataflow.json")
    save_graph(graph, build / "dataflow.json", build / "tensors")
    write_rtl(graph, build / "rtl")
    settings = build / "build.toml"
    new = sha256_file(build / "dataflow.json")
    settings.write_text(settings.read_text().replace(old, new))


def spoiled(
    build: Path, layer: str, field: str, change: Callable[[np.ndarray], None]
) -> None:
    """Change a tensor of a layer, in the graph and in the hardware alike."""
    graph = load_build(build).graph
    (node,) = (n for n in graph.mvaus() if n.name == layer)
    array = graph.tensors[getattr(node, field)].copy()
    change(array)
    graph, key = graph.with_tensor(array)
    changed: Mvau = dataclasses.replace(node, **{field: key})
    saved(graph.with_layers({layer: changed}), build)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_threshold_of_the_graph_that_is_off_by_one(layer: str, build: Path) -> None:
    def change(thresholds: np.ndarray) -> None:
        thresholds[0, 1] += 1

    spoiled(build, layer, "thresholds", change)
    assert mismatch(build, EMULATION, layer) == 0


@pytest.mark.parametrize("layer", LAYERS)
def test_a_weight_of_the_graph_that_is_flipped(layer: str, build: Path) -> None:
    def change(weights: np.ndarray) -> None:
        weights[2, 5] ^= True

    spoiled(build, layer, "weights", change)
    assert mismatch(build, EMULATION, layer) == 2


@pytest.mark.parametrize("kind", ["w", "p"], ids=["weight", "threshold"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_bit_of_a_memory_image_that_is_flipped(
    kind: str, layer: str, build: Path
) -> None:
    layers = load_build(build).graph.layers
    (number,) = (i for i, n in enumerate(layers) if n.name == layer)
    path = build / "rtl" / f"{kind}{number}.hex"
    whole = path.read_text()
    word, *rest = whole.split()
    # The lowest bit is of row 0: its weight of column 0, or its first threshold.
    flipped = f"{int(word, 16) ^ 1:0{len(word)}x}"
    path.write_text("\n".join([flipped, *rest]) + "\n")
    assert mismatch(build, RTL, layer) == 0
    path.write_text(whole)
    run("verify", build)


OPERATORS = {
    "at least becomes more than": (
        "activation",
        "<= accumulator >= ",
        "<= accumulator > ",
    ),
    "XNOR becomes XOR": ("dot_products", "code ^ ~{", "code ^ {"),
}


@pytest.fixture(scope="module")
def smaller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile a network of one hidden layer, which C++ compiles sooner."""
    folder = tmp_path_factory.mktemp("smaller")
    network = save(make_network((8, 6, 2)), folder / "smaller.onnx")
    return hwgq.compile.compile_network(network, "icebreaker", out=folder / "build")


@pytest.mark.parametrize("name", OPERATORS)
def test_a_wrong_operator_of_the_hardware(name: str, smaller: Path) -> None:
    module, right, wrong = OPERATORS[name]
    path = smaller / "rtl" / f"hwgq_{module}.sv"
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))
    mismatch(smaller, RTL, "levels0")
    path.write_text(text)


def test_a_pass_that_makes_wrong_thresholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perturbed(section: Section) -> IntegerThresholds:
        exact = exact_thresholds(section)
        thresholds = exact.thresholds.copy()
        thresholds[0, 0] += section.name == "levels1"
        return dataclasses.replace(exact, thresholds=thresholds)

    monkeypatch.setattr(hwgq.compile.passes.border, "exact_thresholds", perturbed)
    network = save(make_network(), tmp_path / "network.onnx")
    arguments = ("compile", network, "--board", "icebreaker", "--out", tmp_path / "b")
    # compile itself runs random frames behind each pass, and these meet the threshold.
    message = refused(tmp_path, *arguments)
    assert re.match(r"pass cross-border, levels1, frame and index \(\d+, 0\)", message)
    # Without that check it is left to verify.
    monkeypatch.setattr("hwgq.compile.stages.Stages._check", lambda *_: None)
    run(*arguments)
    assert mismatch(tmp_path / "b", EMULATION, "levels1") == 0


def test_a_stalled_run_without_stalls_is_no_proof(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["hwgq.compile.verify"]  # the package has a function so named
    monkeypatch.setattr(module, "Stalls", lambda seed: Stalls(seed, share=0.0))
    before = {*build.iterdir()}
    message = refused(build.parent, "verify", build)
    assert message.startswith("rtl, stalled: stalled_in: only 0.0 % of")
    assert {*build.iterdir()} == before
