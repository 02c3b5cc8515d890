# SPDX-License-Identifier: Apache-2.0
"""Where block RAMs keep their first contents, in netlists and in the router's text."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: A cell as yosys and nextpnr write it in JSON.
Cell = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a family's programs call the contents of its block RAMs.

    Parameters
    ----------
    parameter
        What the names of the cells' parameters that hold contents begin with.
    packed
        What the router appends to a block RAM's name.
    write
        Puts the contents of routed cells into the router's text: (text, cells) to text.
        It raises a KeyError if the text has no place for one, or one too many.
    """

    parameter: str
    packed: str
    write: Callable[[str, Iterable[Cell]], str]

    def of(self, cell: Cell) -> dict[str, str]:
        """Give the contents of a cell by parameter; of no block RAM, nothing."""
        values = cell["parameters"].items()
        return {key: text for key, text in values if key.startswith(self.parameter)}


def number(bits: str) -> int:
    """Read a parameter's bits, of which those that do not matter are 0."""
    return int(bits.replace("x", "0"), 2)
