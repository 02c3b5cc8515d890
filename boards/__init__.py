# SPDX-License-Identifier: Apache-2.0
"""Boards: what they have, and how a design gets onto them."""

from hwgq.boards.bitstream import build
from hwgq.boards.board import Board, load, names
from hwgq.boards.report import BuildResult, Use
from hwgq.boards.throughput import Throughput, throughput

__all__ = [
    "Board",
    "BuildResult",
    "Throughput",
    "Use",
    "build",
    "load",
    "names",
    "throughput",
]
