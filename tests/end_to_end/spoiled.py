# SPDX-License-Identifier: Apache-2.0
"""Built boards, one form of which has other contents in its memories than it shall."""

import json
import re
from collections.abc import Callable
from pathlib import Path

from hwgq.boards.design import read_design
from hwgq.boards.flows.flow import GATES, ROUTED
from tests.sabotage.cells import stamp

_BITS = str.maketrans("01", "10")
_DIGITS = str.maketrans("0123456789abcdef", "fedcba9876543210")


def spoil(rung: str, build: Path) -> None:
    """Turn the first words of all memories over, in the file that a rung runs."""
    SPOILED[rung](build)


def stamp_all(build: Path) -> None:
    """Make a spoiled build look like a whole one."""
    for stage in ("synthesize", "place and route", "pack"):
        stamp(build, stage)


def _netlist(build: Path) -> None:
    text = (build / GATES).read_text()
    # Long constants are hexadecimal, or binary where a digit is in part unknown.
    words = rf"(?<=\.{_first(build)}\()(\d+'[hb])([0-9a-fx]+)"

    def turned(found: re.Match[str]) -> str:
        return found[1] + found[2].translate(_BITS if "'b" in found[1] else _DIGITS)

    changed = re.sub(words, turned, text)
    assert changed != text
    (build / GATES).write_text(changed)


def _routed(build: Path) -> None:
    contents, name = read_design(build).flow.contents, _first(build)
    netlist = json.loads((build / ROUTED).read_text())
    (module,) = netlist["modules"].values()
    memories = [cell for cell in module["cells"].values() if contents.of(cell)]
    assert memories
    for cell in memories:
        cell["parameters"][name] = cell["parameters"][name].translate(_BITS)
    (build / ROUTED).write_text(json.dumps(netlist))


def _first(build: Path) -> str:
    """Name the parameter that has a memory's first words."""
    return {"ice40": "INIT_0", "ecp5": "INITVAL_00"}[read_design(build).board.family]


SPOILED: dict[str, Callable[[Path], None]] = {"netlist": _netlist, "routed": _routed}
"""By the rung that finds it."""
