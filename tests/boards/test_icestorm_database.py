# SPDX-License-Identifier: Apache-2.0
"""nextpnr's description of the devices is read whole."""

import importlib.util
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from hwgq.boards.icestorm.database import DEVICES, read_chip
from hwgq.boards.icestorm.ports import check_ports
from hwgq.errors import BoardError, ToolNotFoundError

every_device = pytest.mark.parametrize("device", DEVICES)


@pytest.mark.parametrize(
    ("device", "cells"),
    [
        ("1k", {"lc": 1280, "ram": 16, "pll": 1, "gb": 8}),
        ("5k", {"lc": 5280, "ram": 30, "pll": 1, "gb": 8, "spram": 4, "mac16": 8}),
        ("8k", {"lc": 7680, "ram": 32, "pll": 2, "gb": 8}),
    ],
)
def test_the_cells_are_those_of_the_data_sheet(device, cells):
    found = Counter(cell.kind for cell in read_chip(device).cells)
    assert {kind: found[kind] for kind in cells} == cells


@every_device
def test_each_bit_has_one_meaning(device):
    chip = read_chip(device)
    uses = np.bincount(chip.routing.bits[chip.routing.weights > 0], minlength=chip.bits)
    for tile in chip.tiles.values():
        for name in tile.entries:
            uses[tile.bits(name)] += 1
    assert uses.max() == 1
    assert len(uses) == chip.bits
    assert uses.mean() > 0.9  # of all bits, few are unknown


@every_device
def test_each_connection_has_a_switch_of_its_own_setting(device):
    routing = read_chip(device).routing
    assert routing.switch.min() >= 0
    assert routing.switch.max() < len(routing.bits)
    assert routing.setting.min() > 0  # an open switch joins nothing
    assert (routing.setting <= routing.weights[routing.switch].sum(axis=1)).all()
    pairs = 32 * routing.switch + routing.setting
    assert len(np.unique(pairs)) == len(pairs)
    target = np.zeros(len(routing.bits), np.int64)
    target[routing.switch] = routing.target
    assert (target[routing.switch] == routing.target).all()  # one wire a switch


@every_device
def test_no_switch_drives_a_cells_output(device):
    chip = read_chip(device)
    outputs = {wire for cell in chip.cells for wire in cell.outputs.values()}
    assert not outputs & set(chip.routing.target.tolist())


@every_device
def test_a_luts_inputs_are_the_physical_ones(device):
    chip = read_chip(device)
    for cell in chip.cells:
        if cell.kind == "lc":
            names = [chip.wires[cell.inputs[f"I{i}"]] for i in range(4)]
            x, y = cell.place
            place = f"X{x}/Y{y}/lutff_{cell.index}"
            assert names == [f"{place}:in_{i}" for i in range(4)]


def test_the_pins_are_those_of_the_icebreaker():
    chip = read_chip("5k")
    cells = chip.packages["sg48"]
    places = {
        pin: (*chip.cells[cells[pin]].place, chip.cells[cells[pin]].index)
        for pin in ("35", "6", "9")
    }
    assert places == {"35": (12, 31, 1), "6": (13, 0, 1), "9": (15, 0, 0)}


def test_another_device_is_refused():
    with pytest.raises(
        BoardError, match=r"iCE40 384: is not read back\. Use one of 1k"
    ):
        read_chip("384")


def test_a_missing_description_is_an_error(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolNotFoundError, match="no description of it"):
        read_chip.__wrapped__("5k")


def test_other_numbers_of_ports_are_noticed():
    chip = read_chip("5k")
    cell = next(cell for cell in chip.cells if cell.kind == "ram")
    swapped = {**cell.inputs, "RE": cell.inputs["RCLKE"]}
    with pytest.raises(
        ToolNotFoundError, match=r"chipdb: numbers the ports of ram_6_1"
    ):
        check_ports("chipdb", [replace(cell, inputs=swapped)], chip.wires)
