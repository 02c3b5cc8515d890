# SPDX-License-Identifier: Apache-2.0
"""From SystemVerilog to a bitstream, one module per device family."""

from collections.abc import Mapping
from types import MappingProxyType

from hwgq.boards.board import Board
from hwgq.boards.flows.ecp5 import ECP5
from hwgq.boards.flows.flow import Flow
from hwgq.boards.flows.ice40 import ICE40

FLOWS: Mapping[str, Flow] = MappingProxyType({"ice40": ICE40, "ecp5": ECP5})


def flow_of(board: Board) -> Flow:
    """Pick the flow of a board's family."""
    return FLOWS[board.family]
