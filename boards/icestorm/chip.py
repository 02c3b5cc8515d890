# SPDX-License-Identifier: Apache-2.0
"""What an iCE40 is made of: tiles of bits, switches between wires, and cells.

Bits are numbered through the whole device, tile after tile, row after row; wires,
switches and cells by nextpnr's own numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Place = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A rectangle of configuration bits.

    Parameters
    ----------
    kind
        What the tile is, for example ``"logic"``.
    rows, columns
        Its size in bits.
    first
        Number of its first bit.
    entries
        Names of its bits that are no routing, and their places from `first` on.
    """

    kind: str
    rows: int
    columns: int
    first: int
    entries: Mapping[str, Sequence[int]]

    def bits(self, entry: str) -> list[int]:
        """Give the numbers of a named entry's bits."""
        return [self.first + bit for bit in self.entries[entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A place for logic, memory, a pad or a clock: nextpnr's "bel".

    Parameters
    ----------
    kind
        ``lc``, ``ram``, ``io``, ``gb``, ``pll`` or the name of another hard block.
    place, index
        Tile, and which of the tile's cells.
    inputs, outputs
        Wires, by port; a logic cell's inputs ``I0`` to ``I3`` are the physical ones.
    config
        Bits by parameter, where they lie in other tiles.
    """

    kind: str
    place: Place
    index: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    config: Mapping[str, int]

    @property
    def name(self) -> str:
        """A name that is its own in the device."""
        x, y = self.place
        return f"{self.kind}_{x}_{y}_{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Every switch, and what its settings join.

    Parameters
    ----------
    bits, weights
        Bits of a switch and what each adds to its setting, shape (switches, 5); where
        there are fewer, the weight is 0.
    switch, setting, source, target
        One item per connection: with this setting, that switch lets the wire `target`
        follow the wire `source`.
    """

    bits: IntArray
    weights: IntArray
    switch: IntArray
    setting: IntArray
    source: IntArray
    target: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalNetwork:
    """A network that reaches the whole device, and the pad that can drive it.

    Parameters
    ----------
    wire
        Its wire.
    extra_bit
        Bank, column and row of the bit that lets the pad drive it.
    pad
        Number of the pad's cell.
    """

    wire: int
    extra_bit: tuple[int, int, int]
    pad: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """An iCE40 device.

    Parameters
    ----------
    device
        icestorm's name for it: ``"1k"``, ``"5k"``, ``"8k"``.
    bits
        How many bits it has.
    tiles
        By place.
    routing
        Its switches.
    wires
        Names of its wires.
    cells
        Its cells.
    networks
        Its global networks.
    packages
        Cells by pin, by name of the package.
    input_enables
        Bit that switches a pad's input buffer, by the pad's cell.
    """

    device: str
    bits: int
    tiles: Mapping[Place, Tile]
    routing: Routing
    wires: Sequence[str]
    cells: Sequence[Cell]
    networks: Sequence[GlobalNetwork]
    packages: Mapping[str, Mapping[str, int]]
    input_enables: Mapping[int, int]
