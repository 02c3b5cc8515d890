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
from hwgq.boards.icestorm.signals import HIGH, LOW
from hwgq.errors import VerificationError
from tests.boards.circuits import everything, implement, pins_of
from tests.boards.spoil import entry, flip

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
    cells = (cell for cell in bitmap.chip.cells if cell.kind == "lc")
    wire = next(cell.inputs["CLK"] for cell in cells if cell.place == (x, y))
    routing = bitmap.chip.routing
    switch = routing.switch[routing.target == wire][0]
    bits = bitmap.bits.copy()
    bits[routing.bits[switch][routing.weights[switch] > 0]] = 0
    return replace(bitmap, bits=bits)


def _second_carry(bitmap: Bitmap, netlist: Netlist) -> Bitmap:
    carries = (part for part in parts(netlist, Carry) if place(part)[2] == 0)
    onward = next(part for part in carries if part.inputs[2].startswith("carry_"))
    x, y, _ = place(onward)
    return flip(bitmap, *entry(bitmap, x, y, "CarryInSet"))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_first(Carry, 8), "has its carry read but switched off"),
        (_second_carry, "gets two carries"),
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
    ],
)
def test_a_cell_that_is_not_read_back_is_refused(
    bitmap: Bitmap, netlist: Netlist, spoil: Spoil, problem: str
) -> None:
    with pytest.raises(VerificationError, match=problem):
        read(spoil(bitmap, netlist))


def test_the_first_carry_is_a_bit(bitmap: Bitmap, netlist: Netlist) -> None:
    carries = (part for part in parts(netlist, Carry) if place(part)[2] == 0)
    first = next(part for part in carries if part.inputs[2] == LOW)
    x, y, _ = place(first)
    spoiled = read(flip(bitmap, *entry(bitmap, x, y, "CarryInSet")))
    (found,) = (part for part in spoiled.parts if part.name == first.name)
    assert found == replace(first, inputs=(*first.inputs[:2], HIGH))


def test_a_register_follows_its_bits(bitmap: Bitmap, netlist: Netlist) -> None:
    def changed(bit: int) -> Part:
        spoiled = read(flip(bitmap, bit))
        (found,) = (part for part in spoiled.parts if part.name == register.name)
        return found

    register = next(r for r in parts(netlist, Register) if r.control.reset != LOW)
    control = register.control
    x, y, _ = place(register)
    value = changed(logic_bit(bitmap, register, 18))
    assert value == replace(register, value=not register.value)
    other = replace(control, asynchronous=not control.asynchronous)
    asynchronous = changed(logic_bit(bitmap, register, 19))
    assert asynchronous == replace(register, control=other)
    other = replace(control, falling=not control.falling)
    falling = changed(entry(bitmap, x, y, "NegClk")[0])
    assert falling == replace(register, control=other)


@pytest.mark.parametrize(("port", "use"), [("d3", "is read"), ("q3", "drives a pin")])
def test_a_pin_in_use_needs_a_port(bitmap: Bitmap, port: str, use: str) -> None:
    pins = {pin: name for pin, name in PINS.items() if name != port}
    with pytest.raises(VerificationError, match=f"{use} .*design has no port for"):
        read(bitmap, pins)
