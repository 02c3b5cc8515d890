# SPDX-License-Identifier: Apache-2.0
"""The stage `simulate`: a compiled network on frames of the user's."""

import io
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hwgq.compile.build_folder import Build, load_build, load_frames
from hwgq.compile.emulate import Emulator
from hwgq.compile.evaluate import FloatArray
from hwgq.compile.graph import Fifo, IntArray
from hwgq.compile.netlist import core_map
from hwgq.errors import OptionError
from hwgq.progress import step
from hwgq.storage import write_bytes

ENGINES = ("emulate", "rtl")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUse:
    """What happened on a stream.

    Parameters
    ----------
    stream
        Its name: that of the layer which makes it.
    beats
        Transfers.
    blocked
        Cycles in which a beat waited for its receiver: what comes behind is slower.
    starved
        Cycles in which the receiver waited for a beat: what comes before is slower.
    """

    stream: str
    beats: int
    blocked: int
    starved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FifoUse:
    """What a FIFO held.

    Parameters
    ----------
    fifo
        Its name.
    depth
        Beats that it can hold.
    most
        The most beats that it held.
    mean
        Beats that it held, over all cycles.
    """

    fifo: str
    depth: int
    most: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationReport:
    """What a simulation did.

    Parameters
    ----------
    outputs
        File with the network's outputs.
    frames
        Number of frames.
    cycles
        Clock cycles of all frames; None for emulation, which knows no clock.
    input_stalls, output_stalls
        Cycles in which the source had nothing, or the sink took nothing.
    streams, fifos
        What happened on each of them, in their order; none for emulation.
    """

    outputs: Path
    frames: int
    cycles: int | None = None
    input_stalls: int | None = None
    output_stalls: int | None = None
    streams: tuple[StreamUse, ...] = ()
    fifos: tuple[FifoUse, ...] = ()


def simulate(
    build: Path,
    *,
    engine: str,
    inputs: Path,
    outputs: Path,
    trace: Path | None = None,
    stalls: int | None = None,
) -> SimulationReport:
    """Run a compiled network on frames.

    Parameters
    ----------
    build
        Build folder.
    engine
        ``"emulate"``: exact and fast, without a clock; ``"rtl"``: every clock cycle.
    inputs
        ``.npy`` of frames, shape (n, *input shape): integers of the network's input
        type, or real numbers where the host computes the first part.
    outputs
        ``.npy`` to write: what the network's last node computes, float64.
    trace
        Waveform to write, with the engine ``"rtl"``: an ``.fst`` file, in which the
        scope `streams` has the network's own names.
    stalls
        Seed of random pauses at both ends, with the engine ``"rtl"``.

    Raises
    ------
    DataError
        If the frames have the wrong shape or range.
    OptionError
        If an option does not go with the engine.
    StorageError
        If `build` is no build folder, or `outputs` cannot be written.
    """
    if engine not in ENGINES:
        raise OptionError("--engine", f"there is no {engine!r}", "Use emulate or rtl")
    if engine == "emulate" and (trace is not None or stalls is not None):
        raise OptionError(
            "--engine", "emulation has no clock to trace or stall", "Use --engine rtl"
        )
    if trace is not None and trace.suffix != ".fst":
        raise OptionError("--trace", f"is {trace}", "Name an .fst file")
    if stalls is not None and not 0 <= stalls < 2**32:
        raise OptionError("--stalls", f"is {stalls}", "Give a seed from 0 to 2^32 - 1")
    whole = load_build(build)
    codes = whole.codes(load_frames(inputs), str(inputs))
    with step(f"simulate ({engine})"):
        if engine == "emulate":
            results = Emulator.of(whole.graph).run(codes)
            report = SimulationReport(outputs=outputs, frames=len(codes))
        else:
            results, report = _rtl(whole, codes, outputs, trace, stalls)
    save_outputs(outputs, whole.outputs(results))
    return report


def _rtl(
    build: Build, codes: IntArray, outputs: Path, trace: Path | None, seed: int | None
) -> tuple[IntArray, SimulationReport]:
    # Only this engine needs a C++ compiler.
    from hwgq.compile.simulate_rtl import Watch, simulate_rtl
    from hwgq.compile.verilator import Stalls
    from hwgq.compile.verilator_run import Trace

    simulation = simulate_rtl(
        build.graph,
        build.rtl,
        codes,
        stalls=None if seed is None else Stalls(seed),
        watch=Watch.TRAFFIC,
        trace=None if trace is None else Trace(path=trace),
        counted=True,
    )
    run = simulation.run
    return simulation.codes[build.graph.output], SimulationReport(
        outputs=outputs,
        frames=len(codes),
        cycles=run.cycles,
        input_stalls=run.input_stalls,
        output_stalls=run.output_stalls,
        streams=tuple(
            StreamUse(stream=name, **asdict(run.streams[f"s{number}"]))
            for name, number in core_map(build.graph).items()
        ),
        fifos=tuple(
            FifoUse(fifo=n.name, depth=n.depth, **asdict(run.queues[n.name]))
            for n in build.graph.layers
            if isinstance(n, Fifo)
        ),
    )


def save_outputs(path: Path, array: FloatArray) -> None:
    """Write a network's outputs as .npy."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())
