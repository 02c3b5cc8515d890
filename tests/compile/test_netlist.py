# SPDX-License-Identifier: Apache-2.0
import dataclasses
import re
from pathlib import Path

import pytest

from hwgq.compile.graph import ElementType, Graph, Mvau, SumPool
from hwgq.compile.netlist import core_map, core_text, write_rtl
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.errors import UnsupportedLayerError
from tests.compile.graphs import placed, random_mlp, random_vvau
from tests.compile.test_emulate import residual_graph

HOSTILE = (
    '*/ endmodule "\n`include x\\\r\u2028// verilator lint_off\u00e9' + "x" * 10_000
)


@pytest.fixture
def graph() -> Graph:
    return placed(random_mlp(1, (20, 24, 24)), [(1, 1), (1, 2)])


def test_streams_are_numbered_in_order(graph: Graph) -> None:
    assert core_map(graph) == {
        "image": 0,
        "layer0.out": 1,
        "layer0.out.queued": 2,
        "layer0.out.converted": 3,
        "layer1.out": 4,
    }


def test_every_layer_is_an_instance_with_its_parameters(graph: Graph) -> None:
    text = core_text(graph)
    instances = re.findall(r"^  (hwgq_\w+) #\((.*?)\) (u_\d+) \(", text, re.M | re.S)
    assert [(module, name) for module, _, name in instances] == [
        ("hwgq_mvau", "u_0"),
        ("hwgq_fifo", "u_1"),
        ("hwgq_width_converter", "u_2"),
        ("hwgq_mvau", "u_3"),
    ]
    assert '.WEIGHT_FILE("w0.hex")' in instances[0][1]
    assert ".DEPTH(10)" in instances[1][1]
    assert re.search(r"N_IN\(1\),\s+\.N_OUT\(2\),\s+\.B\(2\)", instances[2][1])
    assert ".STEPS(0)" in instances[3][1]


def test_wide_weights_and_the_layers_of_images_have_hardware() -> None:
    wide = random_mlp(1, (8, 3), weight_bits=3, logits=False)
    (mvau,) = re.findall(r"WEIGHT_BITS\((\d+)\)", core_text(placed(wide, [(1, 4)])))
    assert mvau == "3"
    graph = absorb_offsets(random_vvau(1, 4, 9, (4, 3), weight_bits=2))
    pixels = graph.streams["out"]
    total = dataclasses.replace(
        pixels, name="total", shape=(4,), type=ElementType.unsigned(18)
    )
    pooling = SumPool(
        name="pool", inputs=("out",), outputs=("total",), channels=4, pixels=6, pe=4
    )
    graph = graph.with_stream(total).replace(
        layers=(*graph.layers, pooling), output="total"
    )
    text = core_text(graph)
    assert re.search(r"hwgq_vvau #\(\s+\.CHANNELS\(4\),\s+\.TAPS\(9\),", text)
    pool = r"hwgq_sum_pool #\(\s+\.CHANNELS\(4\),\s+\.PIXELS\(6\),\s+\.PE\(4\),"
    assert re.search(pool + r"\s+\.IN_BITS\(2\),\s+\.OUT_BITS\(5\)", text)


def test_names_from_the_network_reach_only_harmless_comments(graph: Graph) -> None:
    first, *others = graph.layers
    stream = dataclasses.replace(graph.streams["image"], name=HOSTILE)
    hostile = dataclasses.replace(first, name=HOSTILE, inputs=(HOSTILE,))
    text = core_text(
        graph.with_stream(stream).replace(layers=(hostile, *others), input=HOSTILE)
    )
    plain = core_text(graph)
    code = [line for line in text.splitlines() if not line.lstrip().startswith("//")]
    expected = [n for n in plain.splitlines() if not n.lstrip().startswith("//")]
    assert code == expected
    assert text.isascii()
    assert all(len(line) < 200 for line in text.splitlines())
    assert not re.search(r"^\s*//\s*(verilator|synopsys|yosys)", text, re.M)


def test_a_layer_without_hardware_is_refused_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(UnsupportedLayerError, match="fork: there is no hardware"):
        write_rtl(residual_graph(), tmp_path / "rtl")
    assert not (tmp_path / "rtl").exists()


def test_a_layer_whose_offsets_are_not_absorbed_is_refused() -> None:
    with pytest.raises(UnsupportedLayerError, match="layer0: there is no hardware"):
        core_text(random_mlp(1, (4, 2)))


def test_the_folder_holds_all_that_simulation_and_synthesis_read(
    graph: Graph, tmp_path: Path
) -> None:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "w9.hex").write_text("left by another network")
    write_rtl(graph, tmp_path / "rtl")
    listed = (tmp_path / "rtl" / "files.txt").read_text().split()
    there = {path.name for path in (tmp_path / "rtl").iterdir()}
    assert listed[-1] == "hwgq_core.sv"
    images = {"w0.hex", "p0.hex", "w3.hex", "p3.hex"}
    assert there == {*listed, *images, "files.txt"}
    text = (tmp_path / "rtl" / "hwgq_core.sv").read_text()
    assert set(re.findall(r"\w+\.hex", text)) == images


def test_only_numbers_depend_on_the_weights(graph: Graph) -> None:
    other = placed(random_mlp(2, (20, 24, 24)), [(1, 1), (1, 2)])
    assert core_text(graph) == core_text(other)
    assert all(n.popcount for n in other.layers if isinstance(n, Mvau))
