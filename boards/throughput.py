# SPDX-License-Identifier: Apache-2.0
"""Frames per second of a design on its board, and what limits them."""

from dataclasses import dataclass
from typing import Literal

from hwgq.boards.board import Board
from hwgq.boards.top import choose_baud

#: Start bit, eight data bits, stop bit.
_BITS_PER_BYTE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Frames per second.

    Parameters
    ----------
    core
        Of the core alone, fed without a pause.
    transport
        Of the wire alone, with a core that takes no time.
    board
        Of both together: the host sends a frame when it has the last one's answer.
    limiter
        Which of the two takes longer.
    """

    core: float
    transport: float
    board: float
    limiter: Literal["core", "transport"]


def throughput(
    board: Board,
    *,
    cycles_per_frame: float,
    bytes_in: int,
    bytes_out: int,
    clock_mhz: float,
) -> Throughput:
    """Compute the frames per second of a design.

    Parameters
    ----------
    board
        The board, for its serial port.
    cycles_per_frame
        Cycles from one frame to the next in the core (II).
    bytes_in, bytes_out
        Bytes per frame on the wire, to the board and back, framing included.
    clock_mhz
        Clock of the core.
    """
    core = clock_mhz * 1e6 / cycles_per_frame
    transport = (
        choose_baud(clock_mhz, board.uart) / _BITS_PER_BYTE / (bytes_in + bytes_out)
    )
    return Throughput(
        core=core,
        transport=transport,
        board=1 / (1 / core + 1 / transport),
        limiter="core" if core < transport else "transport",
    )
