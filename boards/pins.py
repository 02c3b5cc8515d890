# SPDX-License-Identifier: Apache-2.0
"""Where on the package a build's ports are, from amaranth-boards.

Only the platform's tables are read. Nothing is elaborated or built by Amaranth: the
whole design is SystemVerilog, and its flow is a list of commands of our own.
"""

import importlib
from typing import Any

from amaranth.build import Pins, Resource

from hwgq.boards.board import Board, Pad, Pads
from hwgq.errors import BoardError


def pads(board: Board) -> Pads:
    """Look up the pins of a board.

    Parameters
    ----------
    board
        The board.

    Raises
    ------
    BoardError
        If amaranth-boards does not have the platform or the resource, or inverts it.
    """
    if board.pins is not None:
        return board.pins
    resources = {(item.name, item.number): item for item in _platform(board).resources}
    clock = _find(board, resources, board.clock.resource)
    uart = _find(board, resources, board.uart.resource)
    wires = {wire.name: wire for wire in uart.ios}
    return Pads(
        clock=_pad(board, clock.ios[0], clock.attrs),
        rx=_pad(board, wires["rx"].ios[0], {**uart.attrs, **wires["rx"].attrs}),
        tx=_pad(board, wires["tx"].ios[0], {**uart.attrs, **wires["tx"].attrs}),
    )


def _platform(board: Board) -> Any:
    module, _, name = str(board.platform).partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        remedy = "Correct 'platform', or give the pins in the table 'pins'"
        raise BoardError(
            board.name, f"{board.platform} is not in amaranth-boards", remedy
        ) from error


def _find(
    board: Board, resources: dict[tuple[str, int], Resource], name: str
) -> Resource:
    try:
        return resources[name, 0]
    except KeyError:
        known = ", ".join(sorted({resource for resource, _ in resources}))
        raise BoardError(
            board.name,
            f"its platform has no resource {name!r}",
            f"Choose one of {known}",
        ) from None


def _pad(board: Board, pins: Pins, attributes: dict[str, object]) -> Pad:
    if pins.invert or len(pins.names) != 1:
        raise BoardError(
            board.name,
            f"{', '.join(pins.names)} is inverted or more than one pin",
            "Choose another resource",
        )
    text = {key: str(value) for key, value in attributes.items()}
    return Pad(site=pins.names[0], attributes=text)
