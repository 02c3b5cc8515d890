# SPDX-License-Identifier: Apache-2.0
"""A bitstream that is spoiled, bit by bit, is read as another one, or refused."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from hwgq.boards.icestorm import netlist_of
from hwgq.boards.icestorm.asc import Bitmap, read_asc
from hwgq.boards.icestorm.netlist import Carry, Instance, Lut, Netlist, Part, Register
from hwgq.boards.icestorm.routing import trace
from hwgq.errors import BoardError, VerificationError
from tests.boards.circuits import everything, implement, pins_of

PINS = pins_of("5k", "sg48", "35")


@pytest.fixture(scope="module")
def bitmap(tmp_path_factory: pytest.TempPathFactory) -> Bitmap:
    """Implement a circuit of everything."""
    folder = tmp_path_factory.mktemp("everything")
    return read_asc(implement(folder, everything(1), PINS, part="up5k", package="sg48"))


@pytest.fixture(scope="module")
def netlist(bitmap: Bitmap) -> Netlist:
    return read(bitmap)


def read(bitmap: Bitmap, pins: dict[str, str] = PINS) -> Netlist:
    return netlist_of(bitmap, package="sg48", pins=pins)


def read_or_refuse(bitmap: Bitmap) -> Netlist | None:
    try:
        return read(bitmap)
    except VerificationError:
        return None


def flip(bitmap: Bitmap, *numbers: int) -> Bitmap:
    bits = bitmap.bits.copy()
    bits[list(numbers)] ^= 1
    return replace(bitmap, bits=bits)


def entry(bitmap: Bitmap, x: int, y: int, name: str) -> list[int]:
    """Give the numbers of a named entry's bits."""
    return bitmap.chip.tiles[x, y].bits(name)


def parts(netlist: Netlist, kind: type[Part]) -> Iterator[Part]:
    return (part for part in netlist.parts if isinstance(part, kind))


def place(part: Part) -> tuple[int, int, int]:
    """Tell where a part is."""
    x, y, index = re.findall(r"\d+", part.name)
    return int(x), int(y), int(index)


def logic_bit(bitmap: Bitmap, part: Part, bit: int) -> int:
    x, y, index = place(part)
    return entry(bitmap, x, y, f"LC_{index}")[bit]


def test_each_bit_of_a_table_counts(bitmap: Bitmap, netlist: Netlist) -> None:
    lut = next(part for part in parts(netlist, Lut) if len(part.inputs) == 4)
    tables = set()
    for bit in (*range(8), *range(10, 18)):
        spoiled = read(flip(bitmap, logic_bit(bitmap, lut, bit)))
        others = {part.name: part for part in netlist.parts}
        found = {part.name: part for part in spoiled.parts}
        assert found.keys() == others.keys()
        (name,) = (name for name in found if found[name] != others[name])
        assert name == lut.name
        tables.add(found[name].table ^ lut.table)
    assert tables == {1 << i for i in range(16)}


def test_each_word_of_a_block_ram_counts(bitmap: Bitmap, netlist: Netlist) -> None:
    for ram in parts(netlist, Instance):
        x, y, _ = place(ram)
        rows = list(bitmap.memories[x, y])
        assert list(ram.parameters.values())[2:] == [f"256'h{row}" for row in rows]
        rows[7] = rows[7][:20] + f"{int(rows[7][20], 16) ^ 4:x}" + rows[7][21:]
        memories = {**bitmap.memories, (x, y): tuple(rows)}
        spoiled = read(replace(bitmap, memories=memories))
        (found,) = (part for part in spoiled.parts if part.name == ram.name)
        assert found.parameters["INIT_7"] == f"256'h{rows[7]}"


def test_no_flipped_switch_goes_unnoticed(bitmap: Bitmap, netlist: Netlist) -> None:
    joined = np.flatnonzero(trace(bitmap).understood & (bitmap.bits == 1))
    for bit in np.random.default_rng(0).choice(joined, 30, replace=False).tolist():
        assert read_or_refuse(flip(bitmap, bit)) != netlist


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
    settings = (bitmap.bits[routing.bits] * routing.weights).sum(axis=1)
    switch = next(i for i in wide.tolist() if not settings[i] and (i, 1) not in known)
    last = int(routing.bits[switch, routing.weights[switch] == 1][0])
    with pytest.raises(VerificationError, match="switch in a setting that joins noth"):
        read(flip(bitmap, last))


def close(bitmap: Bitmap, pip: int) -> Bitmap:
    """Close an open switch."""
    routing = bitmap.chip.routing
    switch, setting = int(routing.switch[pip]), int(routing.setting[pip])
    bits = bitmap.bits.copy()
    bits[routing.bits[switch][(routing.weights[switch] & setting) > 0]] = 1
    return replace(bitmap, bits=bits)


def test_a_wire_with_two_drivers_is_refused(bitmap: Bitmap) -> None:
    routing = bitmap.chip.routing
    settings = (bitmap.bits[routing.bits] * routing.weights).sum(axis=1)
    driven = np.unique(routing.target[settings[routing.switch] == routing.setting])
    second = np.isin(routing.target, driven) & (settings[routing.switch] == 0)
    with pytest.raises(VerificationError, match="is driven by two switches"):
        read(close(bitmap, int(np.flatnonzero(second)[0])))


