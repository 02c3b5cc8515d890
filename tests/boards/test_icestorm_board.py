# SPDX-License-Identifier: Apache-2.0
"""The bitstream of a whole iCEBreaker, read back, answers on its serial pins."""

from pathlib import Path

import numpy as np
import pytest

from hwgq import boards, tools
from hwgq.boards.design import read_design
from hwgq.boards.icestorm import netlist_of, verilog_of
from hwgq.boards.icestorm.asc import Bitmap, read_asc
from hwgq.boards.icestorm.chip import Cell
from hwgq.boards.icestorm.pcf import read_pcf
from hwgq.boards.protocol import ANSWER_OVERHEAD, Decoder, encode_infer
from hwgq.compile.gate_level import build_netlist_bench, exchange
from hwgq.errors import VerificationError
from tests.boards.designs import write_build
from tests.boards.spoil import flip

PINS = {"35": "osc_i", "6": "rx_i", "9": "tx_o"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a board that adds one to every byte, and unpack its bitstream."""
    folder = write_build(tmp_path_factory.mktemp("board") / "build", "icebreaker")
    boards.build(folder)
    argv = ["yowasp-iceunpack", "bitstream/hwgq.bin", "unpacked.asc"]
    tools.run(argv, cwd=folder, log=folder / "log")
    return folder


@pytest.fixture(scope="module")
def bitmap(folder: Path) -> Bitmap:
    return read_asc((folder / "unpacked.asc").read_text())


def test_the_bitstream_answers(folder: Path) -> None:
    design = read_design(folder)
    pins = read_pcf((folder / "bitstream" / "pins.pcf").read_text())
    assert pins == PINS
    asc = (folder / "unpacked.asc").read_text()
    back = folder / "back.sv"
    back.write_text(verilog_of(asc, package="sg48", pins=pins))
    clocks = design.clocks_per_bit
    bench = build_netlist_bench(back, "ice40", clocks_per_bit=clocks)
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 1), np.uint8)
    said = exchange(
        bench,
        [encode_infer(i, frame) for i, frame in enumerate(frames)],
        answer_bytes=len(frames) * (ANSWER_OVERHEAD + 4),
        silence=40 * clocks,
        cwd=folder,
    )
    answers = Decoder(4).feed(said.outputs.tobytes())
    assert [answer.sequence for answer in answers] == [0, 1, 2]
    assert [answer.body for answer in answers] == [
        (frame + 1).astype(np.uint8).tobytes() for frame in frames
    ]


def _pll(bitmap: Bitmap) -> Cell:
    return next(cell for cell in bitmap.chip.cells if cell.kind == "pll")


def test_the_plls_dividers_are_read(folder: Path, bitmap: Bitmap) -> None:
    def parameters(bitmap: Bitmap) -> dict[str, str]:
        netlist = netlist_of(bitmap, package="sg48", pins=PINS)
        (pll,) = (part for part in netlist.parts if part.name == "u_pll_12_31_3")
        return dict(pll.parameters)

    design = read_design(folder)
    wanted = design.flow.pll(design.board.clock.mhz, design.mhz).parameters
    settings = {name: f"{value}" for name, value in wanted.items()}
    assert parameters(bitmap) == {"FEEDBACK_PATH": '"SIMPLE"', **settings}
    spoiled = parameters(flip(bitmap, _pll(bitmap).config["DIVF_3"]))
    assert spoiled["DIVF"] == f"{wanted['DIVF'] ^ 8}"


@pytest.mark.parametrize(
    ("parameter", "problem"),
    [
        ("PLLTYPE_0", "is no SB_PLL40_PAD with simple feedback"),
        ("FEEDBACK_PATH_2", "is no SB_PLL40_PAD with simple feedback"),
        ("PLLOUT_SELECT_A_1", "is no SB_PLL40_PAD with simple feedback"),
        ("DELAY_ADJMODE_FB", "is no SB_PLL40_PAD with simple feedback"),
        ("PLLTYPE_1", r"io tile .* \(PLL.PLLCONFIG_\d\) is 1 and is not read back"),
    ],
)
def test_another_pll_is_refused(bitmap: Bitmap, parameter: str, problem: str) -> None:
    spoiled = flip(bitmap, _pll(bitmap).config[parameter])
    with pytest.raises(VerificationError, match=problem):
        netlist_of(spoiled, package="sg48", pins=PINS)


def test_a_pll_needs_its_pad(bitmap: Bitmap) -> None:
    pad = bitmap.chip.packages["sg48"]["35"]
    spoiled = flip(bitmap, bitmap.chip.input_enables[pad])
    with pytest.raises(VerificationError, match="io_12_31_1: is read but its input"):
        netlist_of(spoiled, package="sg48", pins=PINS)
