# SPDX-License-Identifier: Apache-2.0
import importlib.resources
from pathlib import Path

import pytest

from hwgq import boards, tools
from hwgq.boards.design import read_design
from hwgq.boards.top import clocks_per_bit
from hwgq.errors import BoardError, ToolFailedError
from hwgq.storage import write_text
from tests.boards.designs import write_build

HERE = Path(__file__).parent
#: The vendors' PLLs, as far as designs use them.
CELLS = {"ice40": HERE / "SB_PLL40_PAD.sv", "ecp5": HERE / "EHXPLLL.sv"}


def lint(folder, *arguments):
    tools.run(
        ["verilator", "--lint-only", "-Wall", *arguments],
        cwd=folder,
        log=folder / "log",
    )


@pytest.mark.parametrize("name", boards.names())
def test_the_whole_design_is_lint_clean(tmp_path, name):
    folder = write_build(tmp_path, name)
    design = read_design(folder)
    for path, text in design.files.items():
        write_text(folder / path, text)
    sources = folder.rglob("*.sv")
    cell = CELLS[design.board.family]
    lint(folder, "--top-module", "hwgq_board_top", cell, *sources)


@pytest.mark.parametrize(
    ("family", "setting"),
    [
        ("ice40", "DIVR=16"),
        ("ice40", "DIVF=128"),
        ("ice40", "DIVQ=7"),
        ("ice40", "FILTER_RANGE=0"),
        ("ecp5", "CLKI_DIV=0"),
        ("ecp5", "CLKFB_DIV=81"),
        ("ecp5", "CLKOP_DIV=129"),
    ],
)
def test_a_bad_divider_stops_elaboration(tmp_path, family, setting):
    module = f"hwgq_pll_{family}"
    folder = importlib.resources.files("hwgq.hw_templates") / "board"
    with pytest.raises(ToolFailedError, match=f"{setting.split('=')[0]} .* must be"):
        lint(tmp_path, f"-G{setting}", CELLS[family], folder / f"{module}.sv")


def test_the_baud_rate_divides_the_clock():
    assert clocks_per_bit(30, 1_000_000) == 30
    assert clocks_per_bit(50.25, 1_000_000) == 50
    with pytest.raises(BoardError, match="3000000 baud is no whole fraction of 16 MHz"):
        clocks_per_bit(16, 3_000_000)
    with pytest.raises(BoardError, match="no whole fraction"):
        clocks_per_bit(16, 12_000_000)
