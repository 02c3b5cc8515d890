# SPDX-License-Identifier: Apache-2.0
"""Print where the compiler's time goes, and how it grows.

Run `python -m benchmarks.compile` in the project's root. CNV from QONNX to RTL with all
memories written, pass by pass and at several frame rates; then networks of more weights
and layers.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.provenance import commit, machine, versions
from benchmarks.untrained import write_untrained
from hwgq import boards
from hwgq.compile.graph import Graph, Mvau
from hwgq.compile.netlist import write_rtl
from hwgq.compile.onnx_file import load_network
from hwgq.compile.pipeline import Pass, Request, State, run_passes
from hwgq.storage import write_text

RESULTS = Path(__file__).parent / "results" / "compile.md"
BOARD = "ulx3s-85f"
FPS = 100
FASTER = (300, 1000, 2500)
IMAGE = (3, 32, 32)
#: VGG-small of full width does not fit this board.
NETWORKS = (
    ("cnv", 0.25),
    ("cnv", 0.5),
    ("cnv", 1.0),
    ("vgg-small", 0.5),
    ("vgg-small", 0.75),
)


def compiled(
    path: Path, folder: Path, fps: float = FPS
) -> tuple[dict[str, float], Graph]:
    """Compile a network; return the seconds of each pass, and the graph."""
    begun = time.monotonic()
    seconds: dict[str, float] = {}
    marks = [begun]

    def observe(_: int, step: Pass, _state: State) -> None:
        marks.append(time.monotonic())
        seconds[step.name] = marks[-1] - marks[-2]

    board = boards.load(BOARD)
    request = Request(board=board, clock_mhz=board.clock.core_mhz, fps=fps)
    model = load_network(path)
    marks.append(time.monotonic())
    seconds["load"] = marks[-1] - marks[-2]
    state = run_passes(State(request=request, model=model), observe)
    write_rtl(state.graph, folder)
    seconds["write RTL and memories"] = time.monotonic() - marks[-1]
    seconds["whole"] = time.monotonic() - begun
    return seconds, state.graph


def main() -> None:
    """Print the tables, and write them."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # FINN's import and Numba's compilation are paid once a process.
        compiled(write_untrained(folder / "warm", "cnn", (1, 28, 28)), folder / "rtl")
        for model, width in NETWORKS:
            path = write_untrained(folder / "network", model, IMAGE, width=width)
            seconds, graph = compiled(path, folder / "rtl")
            layers = [n for n in graph.layers if isinstance(n, Mvau)]
            weights = sum(n.rows * n.columns for n in layers)
            if (model, width) == ("cnv", 1.0):
                passes = [(key, f"{value:.2f}") for key, value in seconds.items()]
                rates = [(f"{FPS}", f"{seconds['whole']:.1f}")]
                for fps in FASTER:
                    again, _ = compiled(path, folder / "rtl", fps)
                    rates.append((f"{fps}", f"{again['whole']:.1f}"))
            cells = (model, width, len(layers), weights, f"{seconds['whole']:.1f}")
            rows.append((*cells, f"{1e6 * seconds['whole'] / weights:.1f}"))
    head = ("network", "width", "products", "weights", "s", "s per million weights")
    text = (
        f"`python -m benchmarks.compile` at {commit()}, {machine()}, {versions()},"
        f" NumPy {np.__version__}, for {BOARD} at {FPS} frames/s.\n\n"
        f"CNV, pass by pass:\n\n"
        f"{_table(('pass', 's'), passes)}\n\n"
        f"CNV, at several rates:\n\n{_table(('frames/s', 's'), rates)}\n\n"
        f"Networks of several sizes:\n\n{_table(head, rows)}\n"
    )
    print(text)
    write_text(RESULTS, text)


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


if __name__ == "__main__":
    main()
