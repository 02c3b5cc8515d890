# SPDX-License-Identifier: Apache-2.0
"""Measure how fast RTL is simulated, and how long a simulator takes to compile.

Run `python -m benchmarks.simulation` in the project's root. Whole cores, handshakes,
FIFOs and all: dot products by the adders that are synthesized, or by counting bits as
`hwgq simulate` does; with nothing but the ends watched, with the beats, stalls and
FIFOs of all streams counted, or with every beat read, too. Outputs are compared with
emulation. Times are the processor's, of all that happens from an array of frames to an
array of outputs, so that other work on the machine does not count; a simulation runs on
one core. The last column is the speed beside that with nothing watched.
"""

import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.provenance import commit, machine, versions
from benchmarks.untrained import write_untrained
from hwgq.compile import compile_network
from hwgq.compile.build_folder import Build, load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import IntArray
from hwgq.compile.simulate_rtl import Watch, core_simulator, simulate_rtl
from hwgq.storage import write_text

RESULTS = Path(__file__).parent / "results" / "simulation.md"
FOLDINGS = Path(__file__).parent / "foldings"
SHIPPED = Path(__file__).parents[1] / "train" / "shipped"
BOARD = "ulx3s-85f"
RUNS = 5
HEAD = (
    "network",
    "dot products",
    "streams",
    "compiled in, s",
    "frames",
    "cycles/s",
    "frames/s",
    "ratio",
)
WATCHED = {Watch.ENDS: "", Watch.TRAFFIC: "counted", Watch.BEATS: "read"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, and how it is folded and simulated.

    Parameters
    ----------
    name
        Of its rows.
    make
        Makes the network in a folder.
    folding
        File in benchmarks/foldings.
    fps, mhz
        What the folding is made for, where it does not pin all layers.
    frames
        Of a run.
    """

    name: str
    make: Callable[[Path], Path]
    folding: str
    fps: float | None = None
    mhz: float | None = None
    frames: int


CASES = (
    Case(
        name="TFC, W1A2, 2-bit input, PE = SIMD = 16",
        make=lambda folder: write_untrained(folder, "tfc", (784,), input_bits=2),
        folding="tfc-16.toml",
        frames=40_000,
    ),
    Case(
        name="CNV, W1A2, as built for the ULX3S-85F",
        make=lambda _: SHIPPED / "cifar10-cnv" / "network.onnx",
        folding="cnv-ulx3s.toml",
        fps=2400,
        mhz=80,
        frames=20,
    ),
)


def rows_of(case: Case, folder: Path) -> list[tuple[str, ...]]:
    """Measure one network in every way; the runs of all ways are interleaved."""
    built = compile_network(
        case.make(folder / "network"),
        BOARD,
        out=folder / "build",
        fps=case.fps,
        clock_mhz=case.mhz,
        folding=FOLDINGS / case.folding,
    )
    build = load_build(built)
    entry = build.graph.streams[build.graph.input]
    rng = np.random.default_rng(0)
    codes = rng.integers(0, entry.type.high + 1, (case.frames, *entry.shape))
    expected = emulate(build.graph, codes)[build.graph.output]
    ways = [(counted, watch) for counted in (False, True) for watch in Watch]
    compiled = [_compile(build, *way) for way in ways]
    timed = [[_run(build, codes, expected, *way) for way in ways] for _ in range(RUNS)]
    rates = [
        statistics.median(cycles / seconds for cycles, seconds in runs)
        for runs in zip(*timed, strict=True)
    ]
    return [
        (
            case.name,
            "counted" if counted else "by adders",
            WATCHED[watch],
            f"{seconds:.1f}",
            f"{case.frames}",
            f"{rate:.3g}",
            f"{rate * case.frames / timed[0][number][0]:.3g}",
            f"{rate / rates[ways.index((counted, Watch.ENDS))]:.3f}",
        )
        for number, ((counted, watch), seconds, rate) in enumerate(
            zip(ways, compiled, rates, strict=True)
        )
    ]


def _spent() -> float:
    """Give the processor's time so far, of this process and all that it waited for."""
    return sum(os.times()[:4])


def _compile(build: Build, counted: bool, watch: Watch) -> float:
    begun = _spent()
    core_simulator(build.graph, build.rtl, watch=watch, trace=False, counted=counted)
    return _spent() - begun


def _run(
    build: Build, codes: IntArray, expected: IntArray, counted: bool, watch: Watch
) -> tuple[int, float]:
    begun = _spent()
    found = simulate_rtl(build.graph, build.rtl, codes, watch=watch, counted=counted)
    seconds = _spent() - begun
    np.testing.assert_array_equal(found.codes[build.graph.output], expected)
    return found.run.cycles, seconds


def main() -> None:
    """Print the table, and write it."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as name,
        # No simulator is there before. The first compiles Verilator's runtime, too.
        mock.patch.dict(os.environ, {"HWGQ_CACHE_DIR": f"{name}/cache"}),
    ):
        for number, case in enumerate(CASES):
            rows += rows_of(case, Path(name) / str(number))
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    text = (
        f"`python -m benchmarks.simulation` at {commit()}, {machine()},"
        f" {versions('verilator', 'g++')}; medians of {RUNS} runs:\n\n{table}\n"
    )
    print(text)
    write_text(RESULTS, text)


if __name__ == "__main__":
    main()
