# SPDX-License-Identifier: Apache-2.0
"""What `verify` leaves of a mismatch: an input that shows it, and its waveform.

The folder `mismatch` of a build holds `input.npy`, `report.json` and, where hardware
was run, `trace.fst`. It appears when it is whole.
"""

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from hwgq.compile.board_rungs import CONFIGURATION
from hwgq.compile.board_trace import trace_board
from hwgq.compile.boundary_rungs import boundary_frames
from hwgq.compile.build_folder import Build
from hwgq.compile.graph import IntArray
from hwgq.compile.ladder import Ladder
from hwgq.compile.mismatch_report import INPUT, TRACE, Report, facts_of, write_report
from hwgq.compile.network import Network
from hwgq.compile.rerun import Hardware, Symptom
from hwgq.compile.simulate_rtl import Watch, write_isolated_rtl
from hwgq.compile.verilator import Stalls
from hwgq.errors import DeadlockError, MismatchError
from hwgq.progress import step
from hwgq.storage import staged

FOLDER = "mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What `verify` compares.

    Parameters
    ----------
    build
        The compiled network.
    network
        What it was compiled of.
    inputs
        Frames of the network's own input.
    expected
        Codes of each stream, by name, shape (frames, *stream shape).
    simulated
        How many of the frames are simulated cycle by cycle.
    stalls
        Pauses of the rung `rtl, stalled`.
    """

    build: Build
    network: Network
    inputs: npt.NDArray[Any]
    expected: Mapping[str, IntArray]
    simulated: int
    stalls: Stalls


def keep_mismatch(comparison: Comparison, error: MismatchError) -> MismatchError:
    """Write what shows a mismatch; give the error that names the folder.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    folder = comparison.build.folder / FOLDER
    with step("verify: what shows the mismatch"), staged(folder) as made:
        made.mkdir()
        if error.rung.startswith("boundary, "):
            _keep_layer(comparison, error, made)
        elif error.rung in {"rtl", "rtl, stalled"}:
            _keep_rtl(comparison, error.rung, error.index[0], error, made)
        elif error.layer in CONFIGURATION:
            _keep_configuration(comparison, error, made)
        elif error.rung.startswith("board, "):
            _keep_board(comparison, error, made)
        else:
            _keep_frames(comparison, error, made)
    what = error.rung, error.layer, error.index, error.expected, error.got
    return MismatchError(*what, folder=folder)


@contextmanager
def watched(comparison: Comparison, ladder: Ladder) -> Iterator[None]:
    """Write what shows a deadlock of the core, if one comes meanwhile.

    Raises
    ------
    DeadlockError
        The one that came; it names the folder.
    StorageError
        If the folder cannot be written.
    """
    graph, folder = comparison.build.graph, comparison.build.folder / FOLDER
    try:
        yield
    except DeadlockError as error:
        climbed = {rung.rung for rung in ladder.rungs}
        rung = "rtl, stalled" if "rtl" in climbed else "rtl"
        frame = error.beats // graph.streams[graph.output].beats
        with step("verify: what shows the deadlock"), staged(folder) as made:
            made.mkdir()
            _keep_rtl(
                comparison, rung, min(frame, comparison.simulated - 1), None, made
            )
        remedy = f"{error.remedy}; {folder} holds what shows it"
        raise DeadlockError(
            error.place, error.problem, remedy, cycle=error.cycle, beats=error.beats
        ) from error


def _keep_rtl(
    comparison: Comparison,
    rung: str,
    frame: int,
    error: MismatchError | None,
    made: Path,
) -> None:
    """Keep few frames on which the whole core goes wrong, and a trace of them."""
    build, stalls = comparison.build, comparison.stalls if rung != "rtl" else None
    inputs = comparison.inputs[: comparison.simulated]
    hardware = Hardware(
        graph=build.graph,
        rtl=build.rtl,
        codes=build.codes(inputs, "samples"),
        expected={n: c[: len(inputs)] for n, c in comparison.expected.items()},
        stalls=stalls,
    )
    if error is None or error.layer in hardware.expected:
        frames, symptom = hardware.reduced(frame)
    else:
        # The cycle in which a frame ends depends on all frames before it.
        frames = range(frame + 1)
        symptom = Symptom(cycle=int(error.got), mismatch=None)
    hardware.trace(frames, symptom.cycle, made / TRACE)
    report = Report(
        rung=rung,
        found=None if error is None else facts_of(error),
        input_of="the network",
        first_frame=frames.start,
        frames=len(frames),
        files=(INPUT, TRACE),
        command=_command(build.folder, "rtl", stalls),
        **_again(symptom),
    )
    write_report(made, inputs[frames.start : frames.stop], report)


