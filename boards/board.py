# SPDX-License-Identifier: Apache-2.0
"""A board as data: one TOML file says all that hwgq knows about it."""

import difflib
import importlib.resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import ConfigDict, Field, PositiveFloat, PositiveInt

from hwgq.errors import BoardError
from hwgq.storage import read_toml


class _Table(pydantic.BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Pad(_Table):
    """One pin of the package.

    Parameters
    ----------
    site
        Its name on the package.
    attributes
        Electrical attributes, by the names that the family's constraint file uses.
    """

    site: str
    attributes: dict[str, str] = {}


class Pads(_Table):
    """The pins that a build uses: the oscillator and the serial port."""

    clock: Pad
    rx: Pad
    tx: Pad


class Clock(_Table):
    """The oscillator, and what is made of it.

    Parameters
    ----------
    resource
        Name of the oscillator in the amaranth-boards platform.
    mhz
        Frequency of the oscillator.
    core_mhz
        Frequency of the network's clock, unless a build asks for another.
    """

    resource: str = "clk"
    mhz: PositiveFloat
    core_mhz: PositiveFloat


class Uart(_Table):
    """The serial port to the host.

    Parameters
    ----------
    resource
        Name of the port in the amaranth-boards platform.
    bauds
        Bits per second that the bridge to the host makes exactly, best first; 10 bits
        carry a byte. A design takes the first that its clock divides.
    """

    resource: str = "uart"
    bauds: Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)]


class Resources(_Table):
    """What folding may spend.

    Parameters
    ----------
    luts
        Four-input look-up tables.
    block_rams
        Number of block RAMs; each can be read once a cycle.
    block_ram_depth, block_ram_width
        Words and bits per word of one block RAM in its widest form.
    """

    luts: PositiveInt
    block_rams: PositiveInt
    block_ram_depth: PositiveInt
    block_ram_width: PositiveInt


class Board(_Table):
    """A board.

    Parameters
    ----------
    name
        Name by which users call it.
    title
        Its maker's name for it.
    family
        Device family, which picks the flow.
    device, package, speed
        Device as nextpnr calls it; families without speed grades have `speed` 0.
    platform
        ``module:class`` of the board in amaranth-boards, which knows the pins.
    pins
        The pins of a board that amaranth-boards lacks.
    clock, uart, resources
        See the classes.
    programmer
        Command that loads a bitstream; its path is added at the end.
    """

    name: str
    title: str
    family: Literal["ice40", "ecp5"]
    device: str
    package: str
    speed: int = 0
    platform: str | None = None
    pins: Pads | None = None
    clock: Clock
    uart: Uart
    resources: Resources
    programmer: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]

    @pydantic.model_validator(mode="after")
    def _knows_its_pins(self) -> Self:
        if (self.platform is None) == (self.pins is None):
            raise ValueError("give the pins either by 'platform' or by 'pins'")
        return self


def names() -> tuple[str, ...]:
    """List the boards that hwgq comes with."""
    folder = importlib.resources.files("hwgq.boards")
    files = (Path(item.name) for item in folder.iterdir())
    return tuple(sorted(file.stem for file in files if file.suffix == ".toml"))


def load(name: str) -> Board:
    """Find a board.

    Parameters
    ----------
    name
        One of :func:`names`, or the path of a TOML file of your own.

    Raises
    ------
    BoardError
        If there is no such board, or its file is wrong.
    """
    if name.endswith(".toml"):
        return read(Path(name))
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        listed = ", ".join(names())
        remedy = f"{hint}Choose one of {listed}, or name a TOML file of your own"
        raise BoardError(name, "no such board", remedy)
    resource = importlib.resources.files("hwgq.boards") / f"{name}.toml"
    with importlib.resources.as_file(resource) as path:
        return read(path)


def read(path: Path) -> Board:
    """Read a board's file.

    Parameters
    ----------
    path
        The TOML file; its name without suffix is the board's.

    Raises
    ------
    BoardError
        If a key is missing, misspelt or has an impossible value.
    StorageError
        If the file cannot be read.
    """
    table = read_toml(path)
    try:
        return Board.model_validate({**table, "name": path.stem})
    except pydantic.ValidationError as error:
        problem = "; ".join(_explain(detail) for detail in error.errors())
        remedy = f"Compare it with a board that hwgq comes with: {', '.join(names())}"
        raise BoardError(path, problem, remedy) from error


def _explain(detail: Any) -> str:
    """Say in one clause what pydantic found wrong with which key."""
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    if detail["type"] == "missing":
        return f"key {key!r} is missing"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
