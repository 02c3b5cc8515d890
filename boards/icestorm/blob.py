# SPDX-License-Identifier: Apache-2.0
"""The records of nextpnr's chip database, a file made to be mapped into memory.

The records are nextpnr's own packed structures (its file ``ice40/chipdb.h``, little
endian). A pointer is a distance from itself, a list is a pointer and a length.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LIST = [("distance", "<i4"), ("length", "<i4")]

BEL = np.dtype(
    [
        *(("name", "<i4"), ("type", "<i4"), ("pins", _LIST)),
        *(("x", "i1"), ("y", "i1"), ("z", "i1"), ("pad", "i1")),
    ]
)
#: `output` is 0 for an input of the bel, 1 for an output.
BEL_PIN = np.dtype([("port", "<i4"), ("output", "<i4"), ("wire", "<i4")])
WIRE = np.dtype(
    [
        *(("name", "<i4"), ("x", "i1"), ("y", "i1"), ("pad", "<i2")),
        *(("uphill", _LIST), ("downhill", _LIST), ("pins", _LIST), ("segments", _LIST)),
        *(("fast", "<i4"), ("slow", "<i4"), ("at", "i1", 3), ("type", "i1")),
    ]
)
PIP = np.dtype(
    [
        *(("source", "<i4"), ("target", "<i4"), ("fast", "<i4"), ("slow", "<i4")),
        *(("at", "i1", 2), ("segments", "<i2", 2), ("mask", "<i2")),
        *(("switch", "<i4"), ("flags", "<u4")),
    ]
)
#: Of `bits`, rows and columns in the tile, the first `width` count.
SWITCH = np.dtype(
    [
        *(("width", "<i4"), ("bel", "<i4")),
        *(("x", "i1"), ("y", "i1"), ("bits", "i1", (5, 2))),
    ]
)
TILE = np.dtype([("columns", "i1"), ("rows", "i1"), ("pad", "<i2"), ("entries", _LIST)])
ENTRY = np.dtype([("name", "<i4"), ("bits", _LIST)])
BIT = np.dtype([("row", "i1"), ("column", "i1")])
#: Which input buffer enable belongs to which pad.
PAD_ENABLE = np.dtype([("pad", "i1", 3), ("enable", "i1", 3)])
BEL_CONFIG = np.dtype([("bel", "<i4"), ("entries", _LIST)])
BEL_CONFIG_ENTRY = np.dtype(
    [
        *(("parameter", "<i4"), ("bit", "<i4")),
        *(("x", "i1"), ("y", "i1"), ("pad", "<i2")),
    ]
)
PACKAGE = np.dtype([("name", "<i4"), ("pins", _LIST)])
PACKAGE_PIN = np.dtype([("name", "<i4"), ("bel", "<i4")])
#: A global network, the pad that can drive it, and the bit that makes it do so.
GLOBAL = np.dtype(
    [
        *(("buffer", "u1", 2), ("pad", "u1", 3)),
        *(("bank", "u1"), ("column", "<u2"), ("row", "<u2"), ("unused", "<u2")),
    ]
)
CHIP = np.dtype(
    [
        *(("width", "<i4"), ("height", "<i4"), ("switches", "<i4")),
        *(("bels", _LIST), ("wires", _LIST), ("pips", _LIST), ("grid", _LIST)),
        *(("bits", "<i4"), ("bel_configs", _LIST), ("packages", _LIST)),
        *(("timing", _LIST), ("globals", _LIST), ("wire_names", _LIST)),
    ]
)
BITS = np.dtype([("tiles", _LIST), ("switches", _LIST), ("pad_enables", _LIST)])

Records = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Table:
    """Records in a row, and where they lie in the file."""

    records: Records
    address: int

    def address_of(self, index: int, field: str) -> int:
        """Tell where a field of a record lies."""
        dtype: Any = self.records.dtype
        return self.address + index * int(dtype.itemsize) + int(dtype.fields[field][1])


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of the file."""

    data: bytes

    def table(self, address: int, dtype: DTypeLike, count: int = 1) -> Table:
        """Read records that begin at an address."""
        return Table(np.frombuffer(self.data, dtype, count, address), address)

    def pointed(self, table: Table, field: str, dtype: DTypeLike) -> Table:
        """Follow a pointer in the only record of a table."""
        address = table.address_of(0, field)
        return self.table(address + int(table.records[field][0]), dtype)

    def listed(self, table: Table, index: int, field: str, dtype: DTypeLike) -> Table:
        """Follow a list in a record."""
        distance, length = table.records[field][index].tolist()
        if length == 0:  # the pointer is then null
            return Table(np.zeros(0, dtype), 0)
        return self.table(table.address_of(index, field) + distance, dtype, length)

    def texts(self, table: Table, field: str = "name") -> list[str]:
        """Follow every record's pointer to a name."""
        first, step = table.address_of(0, field), table.records.dtype.itemsize
        starts = first + step * np.arange(len(table.records)) + table.records[field]
        find, data = self.data.index, self.data
        return [data[i : find(b"\0", i)].decode() for i in starts.tolist()]
