# SPDX-License-Identifier: Apache-2.0
"""Measure how fast emulation is, beside others that run the same network.

Run `python -m benchmarks.emulation` in the project's root. Networks are untrained, with
calibrated normalizations, and frames noise. All run in turn, round by round, on frames
that lie in memory as bytes. On one core the seconds are of the processor's time, which
others on the machine do not lengthen as they do the clock's; on several, of the clock.
A rate is the median of the rounds. Emulation's includes the check of the frames' range.

`verify` compares some frames with PyTorch's integers. Then every answer is compared
with emulation's: the sums of the C++ loop as they are, logits in float32 up to
rounding. It may move a level: frames with others are counted.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numba
import numpy as np
import onnxruntime
import torch
from torch import nn

from benchmarks.provenance import commit, machine, versions
from benchmarks.rivals import (
    BATCH,
    Frames,
    Outputs,
    Rival,
    in_cpp,
    in_onnxruntime,
    in_pytorch,
    in_qonnx,
)
from benchmarks.untrained import untrained
from hwgq.compile import compile_network, verify
from hwgq.compile.build_folder import Build, load_build
from hwgq.compile.emulate import Emulator
from hwgq.compile.network import on_device
from hwgq.storage import write_text
from hwgq.train import export

RESULTS = Path(__file__).parent / "results" / "emulation.md"
BOARD = "ulx3s-85f"
ROUNDS = 7
VERIFIED = 8
ROUNDING = 1e-4
"""Of logits in float32, as a part of the largest; a level less is far more."""
HEAD = (
    "network",
    "run by",
    "frames/s",
    "best round",
    "emulation on a core is faster by",
    "frames compared",
    "other logits",
    "other class",
)
START = """
import sys, time
begun = time.perf_counter()
import numpy as np
from pathlib import Path
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import Emulator
graph = load_build(Path(sys.argv[1])).graph
loaded = time.perf_counter()
Emulator.of(graph).run(np.zeros((1, *graph.streams[graph.input].shape), np.uint8))
print(time.perf_counter() - loaded)
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, and how many frames of a round are run by whom.

    Parameters
    ----------
    name
        Of the rows.
    model, shape, input_bits
        As of `benchmarks.untrained.untrained`.
    many, some, few
        Frames for popcounts, for batches in float32, and for qonnx.
    """

    name: str
    model: str
    shape: tuple[int, ...]
    input_bits: int
    many: int
    some: int
    few: int


CASES = (
    Case(
        name="TFC, 2-bit input",
        model="tfc",
        shape=(784,),
        input_bits=2,
        many=20_000,
        some=20 * BATCH,
        few=10,
    ),
    Case(
        name="TFC, 8-bit input",
        model="tfc",
        shape=(784,),
        input_bits=8,
        many=20_000,
        some=20 * BATCH,
        few=10,
    ),
    Case(
        name="CNV, 8-bit input",
        model="cnv",
        shape=(3, 32, 32),
        input_bits=8,
        many=2 * BATCH,
        some=BATCH,
        few=2,
    ),
)


class Contestant(NamedTuple):
    """Who runs a network, how many frames a round, and what shall come of them."""

    name: str
    run: Rival
    frames: int
    expected: Outputs


def measure(case: Case, folder: Path) -> list[tuple[str, ...]]:
    """Run a network by all contestants in turn.

    Parameters
    ----------
    case
        The network.
    folder
        Where its build goes.

    Returns
    -------
    Rows of the table.
    """
    bits = case.input_bits
    network, images = untrained(
        case.model, case.shape, frames=case.many, input_bits=bits
    )
    labels = np.zeros(VERIFIED, np.int64)
    path = export(network, folder, images[:VERIFIED], labels, input_bits=bits)
    built = compile_network(path, BOARD, out=folder / "build", fps=100)
    verify(built, through="emulate")
    build = load_build(built)
    contestants = _contestants(case, build, network, images)
    seconds: dict[str, list[float]] = {one.name: [] for one in contestants}
    for _ in range(ROUNDS):
        answers = {}
        for one in contestants:
            answers[one.name], taken = one.run(images[: one.frames])
            seconds[one.name].append(taken)
    rates = {one.name: one.frames / median(seconds[one.name]) for one in contestants}
    return [
        (
            case.name,
            one.name,
            f"{rates[one.name]:,.0f}",
            f"{one.frames / min(seconds[one.name]):,.0f}",
            f"{rates[contestants[0].name] / rates[one.name]:,.1f}",
            str(one.frames),
            *_differences(answers[one.name], one.expected),
        )
        for one in contestants
    ]


def _contestants(
    case: Case, build: Build, network: nn.Module, images: Frames
) -> list[Contestant]:
    path, graph = build.folder / "network.onnx", build.graph
    emulator, cores = Emulator.of(graph), os.cpu_count() or 1
    codes, _ = _emulation(emulator, 1)(images)
    logits = build.outputs(codes)
    batches = f"batch {BATCH}, one core"
    found = [
        Contestant("emulation, one core", _emulation(emulator, 1), case.many, codes),
        Contestant(
            f"emulation, {cores} cores", _emulation(emulator, cores), case.many, codes
        ),
        Contestant("qonnx, batch 1", in_qonnx(path), case.few, logits),
        Contestant(f"onnxruntime, {batches}", in_onnxruntime(path), case.some, logits),
        Contestant(f"PyTorch, {batches}", in_pytorch(network), case.some, logits),
    ]
    if len(case.shape) == 1:
        run = in_cpp(graph, build.folder)
        found.append(Contestant("C++ loop, one core", run, case.many, codes))
    return found


def _emulation(emulator: Emulator, threads: int) -> Rival:
    graph = emulator.graph

    def run(frames: Frames) -> tuple[Outputs, float]:
        shape = graph.streams[graph.input].shape
        codes = np.ascontiguousarray(on_device(frames, shape))
        clock = time.process_time if threads == 1 else time.perf_counter
        begun = clock()
        found = emulator.run(codes, threads=threads)
        taken = clock() - begun
        return found.reshape(len(frames), -1), taken

    return run


def _differences(found: Outputs, expected: Outputs) -> tuple[str, str]:
    """Count the frames whose logits and whose largest logit are others."""
    wanted = expected[: len(found)].reshape(found.shape)
    size = np.abs(wanted).max(axis=1, keepdims=True)
    allowed = 0 if found.dtype.kind == "i" else ROUNDING * size
    others = np.any(np.abs(found - wanted) > allowed, axis=1)
    classes = found.argmax(axis=1) != wanted.argmax(axis=1)
    return str(others.sum()), str(classes.sum())


def seconds_to_start(build: Path, cache: Path) -> float:
    """Time a process's first frame, from a loaded build on.

    Parameters
    ----------
    build
        Build folder.
    cache
        Numba's cache.
    """
    done = subprocess.run(
        [sys.executable, "-c", START, str(build)],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def main() -> None:
    """Print the table, and write it."""
    rows, starts = [HEAD, ("---",) * len(HEAD)], []
    load, cores = os.getloadavg()[0], os.cpu_count()
    with tempfile.TemporaryDirectory() as name:
        for number, case in enumerate(CASES):
            folder = Path(name) / str(number)
            rows += measure(case, folder)
        for _ in range(2):
            cache = Path(name) / "cache"
            starts.append(seconds_to_start(folder / "build", cache))
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    text = (
        f"`python -m benchmarks.emulation` at {commit()}, {machine()},"
        f" {versions('g++')}, NumPy {np.__version__}, Numba {numba.__version__},"
        f" onnxruntime {onnxruntime.__version__}, PyTorch {torch.__version__}.\n\n"
        f"Medians of {ROUNDS} rounds in turn, on {cores} cores that had a load of"
        f" {load:.1f} before; frames lie in memory as bytes. Seconds of one core are of"
        f" the processor's time, those of several of the clock's:\n\n"
        f"{table}\n\n"
        f"The first frame of {case.name.partition(',')[0]} in a process takes"
        f" {starts[0]:.1f} s while Numba compiles, {starts[1]:.1f} s from its cache.\n"
    )
    print(text)
    write_text(RESULTS, text)


if __name__ == "__main__":
    main()
