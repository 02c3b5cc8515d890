# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from hwgq import tools
from hwgq.boards.pll import ecp5_pll, ice40_pll
from hwgq.errors import BoardError


@pytest.mark.parametrize("mhz", [16, 24, 25, 30, 33.3, 42, 57.7, 110, 250])
def test_ice40_settings_are_those_of_icepll(tmp_path, mhz):
    printed = tools.run(
        ["yowasp-icepll", "-i", "12", "-o", mhz], cwd=tmp_path, log=tmp_path / "log"
    )
    theirs = {
        name: int(re.search(rf"{name}:\s+(\d+)", printed).group(1))
        for name in ("DIVR", "DIVF", "DIVQ", "FILTER_RANGE")
    }
    made = float(re.search(r"F_PLLOUT:\s+([\d.]+) MHz \(achieved\)", printed).group(1))
    pll = ice40_pll(12, mhz)
    assert pll.mhz == pytest.approx(made, abs=1e-3)
    assert pll.parameters == theirs


@pytest.mark.parametrize("mhz", [25, 40, 50, 66, 77.7, 100, 133, 200])
def test_ecp5_clock_is_as_near_as_that_of_ecppll(tmp_path, mhz):
    printed = tools.run(
        ["yowasp-ecppll", "-i", "25", "-o", mhz], cwd=tmp_path, log=tmp_path / "log"
    )
    made = float(re.search(r"clkout0 frequency: ([\d.]+) MHz", printed).group(1))
    pll = ecp5_pll(25, mhz)
    assert abs(pll.mhz - mhz) <= abs(made - mhz) + 1e-3
    assert 400 <= pll.mhz * pll.parameters["CLKOP_DIV"] <= 800


@pytest.mark.parametrize(
    ("pll", "mhz", "problem"),
    [
        (ice40_pll, 10, "from 16 to 275 MHz"),
        (ice40_pll, 300, "from 16 to 275 MHz"),
        (ecp5_pll, 5, "from 10 to 400 MHz"),
        (ecp5_pll, float("nan"), "from 10 to 400 MHz"),
    ],
)
def test_a_clock_out_of_range_is_refused(pll, mhz, problem):
    with pytest.raises(BoardError, match=problem):
        pll(12, mhz)


def test_an_oscillator_that_the_pll_cannot_use_is_refused():
    with pytest.raises(BoardError, match="from 1 MHz"):
        ice40_pll(1, 30)
