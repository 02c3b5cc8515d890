# SPDX-License-Identifier: Apache-2.0
"""What a build asks of its board, and every file that its flow's programs read."""

import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hwgq.boards.board import Board, load
from hwgq.boards.flows import flow_of
from hwgq.boards.flows.flow import FOLDER, SCRIPT, TOP, Flow, synthesis_script
from hwgq.boards.pins import pads
from hwgq.boards.pll import Pll
from hwgq.boards.protocol import Info
from hwgq.boards.top import board_top, choose_baud, clocks_per_bit
from hwgq.errors import StorageError
from hwgq.storage import check_keys, read_json, read_toml, sha256_bytes, sha256_path

_INFO = f"{FOLDER}/info.hex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A compiled network on its board.

    Parameters
    ----------
    board, flow
        The board and its flow.
    mhz, baud
        The clock that the PLL makes, and the serial port's bits per second.
    seed
        The first seed to place with.
    info
        What the board says about itself. Its `build_id` changes with anything that the
        netlist depends on.
    files
        Text of every file that the flow reads besides the core's, by path relative to
        the build folder.
    """

    board: Board
    flow: Flow
    mhz: float
    baud: int
    seed: int
    info: Info
    files: Mapping[str, str]

    @property
    def clocks_per_bit(self) -> int:
        """Cycles of its clock in one bit on the serial port."""
        return clocks_per_bit(self.mhz, self.baud)


def read_design(folder: Path) -> Design:
    """Read a build folder.

    Parameters
    ----------
    folder
        The build folder, compiled.

    Raises
    ------
    StorageError
        If something is missing in it.
    BoardError
        If the board cannot make the clock.
    """
    settings = read_toml(folder / "build.toml")
    check_keys(folder / "build.toml", settings, {"board": str})
    board = load(settings["board"])
    flow = flow_of(board)
    mhz = float(settings.get("clock_mhz", board.clock.core_mhz))
    pll = flow.pll(board.clock.mhz, mhz)
    baud = choose_baud(pll.mhz, board.uart)
    anonymous = read_info(folder)
    exchangeable = bool(settings.get("exchangeable", False))
    sources = _sources(folder)
    files = _files(board, pll, baud, anonymous, sources, exchangeable=exchangeable)
    facts = f"{sha256_path(folder / 'rtl')} {sorted(files.items())}"
    info = replace(anonymous, build_id=sha256_bytes(facts.encode())[:16])
    return Design(
        board=board,
        flow=flow,
        mhz=pll.mhz,
        baud=baud,
        seed=int(settings.get("seed", 1)),
        info=info,
        files={**files, _INFO: info.memory_image()},
    )


def read_info(folder: Path) -> Info:
    """Read the shape of the core's streams from a build's ``dataflow.json``.

    Parameters
    ----------
    folder
        The build folder, compiled.

    Returns
    -------
    Info
        With a build id of zero.

    Raises
    ------
    StorageError
        If the file is missing or damaged.
    """
    path = folder / "dataflow.json"
    graph = read_json(path)
    try:
        streams = {stream["name"]: stream for stream in graph["streams"]}
        in_beats, in_width = _shape(streams[graph["input"]])
        out_beats, out_width = _shape(streams[graph["output"]])
    except (KeyError, TypeError) as error:
        problem = f"does not describe a graph ({error!r})"
        raise StorageError(path, problem, "Compile the network again") from error
    return Info(
        build_id="0" * 16,
        in_beats=in_beats,
        in_width=in_width,
        out_beats=out_beats,
        out_width=out_width,
    )


def _shape(stream: Mapping[str, Any]) -> tuple[int, int]:
    """Count a stream's transfers of one frame, and the bits of one of them."""
    beat = stream["beat"]
    return math.prod(stream["shape"]) // beat, beat * stream["type"]["bits"]


def _files(
    board: Board,
    pll: Pll,
    baud: int,
    info: Info,
    sources: Sequence[str],
    *,
    exchangeable: bool,
) -> dict[str, str]:
    flow = flow_of(board)
    templates = importlib.resources.files("hwgq.hw_templates") / "board"
    names = ("hwgq_system.sv", f"{flow.pll_module}.sv")
    modules = {f"{FOLDER}/{name}": (templates / name).read_text() for name in names}
    modules[f"{FOLDER}/{TOP}.sv"] = board_top(
        info, flow.pll_module, pll, baud=baud, info_file=_INFO
    )
    maps = () if flow.techmap is None else (flow.techmap[0],)
    return {
        **modules,
        **{f"{FOLDER}/{name}": (templates / name).read_text() for name in maps},
        SCRIPT: synthesis_script(
            flow, board, (*sources, *modules), exchangeable=exchangeable
        ),
        flow.constraints_file: flow.constraints(pads(board), board.clock.mhz),
    }


def _sources(folder: Path) -> tuple[str, ...]:
    path = folder / "rtl" / "files.txt"
    try:
        names = path.read_text().split()
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise StorageError(path, problem, "Compile the network first") from error
    return tuple(f"rtl/{name}" for name in names)
