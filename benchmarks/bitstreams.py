# SPDX-License-Identifier: Apache-2.0
"""Build bitstreams of convolutional networks, and print what they take and reach.

Run `python -m benchmarks.bitstreams` in the project's root; a row by itself with
`--only NAME`. Each of the two CNVs takes the better part of an hour. What was measured
before is kept in benchmarks/results/bitstreams.json. No board is needed, and none was
on the table: frames/s are the routed clock over simulated cycles.
"""

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.provenance import commit, machine, versions
from benchmarks.untrained import write_untrained
from hwgq import boards
from hwgq.boards.design import read_design
from hwgq.boards.flows import flow_of
from hwgq.boards.flows.flow import GATES
from hwgq.compile import compile_network, verify
from hwgq.compile.build_folder import load_build
from hwgq.compile.gate_level import run_netlist
from hwgq.compile.graph import Mvau
from hwgq.compile.schedule import initiation_interval
from hwgq.storage import read_json, write_json, write_text

RESULTS = Path(__file__).parent / "results"
TABLE = RESULTS / "bitstreams.json"
SHIPPED = Path(__file__).parents[1] / "train" / "shipped"
FOLDINGS = Path(__file__).parent / "foldings"
IMAGE = (1, 28, 28)
NETLIST_FRAMES = 2


@dataclass(frozen=True)
class Case:
    """A network on a board.

    Parameters
    ----------
    network, board
        Their names: a shipped network, or with a width, one of `hwgq.train.models`.
    width
        Of an untrained network on images of 28 × 28 pixels.
    fps, mhz
        Frames/s and clock asked for; None for the default.
    folding
        File of `FOLDINGS` that says lanes of some layers.
    netlist
        Whether the synthesized netlist is simulated, too.
    """

    network: str
    board: str
    width: float | None = None
    fps: int | None = None
    mhz: float | None = None
    folding: str | None = None
    netlist: bool = True

    @property
    def title(self) -> str:
        """What the table calls the network."""
        if self.width is not None:
            return f"{self.network} of width {self.width:g}, untrained"
        if self.fps is not None:
            return f"{self.network} for {self.fps} frames/s"
        return self.network


_cnv = partial(Case, "cifar10-cnv", "ulx3s-85f", folding="cnv-ulx3s.toml")

CASES = (
    Case("fashion-cnn", "icebreaker"),
    Case("fashion-cnn", "ulx3s-85f"),
    Case("lenet", "icebreaker", width=0.35),
    Case("fashion-lenet", "ulx3s-85f"),
    _cnv(fps=2400, mhz=80),
    # The most lanes that `hwgq compile` finds room for. Simulating the gates of the CNV
    # above takes half an hour already.
    _cnv(fps=5800, mhz=75, netlist=False),
)


def measure(case: Case) -> dict[str, Any]:
    """Build one bitstream; return a row of the table."""
    with tempfile.TemporaryDirectory() as name:
        network = SHIPPED / case.network / "network.onnx"
        if case.width is not None:
            source = Path(name) / "source"
            network = write_untrained(source, case.network, IMAGE, width=case.width)
        folder = compile_network(
            network,
            case.board,
            out=Path(name) / case.network,
            fps=case.fps,
            clock_mhz=case.mhz,
            folding=FOLDINGS / case.folding if case.folding else None,
        )
        begun = time.monotonic()
        result = boards.build(folder)
        minutes = (time.monotonic() - begun) / 60
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        report = verify(folder, through="rtl")
        build = load_build(folder)
        cycles = initiation_interval(build.graph)
        lanes = sum(n.pe * n.simd for n in build.graph.layers if isinstance(n, Mvau))
        netlist = _netlist_mismatches(folder) if case.netlist else "not run"
    return {
        "network": case.title,
        "board": case.board,
        "lanes": lanes,
        "cycles a frame": cycles,
        "clock, MHz": result.clock_mhz,
        "fastest, MHz": round(result.fmax_mhz, 1),
        "frames/s": round(1e6 * result.clock_mhz / cycles),
        "LUTs": f"{result.luts.used} of {result.luts.available}",
        "block RAMs": f"{result.block_rams.used} of {result.block_rams.available}",
        "minutes": round(minutes, 1),
        "GiB": round(memory, 1),
        "mismatches to RTL": sum(rung.mismatches for rung in report.rungs),
        "of the netlist": netlist,
        "commit": commit(),
        "machine": machine(),
        "tools": _tools(case),
    }


def _alone(case: Case) -> dict[str, Any]:
    """Measure in a process of its own: memory is the most of any of its children."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(measure, case).result()


def _tools(case: Case) -> str:
    flow = flow_of(boards.load(case.board))
    return versions(flow.synthesizer, flow.router, flow.packer, "verilator", "g++")


def _netlist_mismatches(folder: Path) -> int:
    """Compare the netlist's outputs, through its pins, with the reference's."""
    build = load_build(folder)
    with np.load(folder / "samples.npz") as samples:
        images = samples["images"][:NETLIST_FRAMES]
        wanted = samples["logits"][:NETLIST_FRAMES]
    codes = build.codes(images, "samples")
    run = run_netlist(folder / GATES, build, read_design(folder), codes)
    return int(np.count_nonzero(build.outputs(run.codes) != wanted))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    head = [name for name in rows[0] if name != "tools"]
    cells = ([str(row[name]) for name in head] for row in rows)
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(
    only: Annotated[str, typer.Option(help="Networks whose title holds this.")] = "",
    board: Annotated[str, typer.Option(help="Boards whose name holds this.")] = "",
) -> None:
    """Measure rows, and print and write all that are known."""
    known = read_json(TABLE)["rows"] if TABLE.exists() else {}
    for case in CASES:
        key = f"{case.title}, {case.board}"
        if only in case.title and board in case.board:
            known[key] = _alone(case)
            write_json(TABLE, {"rows": known})
    order = [f"{case.title}, {case.board}" for case in CASES]
    rows = [known[key] for key in order if key in known]
    text = (
        f"`python -m benchmarks.bitstreams`:\n\n{_table(rows)}\n\n"
        f"Tools: {'; '.join(sorted({row['tools'] for row in rows}))}.\n"
    )
    print(text)
    write_text(RESULTS / "bitstreams.md", text)


if __name__ == "__main__":
    typer.run(main)
