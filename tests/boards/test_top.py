# SPDX-License-Identifier: Apache-2.0
import importlib.resources

import pytest

from hwgq import boards, tools
from hwgq.boards.board import Uart
from hwgq.boards.design import read_design
from hwgq.boards.top import choose_baud, clocks_per_bit
from hwgq.errors import BoardError, ToolFailedError
from hwgq.hw_templates import cells
from hwgq.storage import write_text
from tests.boards.designs import write_build


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
    models = cells(design.board.family)
    lint(folder, "--top-module", "hwgq_board_top", *models, *sources)


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
        models = cells(family)
        lint(
            tmp_path,
            f"-G{setting}",
            "--top-module",
            module,
            *models,
            folder / f"{module}.sv",
        )


@pytest.mark.parametrize("name", boards.names())
def test_the_rate_of_a_board_is_fast_and_exact(name):
    design_mhz = boards.load(name).clock.core_mhz
    uart = boards.load(name).uart
    baud = choose_baud(design_mhz, uart)
    cycles = clocks_per_bit(design_mhz, baud)
    assert baud > 1_000_000
    assert cycles >= 8
    assert abs(design_mhz * 1e6 / cycles / baud - 1) < 0.01


def test_the_baud_rate_is_the_first_that_the_clock_divides():
    uart = Uart(bauds=(3_000_000, 2_000_000, 1_000_000))
    assert choose_baud(30, uart) == 3_000_000
    assert choose_baud(23.9, uart) == 3_000_000
    assert choose_baud(50.25, uart) == 2_000_000
    assert choose_baud(20, uart) == 2_000_000
    assert choose_baud(15.1, uart) == 1_000_000
    for mhz in (17.45, 7):
        message = f"uart.bauds: {mhz:g} MHz is no multiple, .* of 3000000, 2000000"
        with pytest.raises(BoardError, match=message):
            choose_baud(mhz, uart)
