# SPDX-License-Identifier: Apache-2.0
"""Bits and switches that a device without a design can have set wrongly."""

from dataclasses import replace

import numpy as np
import pytest

from hwgq.boards.icestorm import netlist_of
from hwgq.boards.icestorm.asc import Bitmap
from hwgq.boards.icestorm.chip import Chip
from hwgq.boards.icestorm.netlist import Netlist
from hwgq.errors import BoardError, VerificationError
from tests.boards.spoil import blank, close, entry, flip


@pytest.fixture(scope="module")
def bitmap() -> Bitmap:
    return blank("5k")


def read(bitmap: Bitmap) -> Netlist:
    return netlist_of(bitmap, package="sg48", pins={"35": "clk"})


@pytest.mark.parametrize("device", ["1k", "5k", "8k"])
def test_a_device_without_a_design_does_nothing(device: str) -> None:
    bitmap = blank(device)
    package = min(bitmap.chip.packages)
    netlist = netlist_of(bitmap, package=package, pins={})
    assert netlist == Netlist(inputs=(), outputs={}, parts=())


def test_no_other_bit_can_be_set_unnoticed(bitmap: Bitmap) -> None:
    chip = bitmap.chip
    known = np.zeros(chip.bits, np.bool_)
    known[chip.routing.bits[chip.routing.weights > 0]] = True
    for tile in chip.tiles.values():
        known[[bit for name in tile.entries for bit in tile.bits(name)]] = True
    unknown = np.flatnonzero(~known)
    for bit in np.random.default_rng(0).choice(unknown, 5).tolist():
        with pytest.raises(VerificationError, match="without a known meaning is 1"):
            read(flip(bitmap, bit))


@pytest.mark.parametrize(
    ("x", "y", "name", "value"),
    [
        (3, 31, "IoCtrl.LVDS", 1),
        (3, 31, "Icegate", 1),
        (3, 31, "NegClk", 1),
        (3, 31, "PLL.PLLCONFIG_1", 1),
        (12, 31, "PLL.PLLCONFIG_9", 1),  # a PLL's, but that is off
        (6, 2, "RamCascade.CBIT_4", 1),
        (0, 5, "IpConfig.CBIT_1", 1),
        (0, 5, "LC_3", 0),
        (0, 5, "Cascade.MULT0_LC02_inmux02_5", 0),
        (0, 1, "IpConfig.CBIT_0", 1),
        (3, 4, "ColBufCtrl.glb_netwk_3", 0),
        (3, 6, "ColBufCtrl.glb_netwk_3", 1),
    ],
)
def test_bits_that_are_not_read_back_are_refused_by_name(
    bitmap: Bitmap, x: int, y: int, name: str, value: int
) -> None:
    bit = entry(bitmap, x, y, name)[0]
    with pytest.raises(VerificationError) as caught:
        read(flip(bitmap, bit))
    assert f"tile {x} {y}: bit B" in str(caught.value)
    assert f"({name}) is {value} and is not read back" in str(caught.value)


def test_a_switch_that_joins_nothing_is_refused(bitmap: Bitmap) -> None:
    routing = bitmap.chip.routing
    known = set(zip(routing.switch.tolist(), routing.setting.tolist(), strict=True))
    wide = np.flatnonzero((routing.weights > 0).sum(axis=1) == 5)
    switch = next(i for i in wide.tolist() if (i, 1) not in known)
    last = int(routing.bits[switch, routing.weights[switch] == 1][0])
    with pytest.raises(VerificationError, match="switch in a setting that joins noth"):
        read(flip(bitmap, last))


def test_a_wire_with_two_drivers_is_refused(bitmap: Bitmap) -> None:
    routing = bitmap.chip.routing
    first, second = next(
        (i, i + 1)
        for i in np.flatnonzero(np.diff(routing.target) == 0).tolist()
        if routing.switch[i] != routing.switch[i + 1]
    )
    with pytest.raises(VerificationError, match="is driven by two switches"):
        read(close(bitmap, first, second))


@pytest.mark.parametrize("length", [2, 3, 4])
def test_wires_that_drive_each_other_are_refused(bitmap: Bitmap, length: int) -> None:
    with pytest.raises(VerificationError, match="drives itself in a circle"):
        read(close(bitmap, *_circle(bitmap.chip, length)))


def _circle(chip: Chip, length: int) -> list[int]:
    """Find connections that lead from a wire to itself."""
    routing = chip.routing
    leaving: dict[int, list[int]] = {}
    for pip, source in enumerate(routing.source.tolist()):
        leaving.setdefault(source, []).append(pip)
    target = routing.target.tolist()

    def onward(path: list[int], wires: tuple[int, ...]) -> list[int] | None:
        for pip in leaving.get(wires[-1], []):
            if len(path) + 1 == length and target[pip] == wires[0]:
                return [*path, pip]
            if len(path) + 1 < length and target[pip] not in wires:
                found = onward([*path, pip], (*wires, target[pip]))
                if found is not None:
                    return found
        return None

    circles = (onward([], (wire,)) for wire in leaving)
    return next(circle for circle in circles if circle is not None)


def test_a_hard_block_in_use_is_refused(bitmap: Bitmap) -> None:
    chip = bitmap.chip
    wires = {
        wire: cell.name
        for cell in chip.cells
        if cell.kind == "spram"
        for wire in cell.inputs.values()
    }
    pip = int(np.flatnonzero(np.isin(chip.routing.target, list(wires)))[0])
    name = wires[int(chip.routing.target[pip])]
    with pytest.raises(
        VerificationError, match=f"{name}: is in use: one of its inputs"
    ):
        read(close(bitmap, pip))


def test_an_unknown_bit_outside_the_tiles_is_refused(bitmap: Bitmap) -> None:
    spoiled = replace(bitmap, extra_bits=frozenset({(0, 1, 2)}))
    with pytest.raises(VerificationError, match=r"bit \(0, 1, 2\) is set and has no"):
        read(spoiled)


def test_unknown_packages_and_pins_are_refused(bitmap: Bitmap) -> None:
    with pytest.raises(BoardError, match="has no package 'tq144'"):
        netlist_of(bitmap, package="tq144", pins={})
    with pytest.raises(BoardError, match="package sg48: has no pin '1000'"):
        netlist_of(bitmap, package="sg48", pins={"1000": "clk"})
