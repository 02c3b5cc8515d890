# SPDX-License-Identifier: Apache-2.0
"""Faults in netlist, routed netlist and bitstream are caught by the rung of each.

The network is so small that the board gets every frame that there is.
"""

import shutil

import numpy as np
import onnx
import pytest

from hwgq import boards
from hwgq.compile import compile_network
from hwgq.compile.board_rungs import climb_board
from hwgq.compile.build_folder import load_build
from hwgq.compile.circuits import BOARD_RUNGS
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import Mvau
from hwgq.compile.ladder import Ladder
from hwgq.compile.memories import parameter_bits, weight_bits
from hwgq.errors import SimulationError, StorageError
from tests.compile.onnx_nets import Chain
from tests.sabotage import cells

TIMES = 3
#: By the rung that each of them breaks.
FAULTS = {
    cells.lut_bit_of_an_adder: "netlist",
    cells.connection_of_an_adder: "routed",
    cells.bit_of_an_image: "bitstream",
}
#: All frames of two codes of 2 bits, thrice; in order, they would be as their numbers.
FRAMES = np.random.default_rng(0).permutation(
    np.tile(np.stack(np.unravel_index(np.arange(16), (4, 4)), axis=1), (3, 1))
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return built_for("icebreaker", tmp_path_factory.mktemp("ice40"), clock_mhz=24)


@pytest.fixture(scope="module")
def ecp5(tmp_path_factory):
    return built_for("ulx3s-85f", tmp_path_factory.mktemp("ecp5"))


def built_for(board, folder, **options):
    """Build one layer without thresholds: each of its sums is an output.

    Its memories are in block RAM. It has so many rows that each lane meets all weights.
    """
    chain = Chain(2, batch="frames").annotate("UINT2").linear(32, 2)
    onnx.save(chain.model(), folder / "network.onnx")
    pins = f'format = 1\n[layers."{chain.tensor}"]\npe = 2\nsimd = 2\n'
    (folder / "folding.toml").write_text(pins)
    build = compile_network(
        folder / "network.onnx",
        board,
        out=folder / "build",
        folding=folder / "folding.toml",
        exchangeable=True,
        **options,
    )
    boards.build(build)
    assert not climb(build, "bitstream")
    return build


def climb(build, rung):
    """Tell whether a rung catches what is wrong with a build; none before it does."""
    whole, ladder = load_build(build), Ladder()
    expected = emulate(whole.graph, FRAMES)[whole.graph.output]
    try:
        climb_board(ladder, whole, FRAMES, expected, through=rung)
        caught = ladder.rungs.pop().mismatches > 0
    except SimulationError:  # in the rung that then has no row
        caught = True
    before = ["rtl", *BOARD_RUNGS[: BOARD_RUNGS.index(rung)]]
    rows = [(row.rung, row.mismatches) for row in ladder.rungs]
    assert rows == [(f"board, {name}", 0) for name in before]
    return caught


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_the_cells_is_caught(fault, time, built, tmp_path, rng):
    build = shutil.copytree(built, tmp_path / "build")
    what = fault(rng, build, tmp_path)
    assert climb(build, FAULTS[fault]), what


@pytest.mark.parametrize("time", range(TIMES))
def test_a_word_of_an_ecp5s_bitstream_is_compared(time, ecp5, tmp_path, rng):
    build = shutil.copytree(ecp5, tmp_path / "build")
    what = cells.bit_of_a_word_on_an_ecp5(rng, build, tmp_path)
    assert climb(build, "bitstream"), what


def test_the_images_fill_as_many_bits_as_they_have(built):
    """So no bit of an image is beside those that the synthesized netlist knows."""
    graph = load_build(built).graph
    layers = [n for n in graph.layers if isinstance(n, Mvau)]
    bits = [
        make(graph, n).size for make in (weight_bits, parameter_bits) for n in layers
    ]
    rows = "".join("".join(rows) for rows in cells.read_only(built).values())
    assert len(rows.replace("x", "")) == sum(bits)


@pytest.mark.parametrize("time", range(TIMES))
def test_a_bit_beside_the_images_changes_nothing(time, built, tmp_path, rng):
    build = shutil.copytree(built, tmp_path / "build")
    what = cells.bit_beside_the_images(rng, build, tmp_path)
    assert not climb(build, "bitstream"), what


def test_a_file_of_another_build_is_not_climbed(built, tmp_path, rng):
    build = shutil.copytree(built, tmp_path / "build")
    record = (build / ".stages" / "synthesize.json").read_text()
    cells.lut_bit_of_an_adder(rng, build, tmp_path)
    (build / ".stages" / "synthesize.json").write_text(record)
    with pytest.raises(StorageError, match="has no bitstream of its sources"):
        climb(build, "netlist")