def _keep_layer(comparison: Comparison, error: MismatchError, made: Path) -> None:
    """Keep few boundary frames on which one layer alone goes wrong."""
    graph, frame = comparison.build.graph, error.index[0]
    cases = boundary_frames(comparison.build, comparison.network)
    layer, codes, expected = next(case for case in cases if case[0].name == error.layer)
    frames, facts = range(frame, frame + 1), {}
    if error.rung == "boundary, rtl":
        with tempfile.TemporaryDirectory() as rtl:
            alone = write_isolated_rtl(graph, layer, comparison.build.rtl, Path(rtl))
            hardware = Hardware(
                graph=alone,
                rtl=Path(rtl),
                codes=codes,
                expected={alone.output: expected},
                watch=Watch.ENDS,
            )
            frames, symptom = hardware.reduced(frame)
            hardware.trace(frames, symptom.cycle, made / TRACE)
        facts = {"files": (INPUT, TRACE), **_again(symptom)}
    report = Report(
        rung=error.rung,
        found=facts_of(error),
        input_of=f"layer {layer.name} alone",
        first_frame=frames.start,
        frames=len(frames),
        **facts,
    )
    write_report(made, codes[frames.start : frames.stop], report)


def _keep_frames(comparison: Comparison, error: MismatchError, made: Path) -> None:
    """Keep a frame on which software goes wrong."""
    frame, emulated = error.index[0], error.rung == "emulation"
    report = Report(
        rung=error.rung,
        found=facts_of(error),
        input_of="the network",
        first_frame=frame,
        frames=1,
        command=_command(comparison.build.folder, "emulate") if emulated else None,
    )
    write_report(made, comparison.inputs[frame : frame + 1], report)


def _keep_board(comparison: Comparison, error: MismatchError, made: Path) -> None:
    """Keep all that a board got before a wrong answer, and a trace of that."""
    build, frames = comparison.build, error.index[0] + 1
    inputs = comparison.inputs[:frames]
    codes = build.codes(inputs, "samples")
    expected = comparison.expected[build.graph.output][:frames]
    cycle = trace_board(build, error, codes, expected, made / TRACE)
    rung = error.rung.removeprefix("board, ").replace("rtl", "netlist")
    words = ("hwgq", "verify", build.folder, "--through", rung, "--samples", frames)
    report = Report(
        rung=error.rung,
        found=facts_of(error),
        input_of="the network",
        first_frame=0,
        frames=frames,
        files=(INPUT, TRACE),
        command=shlex.join(map(str, words)),
        **_again(Symptom(cycle=cycle, mismatch=None)),
    )
    write_report(made, inputs, report)


def _keep_configuration(
    comparison: Comparison, error: MismatchError, made: Path
) -> None:
    """Say which bit of a configuration is wrong: nothing was run."""
    report = Report(
        rung=error.rung,
        found={**facts_of(error), "frame": None, "index": error.index},
        input_of="nothing",
        first_frame=0,
        frames=0,
    )
    write_report(made, comparison.inputs[:0], report)


def _again(symptom: Symptom) -> dict[str, Any]:
    """Give the fields of a report that tell how a run went wrong."""
    wrong = symptom.mismatch
    return {
        "again": None if wrong is None else facts_of(wrong),
        "cycle": symptom.cycle,
        "time": 2 * symptom.cycle,
    }


def _command(build: Path, engine: str, stalls: Stalls | None = None) -> str:
    """Write the command that runs the network on the frames that are kept."""
    folder = build / FOLDER
    words = ["hwgq", "simulate", build, "--engine", engine, "--inputs", folder / INPUT]
    words += ["--outputs", folder / "output.npy"]
    if engine == "rtl":
        words += ["--trace", folder / "whole.fst"]
    if stalls is not None:
        words += ["--stalls", stalls.seed]
    return shlex.join(map(str, words))
