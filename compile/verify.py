# SPDX-License-Identifier: Apache-2.0
"""The stage `verify`: every representation of the network is equal to the reference.

The reference is the PyTorch model, whose integers `export` wrote to samples.npz; of a
network without samples it is the float64 evaluation of network.onnx. Below it stand
QONNX, FINN and PyTorch in float32 as witnesses, emulation, and every clock cycle of the
RTL, without and with pauses at both ends; then the whole board, as netlist, placed and
routed, and as its bitstream.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hwgq import boards
from hwgq.boards.bitstream import read_built
from hwgq.compile import schedule
from hwgq.compile.board_rungs import climb_board
from hwgq.compile.boundary import Coverage
from hwgq.compile.boundary_rungs import (
    check_coverage,
    climb_boundary_emulation,
    climb_boundary_rtl,
)
from hwgq.compile.build_folder import NETWORK, SAMPLES, Build, load_build
from hwgq.compile.circuits import BOARD_RUNGS
from hwgq.compile.emulate import emulate
from hwgq.compile.evidence import Change, changes, gather, read_evidence
from hwgq.compile.executors import finn_codes, qonnx_codes
from hwgq.compile.graph import Graph, IntArray
from hwgq.compile.ladder import Climb, Ladder, Rung
from hwgq.compile.mismatch import FOLDER, Comparison, keep_mismatch, watched
from hwgq.compile.onnx_file import load_network
from hwgq.compile.pipeline import FRONT, Request, State, run_passes
from hwgq.compile.reference import Evaluation, evaluate
from hwgq.compile.samples import Samples, draw_samples, load_samples
from hwgq.compile.simulate_rtl import Simulation, simulate_rtl
from hwgq.compile.tape import Tape
from hwgq.compile.verilator import Stalls
from hwgq.compile.witness import Testimony, testify
from hwgq.errors import OptionError, VerificationError
from hwgq.progress import step
from hwgq.storage import remove, write_json

THROUGH = ("emulate", "rtl", *BOARD_RUNGS)
REPORT = "verify.json"
STALL_SEED = 1
LEAST_STALLED = 30.0
SIMULATED_CYCLES = 2_000_000
"""Cycles that RTL is simulated for, where more frames than the least are at hand."""
LEAST_FRAMES = 20
TIMED_FRAMES = 6
"""Frames whose last cycle is compared with the schedule model's."""
BOARD_FRAMES = 4
"""Frames that go through a whole board, where no other number is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What `verify` compared.

    Parameters
    ----------
    reference
        What the rungs were compared with.
    rungs
        One a representation.
    boundary
        Thresholds met exactly from both sides, by layer.
    cycles_per_frame
        Cycles from one frame to the next in the RTL run without stalls; None where
        that did not run.
    changed
        What changed since another verification; None where none was named.
    """

    reference: str
    rungs: tuple[Rung, ...]
    boundary: tuple[Coverage, ...]
    cycles_per_frame: float | None = None
    changed: tuple[Change, ...] | None = None


def verify(
    build: Path,
    *,
    samples: Path | None = None,
    through: str = "rtl",
    frames: int | None = BOARD_FRAMES,
    against: Path | None = None,
) -> VerifyReport:
    """Compare every representation of a compiled network with the reference.

    Parameters
    ----------
    build
        Build folder.
    samples
        samples.npz of a run; by default the one in the build folder. Without one,
        frames are drawn and the float64 evaluation of network.onnx is the reference.
    through
        Last rung: one of `THROUGH`. Those beyond ``"rtl"`` need a bitstream.
    frames
        Frames that go through the whole board, of which every bit on the wire is
        simulated; None for all.
    against
        The ``verify.json`` of another verification, to tell what changed since.

    Returns
    -------
    VerifyReport
        The ladder, which is also written to ``verify.json``.

    Raises
    ------
    MismatchError
        If any integer differs; the ladder is in ``verify.json`` all the same, and what
        shows the first one is in the build's folder `mismatch`.
    DeadlockError
        If the hardware stops; what shows that is in `mismatch`.
    VerificationError
        If a threshold is not covered, or a run with stalls had too few.
    StorageError
        If the build is none, or `against` is no verification.
    """
    if through not in THROUGH:
        remedy = f"Use one of {', '.join(THROUGH)}"
        raise OptionError("--through", f"there is no {through!r}", remedy)
    if frames is not None and frames < 1:
        remedy = "Use a number from 1, or all"
        raise OptionError("--samples", f"is {str(frames)!r}", remedy)
    whole = load_build(build)
    if through in BOARD_RUNGS:
        read_built(build)  # sooner than after minutes
    old = read_evidence(against) if against is not None else None
    with step("verify: reference"):
        state = _read_again(whole)
        chosen = samples or build / SAMPLES
        given = samples is not None or chosen.exists()
        network = state.network
        data = load_samples(chosen, network) if given else draw_samples(network)
        evaluation = evaluate(network, data.inputs)
    ladder = Ladder()
    _software(ladder, state, data, evaluation)
    _emulation(ladder, whole, data, evaluation)
    coverages = climb_boundary_emulation(ladder, whole, network)
    cycles = None
    hashes = dict(gather(whole, chosen if given else None, evaluation))
    comparison = Comparison(
        build=whole,
        network=network,
        inputs=data.inputs,
        expected=evaluation.codes,
        simulated=_simulated_frames(whole, len(data.inputs)),
        stalls=Stalls(STALL_SEED),
    )
    if through != "emulate":
        codes = _device_codes(whole, evaluation)
        with watched(comparison, ladder):
            cycles = _rtl(ladder, comparison, codes)
        climb_boundary_rtl(ladder, whole, network)
        if through in BOARD_RUNGS:
            expected = evaluation.codes[whole.graph.output]
            hashes |= climb_board(
                ladder, whole, codes[:frames], expected[:frames], through=through
            )
    report = VerifyReport(
        reference="PyTorch" if given else "network.onnx in float64",
        rungs=tuple(ladder.rungs),
        boundary=coverages,
        cycles_per_frame=cycles,
        changed=changes(old, hashes) if old is not None else None,
    )
    write_json(build / REPORT, {**asdict(report), "evidence": hashes})
    remove(build / FOLDER)
    if ladder.mismatch is not None:
        raise keep_mismatch(comparison, ladder.mismatch)
    check_coverage(coverages)
    return report


