# SPDX-License-Identifier: Apache-2.0
"""What several verbs of the command `hwgq` take."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hwgq.errors import OptionError


class Engine(StrEnum):
    """What can run a compiled network."""

    EMULATE = "emulate"
    RTL = "rtl"


class Rung(StrEnum):
    """How far down `verify` goes."""

    EMULATE = "emulate"
    RTL = "rtl"
    NETLIST = "netlist"
    ROUTED = "routed"
    BITSTREAM = "bitstream"


Recipe = Annotated[str, typer.Argument(help="A shipped recipe's name or a TOML file.")]
Out = Annotated[Path | None, typer.Option(help="Folder to write.", show_default=False)]
Seed = Annotated[int | None, typer.Option(help="Instead of the recipe's seed.")]
Data = Annotated[Path | None, typer.Option(help="Folder or file with the data set.")]
BoardName = Annotated[
    str, typer.Option("--board", help="A board of `hwgq boards`, or a TOML file.")
]
Build = Annotated[Path, typer.Argument(help="Folder that `hwgq compile` wrote.")]


def count(samples: str) -> int | None:
    """Read ``N|all``."""
    if samples == "all":
        return None
    if not samples.isdecimal():
        raise OptionError("--samples", f"is {samples!r}", "Use a number from 1, or all")
    return int(samples)
