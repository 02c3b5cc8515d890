# SPDX-License-Identifier: Apache-2.0
"""Two trainings of one network: the second goes into the routed design of the first."""

from pathlib import Path

import numpy as np
import pytest

from hwgq import boards
from hwgq.boards.bitstream import build
from hwgq.compile import compile_network
from hwgq.compile.board_rungs import climb_board
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.ladder import Ladder
from hwgq.errors import FoldingError
from hwgq.storage import read_toml
from tests.end_to_end.hand_made import make_network, save

FRAMES = 4
SIZES = (10, 5, 3)
"""5 columns of 2 bits sum up to 15: a threshold that is never reached takes 5 bits."""


def compile_seed(folder: Path, board: str, seed: int) -> Path:
    """Compile a network with random weights, thresholds and signs of scales."""
    folder.mkdir()
    network = save(make_network(SIZES, seed), folder / f"{seed}.onnx")
    return compile_network(
        network, board, out=folder / "build", fps=20_000, exchangeable=True
    )


@pytest.mark.parametrize("board", boards.names())
def test_trainings_differ_in_memory_images_only(tmp_path: Path, board: str) -> None:
    first, *others = (
        compile_seed(tmp_path / str(seed), board, seed) / "rtl" for seed in range(4)
    )
    images = {path.name for path in first.glob("*.hex")}
    assert images == {"w0.hex", "p0.hex", "w1.hex", "p1.hex"}
    assert '_STYLE("lut")' not in (first / "hwgq_core.sv").read_text()
    for other in others:
        changed = {
            path.name
            for path in first.iterdir()
            if path.read_bytes() != (other / path.name).read_bytes()
        }
        assert changed == images
    assert read_toml(first.parent / "build.toml")["exchangeable"] is True


@pytest.mark.parametrize("board", boards.names())
def test_a_retrained_network_in_an_old_routing_computes_as_retrained(
    tmp_path: Path, board: str
) -> None:
    old, new = (compile_seed(tmp_path / str(i), board, i) for i in (0, 1))
    routed, reused = build(old), build(new, reuse_routing=old)
    assert reused.fmax_mhz == routed.fmax_mhz
    assert reused.build_id != routed.build_id
    codes = np.random.default_rng(0).integers(0, 16, (FRAMES, SIZES[0]))
    wanted, before = (
        emulate(graph, codes)[graph.output]
        for graph in (load_build(folder).graph for folder in (new, old))
    )
    assert (wanted != before).any(axis=1).all()
    ladder = Ladder()
    climb_board(ladder, load_build(new), codes, wanted, through="bitstream")
    assert ladder.mismatch is None
    assert [rung.rung for rung in ladder.rungs][1:] == [
        "board, netlist",
        "board, routed",
        "board, bitstream",
    ]


def test_memories_that_do_not_fit_block_ram_are_refused(tmp_path: Path) -> None:
    network = save(make_network((16,) * 12, 0), tmp_path / "deep.onnx")
    compile_network(network, "icebreaker", out=tmp_path / "lut")
    with pytest.raises(FoldingError, match="block RAM"):
        compile_network(network, "icebreaker", out=tmp_path, exchangeable=True)