def _read_again(build: Build) -> State:
    """Run the front half of the compiler on the build's network."""
    settings = build.settings
    request = Request(
        board=boards.load(settings["board"]),
        clock_mhz=settings["clock_mhz"],
        input_type=settings["input"].get("input_type"),
        input_scale=settings["input"].get("input_scale"),
    )
    model = load_network(build.folder / NETWORK)
    return run_passes(State(request=request, model=model), passes=FRONT)


def _software(
    ladder: Ladder, state: State, data: Samples, evaluation: Evaluation
) -> None:
    """Compare PyTorch with QONNX, and hear the float32 witnesses."""
    network, frames = state.network, len(data.inputs)
    if data.digests:
        with step("verify: qonnx"), ladder.climb("qonnx", frames) as climb:
            data.compare(climb, evaluation)
    if data.float32:
        with ladder.climb("pytorch float32", frames) as climb:
            for layer, (values, ties) in data.float32.items():
                climb.hear(Testimony(layer=layer, values=values, ties=ties))
    codes = {
        "qonnx float32": qonnx_codes(Tape(state.model), network, evaluation),
        "finn float32": finn_codes(state.finn, network, evaluation),
    }
    for rung, found in codes.items():
        with step(f"verify: {rung}"), ladder.climb(rung, frames) as climb:
            for testimony in testify(rung, network, evaluation, found):
                climb.hear(testimony)


def _emulation(
    ladder: Ladder, build: Build, data: Samples, evaluation: Evaluation
) -> None:
    frames = len(data.inputs)
    with step("verify: emulation"), ladder.climb("emulation", frames) as climb:
        codes = build.codes(data.inputs, "samples")
        found = emulate(build.graph, codes)
        climb.compare_all(evaluation.codes, found)
        outputs = build.outputs(found[build.graph.output])
        climb.compare("output", evaluation.outputs, outputs)


def _rtl(ladder: Ladder, comparison: Comparison, codes: IntArray) -> float:
    """Simulate every cycle, without pauses and with; return the measured II."""
    build, frames = comparison.build, comparison.simulated
    codes = codes[:frames]
    expected = {name: c[:frames] for name, c in comparison.expected.items()}
    with step("verify: rtl"), ladder.climb("rtl", frames) as climb:
        simulation = simulate_rtl(build.graph, build.rtl, codes)
        climb.compare_all(expected, simulation.codes)
        _compare_cycles(climb, build.graph, simulation, frames)
    with step("verify: rtl, stalled"), ladder.climb("rtl, stalled", frames) as climb:
        stalls = comparison.stalls
        stalled = simulate_rtl(build.graph, build.rtl, codes, stalls=stalls)
        climb.compare_all(expected, stalled.codes)
        climb.facts |= _stall_shares(stalled)
    return simulation.interval(build.graph)


def _compare_cycles(
    climb: Climb, graph: Graph, simulation: Simulation, frames: int
) -> None:
    """Compare the cycle in which each of the first frames ends with the model's."""
    timed = min(frames, TIMED_FRAMES)
    beats = graph.streams[graph.output].beats
    ends = simulation.run.output_cycles[beats - 1 :: beats][:timed]
    expected = np.asarray(schedule.simulate(graph, frames=timed).ends)
    climb.compare("last cycle of a frame", expected, ends)


def _device_codes(build: Build, evaluation: Evaluation) -> IntArray:
    """Give the codes of the device's input."""
    return build.graph.streams[build.graph.input].type.codes(evaluation.integers)


def _simulated_frames(build: Build, frames: int) -> int:
    """Choose how many frames are simulated cycle by cycle: of large networks, fewer."""
    affordable = SIMULATED_CYCLES // schedule.initiation_interval(build.graph)
    return min(frames, max(LEAST_FRAMES, affordable))


def _stall_shares(simulation: Simulation) -> dict[str, int | float | str]:
    """Tell which part of the cycles was withheld; too little is no test."""
    run = simulation.run
    shares = {
        "stalled_in": round(100 * run.input_stalls / run.cycles, 1),
        "stalled_out": round(100 * run.output_stalls / run.cycles, 1),
    }
    for end, share in shares.items():
        if share < LEAST_STALLED:
            raise VerificationError(
                f"rtl, stalled: {end}",
                f"only {share} % of {run.cycles} cycles were withheld",
                "Verify more frames",
            )
    return dict(shares)
