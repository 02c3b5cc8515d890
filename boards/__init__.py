# SPDX-License-Identifier: Apache-2.0
"""Boards: what they have, and how a design gets onto them."""

from hwgq.boards.board import Board, load, names

__all__ = ["Board", "load", "names"]
