# SPDX-License-Identifier: Apache-2.0
"""What a routed design takes and reaches, read from what nextpnr writes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgq.boards.board import Board
from hwgq.boards.flows.flow import Flow
from hwgq.errors import BuildError

_NO_ROOM = "Unable to find legal placement"
#: nextpnr's table, for example ``Info:      ICESTORM_LC:   920/  5280    17%``.
_UTILIZATION = re.compile(r"^Info:\s+(\w+):\s+(\d+)\s*/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How many of a kind of cell a design takes."""

    used: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildResult:
    """A bitstream and what its routed design is like.

    Parameters
    ----------
    board
        Name of the board.
    bitstream
        The file to load.
    clock_mhz
        Clock that the PLL makes.
    fmax_mhz
        Fastest clock of the routed design, by nextpnr's report.
    seed
        Seed of the placer that reached it.
    build_id
        What the board answers when asked which design it carries, in hexadecimal.
    luts, block_rams
        Logic cells and block RAMs, shell included.
    """

    board: str
    bitstream: Path
    clock_mhz: float
    fmax_mhz: float
    seed: int
    build_id: str
    luts: Use
    block_rams: Use


def read_report(path: Path) -> dict[str, Any]:
    """Read what ``nextpnr --report`` wrote."""
    report: dict[str, Any] = json.loads(path.read_text())
    return report


def fmax_mhz(report: Mapping[str, Any]) -> float:
    """Find the fastest clock, in MHz, in nextpnr's report."""
    return min(float(clock["achieved"]) for clock in report["fmax"].values())


def used_cells(report: Mapping[str, Any], flow: Flow) -> dict[str, dict[str, int]]:
    """Find `luts` and `block_rams`, used and available, in nextpnr's report."""
    kinds = {"luts": flow.luts, "block_rams": flow.block_rams}
    return {name: dict(report["utilization"][cell]) for name, cell in kinds.items()}


def cells_over(printed: str, flow: Flow) -> list[str]:
    """Find what a design has too many of, in what nextpnr printed.

    nextpnr writes no report of a design that it cannot place, but its table of cells.

    Parameters
    ----------
    printed
        What nextpnr printed until it gave up.
    flow
        The family's flow.

    Returns
    -------
    list of str
        For example ``["6012 of 5280 logic cells (114%)"]``.
    """
    return [
        _used_of(cell, used, available, flow)
        for cell, used, available in _UTILIZATION.findall(printed)
        if int(used) > int(available)
    ]


def cells_crowded(printed: str, flow: Flow) -> list[str]:
    """Find what a design has so many of that the placer found no room for the last.

    See :func:`cells_over`; the list is empty where nextpnr stopped for another reason.
    """
    if _NO_ROOM not in printed:
        return []
    return [
        f"{_used_of(cell, used, available, flow)} and finds no place for the last ones"
        for cell, used, available in _UTILIZATION.findall(printed)
        if cell == flow.luts
    ]


def _used_of(cell: str, used: str, available: str, flow: Flow) -> str:
    words = {flow.luts: "logic cells", flow.block_rams: "block RAMs"}
    share = int(used) / max(1, int(available))
    return f"{used} of {available} {words.get(cell, cell)} ({share:.0%})"


def too_big(board: Board, over: Sequence[str]) -> BuildError:
    """Say that a design does not fit, and what to change."""
    remedy = "Choose a smaller folding (fewer PE x SIMD lanes) or a larger board"
    return BuildError(board.name, f"the design needs {' and '.join(over)}", remedy)


def missed_clock(board: Board, mhz: float, reached: Mapping[int, float]) -> BuildError:
    """Say by how much a design misses its clock, and what to change.

    Parameters
    ----------
    board
        The board.
    mhz
        The clock that is asked for.
    reached
        The fastest clock of each seed that was tried, in MHz.
    """
    best, seeds = max(reached.values()), ", ".join(str(seed) for seed in reached)
    return BuildError(
        board.name,
        f"the routed design reaches {best:.1f} of {mhz:g} MHz,"
        f" {1 - best / mhz:.0%} short (seeds {seeds})",
        f"Set --clock-mhz to {int(best)} or less, or choose a smaller folding",
    )
