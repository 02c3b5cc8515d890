# SPDX-License-Identifier: Apache-2.0
"""The hardware library: SystemVerilog modules, one a file, the file named after it.

The header of each file is the module's contract: what it computes, its cycles, the
order of its bits, its parameters.
"""

import importlib.resources
from collections.abc import Iterable
from pathlib import Path

_RTL = Path(str(importlib.resources.files(__name__) / "rtl"))
_SIM = Path(str(importlib.resources.files(__name__) / "sim"))


def sources() -> tuple[Path, ...]:
    """List the files of all modules, in alphabetical order."""
    return tuple(sorted(_RTL.glob("*.sv")))


def source(name: str) -> Path:
    """Find the file of the module `name`.

    Raises
    ------
    KeyError
        If there is no such module.
    """
    for path in sources():
        if path.stem == name:
            return path
    raise KeyError(f"{name} is none of {[path.stem for path in sources()]}")


def counted(files: Iterable[Path]) -> list[Path]:
    """Exchange the adders of dot products, among files, for what simulates faster.

    Bits are counted a word at a time; every cycle and every sum is the same.
    """
    exchanged = _SIM / "hwgq_dot_products.sv"
    return [exchanged if path.name == exchanged.name else path for path in files]


def cells(family: str) -> tuple[Path, ...]:
    """List our models of a device family's cells, for simulators.

    They stand in for yosys' own, or are of cells that yosys has no model of.
    """
    return tuple(sorted((_SIM / family).glob("*.sv")))
