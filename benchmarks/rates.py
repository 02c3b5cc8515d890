# SPDX-License-Identifier: Apache-2.0
"""Measure in RTL simulation how fast whole networks are, beside what they should be.

Run `python -m benchmarks.rates` in the project's root. For each network: cycles from
one frame to the next by the slowest module's formula, as simulated over frames in a row
without stalls, and their ratio; cycles until the first frame has left, by the schedule
model and simulated. Before that `verify` compares every rung down to RTL, without and
with stalls, and meets every threshold from both sides.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.provenance import commit, machine, versions
from benchmarks.untrained import with_weights_of, write_untrained
from hwgq.compile import compile_network, verify
from hwgq.compile.build_folder import load_build
from hwgq.compile.graph import Mvau, Vvau
from hwgq.compile.schedule import initiation_interval, simulate
from hwgq.compile.simulate_rtl import simulate_rtl
from hwgq.storage import write_text
from hwgq.train.models import Activation

RESULTS = Path(__file__).parent / "results" / "rates.md"
SHIPPED = Path(__file__).parents[1] / "train" / "shipped"
BOARD = "ulx3s-85f"
FRAMES = 6
CIFAR10 = (3, 32, 32)
HEAD = (
    "network",
    "fps asked",
    "lanes",
    "II by formula",
    "II in RTL",
    "formula / RTL",
    "first frame by model",
    "in RTL",
    "RTL / model",
    "frames in RTL",
    "integers, all rungs",
    "mismatches",
    "sides of thresholds met",
    "cycles/s simulated",
)


def _shipped(name: str) -> Callable[[Path], Path]:
    return lambda _: SHIPPED / name / "network.onnx"


def _two_bit(folder: Path) -> Path:
    network = write_untrained(folder, "cnv", CIFAR10)
    return with_weights_of(2, network, folder / "w2a2.onnx")


@dataclass(frozen=True)
class Case:
    """A network, and the frames/s to fold it for.

    Parameters
    ----------
    name
        Of the row.
    make
        Makes the network in a folder.
    fps
        At the board's clock.
    """

    name: str
    make: Callable[[Path], Path]
    fps: float


CASES = (
    Case("LeNet, W1A2, trained", _shipped("fashion-lenet"), 1000),
    Case("CNN 16-16-32-32, W1A2, trained", _shipped("fashion-cnn"), 1000),
    Case("CNV, W1A2, trained", _shipped("cifar10-cnv"), 300),
    Case(
        "CNV, W1A1",
        lambda f: write_untrained(f, "cnv", CIFAR10, activation=Activation.SIGN),
        300,
    ),
    Case("CNV, W2A2", _two_bit, 300),
    Case(
        "VGG-small, half width, W1A2",
        lambda f: write_untrained(f, "vgg-small", CIFAR10, width=0.5),
        100,
    ),
)


def measure(case: Case) -> tuple[str, ...]:
    """Compile a network, verify it, and simulate frames of noise in a row.

    Returns
    -------
    The row of the table.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = case.make(folder / "network")
        built = compile_network(path, BOARD, out=folder / "build", fps=case.fps)
        build = load_build(built)
        graph = build.graph
        report = verify(built)
        drawn = np.random.default_rng(0).integers(0, 256, (FRAMES, *build.input_shape))
        codes = build.codes(drawn, case.name)
        begun = time.monotonic()
        simulation = simulate_rtl(graph, build.rtl, codes)
        seconds = time.monotonic() - begun
    rungs = {rung.rung: rung for rung in report.rungs}
    met = sum(layer.covered for layer in report.boundary)
    reachable = sum(layer.reachable for layer in report.boundary)
    interval, promised = simulation.interval(graph), initiation_interval(graph)
    beats = graph.streams[graph.output].beats
    first = int(simulation.run.output_cycles[beats - 1]) + 1
    modelled = simulate(graph, frames=1).latency
    lanes = [n.pe * n.simd for n in graph.layers if isinstance(n, Mvau | Vvau)]
    cells = (
        case.name,
        f"{case.fps:g}",
        sum(lanes),
        promised,
        f"{interval:.0f}",
        f"{promised / interval:.4f}",
        modelled,
        first,
        f"{first / modelled:.4f}",
        rungs["rtl"].frames,
        sum(rung.values for rung in report.rungs),
        sum(rung.mismatches for rung in report.rungs),
        f"{met} of {reachable}",
        f"{simulation.run.cycles / seconds:.0f}",
    )
    return tuple(map(str, cells))


def main(
    only: Annotated[str, typer.Option(help="Rows whose name holds this.")] = "",
) -> None:
    """Print the table, and write it where all rows are measured."""
    rows = [measure(case) for case in CASES if only in case.name]
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    text = (
        f"`python -m benchmarks.rates` at {commit()}, {machine()}, for {BOARD},"
        f" {versions('verilator', 'g++')}:\n\n"
        f"{table}\n"
    )
    print(text)
    if not only:
        write_text(RESULTS, text)


if __name__ == "__main__":
    typer.run(main)
