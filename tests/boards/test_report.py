# SPDX-License-Identifier: Apache-2.0
"""What nextpnr prints of a design that it cannot place becomes an error's text."""

from hwgq.boards import load
from hwgq.boards.flows import flow_of
from hwgq.boards.report import cells_crowded, cells_over

FLOW = flow_of(load("icebreaker"))
TABLE = """\
Info: 	         ICESTORM_LC:    {cells}/   5280    88%
Info: 	        ICESTORM_RAM:      18/     30    60%
"""


def test_what_is_over_the_device_is_named() -> None:
    found = cells_over(TABLE.format(cells=5799), FLOW)
    assert found == ["5799 of 5280 logic cells (110%)"]


def test_a_crowded_device_is_told_from_other_failures() -> None:
    printed = TABLE.format(cells=4681)
    assert cells_over(printed, FLOW) == []
    assert cells_crowded(printed, FLOW) == []
    (found,) = cells_crowded(printed + "ERROR: Unable to find legal placement", FLOW)
    assert found.startswith("4681 of 5280 logic cells (89%)")