def test_wires_that_drive_each_other_are_refused(bitmap: Bitmap) -> None:
    routing = bitmap.chip.routing
    empty = replace(bitmap, bits=np.zeros_like(bitmap.bits))
    number = {
        pair: pip
        for pip, pair in enumerate(
            zip(routing.source.tolist(), routing.target.tolist(), strict=True)
        )
    }
    there, back = next(
        (pip, number[target, source])
        for (source, target), pip in number.items()
        if (target, source) in number
    )
    with pytest.raises(VerificationError, match="drives itself in a circle"):
        trace(close(close(empty, there), back))


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
    with pytest.raises(VerificationError, match=f"{name}: is in use: its input"):
        read(close(bitmap, pip))


Spoil = Callable[[Bitmap, Netlist], Bitmap]


def _first(kind: type[Part], bit: int) -> Spoil:
    return lambda bitmap, netlist: flip(
        bitmap, logic_bit(bitmap, next(parts(netlist, kind)), bit)
    )


def _ram(rows_up: int, name: str) -> Spoil:
    def spoil(bitmap: Bitmap, netlist: Netlist) -> Bitmap:
        x, y, _ = place(next(parts(netlist, Instance)))
        return flip(bitmap, entry(bitmap, x, y + rows_up, name)[0])

    return spoil


def _pad(port: str, *names: str) -> Spoil:
    """Flip bits of a pad's type, or else what switches its input on."""

    def spoil(bitmap: Bitmap, netlist: Netlist) -> Bitmap:
        pin = next(pin for pin, name in PINS.items() if name == port)
        number = bitmap.chip.packages["sg48"][pin]
        cell = bitmap.chip.cells[number]
        bits = [entry(bitmap, *cell.place, f"IOB_{cell.index}.{n}")[0] for n in names]
        return flip(bitmap, *(bits or [bitmap.chip.input_enables[number]]))

    return spoil


def _open_clock(bitmap: Bitmap, netlist: Netlist) -> Bitmap:
    x, y, _ = place(next(parts(netlist, Register)))
    wire = next(
        cell.inputs["CLK"]
        for cell in bitmap.chip.cells
        if cell.kind == "lc" and cell.place == (x, y)
    )
    routing = bitmap.chip.routing
    switch = routing.switch[routing.target == wire][0]
    bits = bitmap.bits.copy()
    bits[routing.bits[switch][routing.weights[switch] > 0]] = 0
    return replace(bitmap, bits=bits)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_first(Carry, 8), "has its carry read but switched off"),
        (_open_clock, "has a register without a clock"),
        (_ram(0, "RamConfig.PowerUp"), "is read but switched off"),
        (_ram(1, "NegClk"), "reads and writes at opposite edges"),
        (lambda bitmap, _: replace(bitmap, memories={}), "has no .ram_data"),
        (_pad("q3", "PINTYPE_2"), "has an output register or an enable"),
        (_pad("q3", "PINTYPE_4", "PINTYPE_5"), "has an output register or an enable"),
        (_pad("d3", "PINTYPE_1"), "is read but its input is off, or has a register"),
        (_pad("d3"), "is read but its input is off, or has a register"),
        (_pad("clk"), "is read but its input is off, or has a register"),
        (
            lambda bitmap, _: replace(bitmap, extra_bits=frozenset()),
            "glb_netwk_7: is driven neither by its buffer nor by its pad",
        ),
        (
            lambda bitmap, _: replace(
                bitmap, extra_bits=frozenset(n.extra_bit for n in bitmap.chip.networks)
            ),
            "is driven by its buffer and by its pad",
        ),
        (
            lambda bitmap, _: replace(
                bitmap, extra_bits=bitmap.extra_bits | {(0, 1, 2)}
            ),
            r"the bit \(0, 1, 2\) is set and has no known meaning",
        ),
    ],
)
def test_a_cell_that_is_not_read_back_is_refused(
    bitmap: Bitmap, netlist: Netlist, spoil: Spoil, problem: str
) -> None:
    with pytest.raises(VerificationError, match=problem):
        read(spoil(bitmap, netlist))


def test_registers_follow_their_bits(bitmap: Bitmap, netlist: Netlist) -> None:
    register = next(
        part for part in parts(netlist, Register) if part.control.reset != "1'b0"
    )
    for bit, change in (
        (18, {"value": not register.value}),
        (
            19,
            {
                "control": replace(
                    register.control, asynchronous=not register.control.asynchronous
                )
            },
        ),
    ):
        spoiled = read(flip(bitmap, logic_bit(bitmap, register, bit)))
        (found,) = (part for part in spoiled.parts if part.name == register.name)
        assert found == replace(register, **change)


@pytest.mark.parametrize(("port", "use"), [("d3", "is read"), ("q3", "drives a pin")])
def test_a_pin_in_use_needs_a_port(bitmap: Bitmap, port: str, use: str) -> None:
    pins = {pin: name for pin, name in PINS.items() if name != port}
    with pytest.raises(VerificationError, match=f"{use} .*design has no port for"):
        read(bitmap, pins)


def test_unknown_packages_and_pins_are_refused(bitmap: Bitmap) -> None:
    with pytest.raises(BoardError, match="has no package 'tq144'"):
        netlist_of(bitmap, package="tq144", pins=PINS)
    with pytest.raises(BoardError, match="has no pin '1000'"):
        read(bitmap, {"1000": "d0"})
