# SPDX-License-Identifier: Apache-2.0
"""The rungs beyond RTL: the whole board, asked through its serial pins.

What the board answers is compared with the reference, and the cycles that it counted
with those of its own SystemVerilog. Three forms of the design are simulated: what yosys
mapped it to, what nextpnr placed and routed, and what the bitstream says when it is
read back. An ECP5's bitstream is not made a circuit again: it is shown to configure the
device, bit for bit, as the router wanted.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hwgq.boards.bitstream import read_built
from hwgq.boards.design import Design
from hwgq.boards.flows.flow import GATES, ROUTED
from hwgq.boards.trellis import read_configuration
from hwgq.boards.unpack import UNPACKED, unpack
from hwgq.compile.build_folder import Build
from hwgq.compile.circuits import BOARD_RUNGS, circuit
from hwgq.compile.evidence import Evidence
from hwgq.compile.gate_level import run_netlist, run_sources
from hwgq.compile.graph import IntArray
from hwgq.compile.ladder import Climb, Ladder
from hwgq.progress import step
from hwgq.storage import sha256_file

CONFIGURATION = {"configuration memory": "bits", "block RAMs": "memories"}
"""What of a device is compared where nothing is run: words, and where it stands."""


@dataclass(frozen=True, slots=True)
class _Board:
    """A build on its board, frames for it, and what shall come of them."""

    build: Build
    design: Design
    codes: IntArray
    expected: IntArray
    cycles: IntArray

    @property
    def folder(self) -> Path:
        return self.build.folder

    def hashed(self, *names: str) -> dict[str, str]:
        return {name: sha256_file(self.folder / name) for name in names}

    def simulate(self, climb: Climb, rung: str, folder: Path) -> None:
        netlist = circuit(rung, self.folder, self.design, folder)
        run = run_netlist(netlist, self.build, self.design, self.codes)
        climb.compare("output", self.expected, run.codes)
        climb.compare("cycles", self.cycles, run.cycles)


def climb_board(
    ladder: Ladder, build: Build, codes: IntArray, expected: IntArray, *, through: str
) -> Evidence:
    """Compare a build's board with the reference, from its sources to its bitstream.

    Parameters
    ----------
    ladder
        Takes the rungs.
    build
        The build, which `hwgq build` was run on.
    codes, expected
        Codes of the frames, and of the outputs that the reference has for them.
    through
        The last of :data:`BOARD_RUNGS`.

    Returns
    -------
    Evidence
        Hashes of all that was compared, by path in the build folder.

    Raises
    ------
    StorageError
        If the build has no bitstream, or not that of its sources.
    SimulationError
        If an answer is missing, damaged, or says that something went wrong.
    VerificationError
        If the bitstream holds what cannot be read back.
    ToolNotFoundError, ToolFailedError
        If a program is missing or fails.
    """
    design = read_built(build.folder)
    with _rung(ladder, "board, rtl", len(codes)) as climb:
        run = run_sources(build, design, codes)
        climb.compare("output", expected, run.codes)
    board = _Board(build, design, codes, expected, run.cycles)
    compared: dict[str, str] = {}
    for name in BOARD_RUNGS[: BOARD_RUNGS.index(through) + 1]:
        with (
            _rung(ladder, f"board, {name}", len(codes)) as climb,
            tempfile.TemporaryDirectory() as folder,
        ):
            compared |= _CLIMBS[name](climb, board, Path(folder))
    return compared


@contextmanager
def _rung(ladder: Ladder, name: str, frames: int) -> Iterator[Climb]:
    with step(f"verify: {name}"), ladder.climb(name, frames) as climb:
        yield climb


def _netlist(climb: Climb, board: _Board, folder: Path) -> dict[str, str]:
    board.simulate(climb, "netlist", folder)
    return board.hashed(GATES)


def _routed(climb: Climb, board: _Board, folder: Path) -> dict[str, str]:
    board.simulate(climb, "routed", folder)
    return board.hashed(ROUTED)


def _bitstream(climb: Climb, board: _Board, folder: Path) -> dict[str, str]:
    flow = board.design.flow
    if board.design.board.family == "ice40":
        board.simulate(climb, "bitstream", folder)
    else:
        climb.frames = 0
        routed = (board.folder / flow.routed_file).read_text()
        _compare_configurations(climb, routed, unpack(board.folder, flow, folder))
    unpacked = {f"{flow.bitstream_file}, unpacked": sha256_file(folder / UNPACKED)}
    return board.hashed(flow.routed_file, flow.bitstream_file) | unpacked


def _compare_configurations(climb: Climb, routed: str, unpacked: str) -> None:
    """Compare every bit that an ECP5's bitstream configures with the router's."""
    expected, got = read_configuration(routed), read_configuration(unpacked)
    for name, attribute in CONFIGURATION.items():
        climb.compare(name, getattr(expected, attribute), getattr(got, attribute))


_CLIMBS: dict[str, Callable[[Climb, _Board, Path], dict[str, str]]] = {
    "netlist": _netlist,
    "routed": _routed,
    "bitstream": _bitstream,
}
