# SPDX-License-Identifier: Apache-2.0
"""Simulate every clock cycle of a design with one input and one output stream.

The design is compiled once by Verilator; weights and thresholds are read from memory
images when a run starts, so that another training needs no other simulator. The loop
over the cycles is compiled, too: Python only hands over beats and takes them back.
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from hwgq.compile.beats import bytes_of
from hwgq.compile.sim_wrapper import SimPorts, Tap, offsets, wrapper
from hwgq.compile.verilator_model import compile_model
from hwgq.compile.verilator_run import Bytes, Run, Trace, read_run
from hwgq.errors import DeadlockError, SimulationError


@dataclass(frozen=True, slots=True)
class Stalls:
    """Random pauses at both ends: single cycles, and bursts of up to 200.

    Parameters
    ----------
    seed
        Of the pauses, and of the values that registers wake up with.
    share
        Part of all cycles that each end aims to withhold.
    sink_share
        That of the sink, where it is another one.
    """

    seed: int
    share: float = 0.4
    sink_share: float | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """What lies between two taps, such as a FIFO; what it holds is counted.

    Parameters
    ----------
    name
        Its key in the results.
    entry, exit
        Names of the taps before and behind it, which come in this order.
    """

    name: str
    entry: str
    exit: str


@dataclass(frozen=True, slots=True)
class Simulator:
    """A compiled design; made by :func:`build_simulator`."""

    executable: Path
    top: str
    ports: SimPorts
    taps: tuple[Tap, ...]

    def run(
        self,
        beats: Bytes,
        *,
        outputs: int,
        cwd: Path,
        tapped: Mapping[str, int] = MappingProxyType({}),
        queues: Sequence[Queue] = (),
        stalls: Stalls | None = None,
        trace: Trace | None = None,
        timed: bool = False,
        max_idle: int = 100_000,
    ) -> Run:
        """Reset the design, feed it, and wait for its output.

        Parameters
        ----------
        beats
            Input, uint8 of shape (beats, bytes of a beat), little-endian.
        outputs
            Output beats to wait for.
        cwd
            Folder of the memory images.
        tapped
            Beats to wait for on taps, by name: the last ones of a frame may move
            behind the output that does not depend on them.
        queues
            What counts its beats.
        stalls
            Pauses at both ends; none by default.
        trace
            VCD file to write; the simulator must have been built for it.
        timed
            Whether to note the cycle of every beat of the taps.
        max_idle
            Cycles in which nothing moves anywhere that count as a deadlock.

        Raises
        ------
        SimulationError
            If a memory image is missing; :class:`hwgq.errors.DeadlockError` if the
            design stops moving.
        """
        shape = (len(beats), bytes_of(self.ports.in_width))
        if beats.dtype != np.uint8 or beats.shape != shape:
            raise ValueError(f"beats are {beats.dtype}{beats.shape}, not uint8{shape}")
        with tempfile.TemporaryDirectory() as folder:
            job = Path(folder)
            pauses = stalls or Stalls(seed=0, share=0.0)
            window = (0, 0) if trace is None else (trace.first, trace.last)
            numbers = self._job(outputs, tapped, queues, max_idle, pauses)
            text = " ".join(map(str, (*numbers, int(timed), *window)))
            (job / "job.txt").write_text(text)
            (job / "in.bin").write_bytes(beats.tobytes())
            self._execute(job, cwd, None if trace is None else trace.path)
            widths = {tap.name: tap.width for tap in self.taps}
            names = [queue.name for queue in queues]
            run = read_run(job, self.ports.out_width, widths, names)
        missing = any(run.streams[name].beats < n for name, n in tapped.items())
        if len(run.outputs) < outputs or missing:
            raise self._deadlock(run, len(beats), outputs, max_idle)
        # While one stream is waited for, others may bring more: rows of padding alone
        # run ahead, and may make a frame that did not come yet.
        return replace(
            run,
            outputs=run.outputs[:outputs],
            output_cycles=run.output_cycles[:outputs],
            taps={name: found[: tapped.get(name)] for name, found in run.taps.items()},
        )

    def _job(
        self,
        outputs: int,
        tapped: Mapping[str, int],
        queues: Sequence[Queue],
        max_idle: int,
        stalls: Stalls,
    ) -> tuple[int | float, ...]:
        numbers = {tap.name: number for number, tap in enumerate(self.taps)}
        ends = [(numbers[queue.entry], numbers[queue.exit]) for queue in queues]
        places = [
            (offset // 8, bytes_of(tap.width), tapped.get(tap.name, 0))
            for tap, offset in zip(self.taps, offsets(self.taps), strict=True)
        ]
        sink = stalls.share if stalls.sink_share is None else stalls.sink_share
        return (
            *(outputs, max_idle, stalls.seed, stalls.share, sink),
            *(bytes_of(self.ports.in_width), bytes_of(self.ports.out_width)),
            *(len(places), *(number for place in places for number in place)),
            *(len(ends), *(number for pair in ends for number in pair)),
        )

    def _execute(self, job: Path, cwd: Path, trace: Path | None) -> None:
        words = [self.executable, job, *([trace.resolve()] if trace else [])]
        done = subprocess.run(
            words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        # Verilator only warns of a missing image and leaves the memory at random.
        if "$readmem" in said:
            remedy = f"Run in the folder of the memory images; this was {cwd}"
            raise SimulationError(self.top, said.strip(), remedy)
        if done.returncode != 0:
            problem = f"the simulator ended with {done.returncode}: {said.strip()}"
            raise SimulationError(self.top, problem, "Check disk space and memory")

    def _deadlock(
        self, run: Run, inputs: int, outputs: int, idle: int
    ) -> DeadlockError:
        counts = ", ".join(f"{name} {t.beats}" for name, t in run.streams.items())
        problem = (
            f"stopped at cycle {run.cycles} with {run.streams['in'].beats} of {inputs}"
            f" beats taken and {len(run.outputs)} of {outputs} given (beats: {counts})"
        )
        remedy = "Check that the FIFOs are deep enough and that frames are whole"
        cycle, beats = run.cycles - idle, len(run.outputs)
        return DeadlockError(self.top, problem, remedy, cycle=cycle, beats=beats)


def build_simulator(
    sources: Sequence[Path],
    top: str,
    ports: SimPorts,
    taps: Sequence[Tap] = (),
    parameters: Mapping[str, int | str] = MappingProxyType({}),
    *,
    trace: bool = False,
    optimize: bool = True,
) -> Simulator:
    """Compile a design for simulation, or find it in the cache.

    Parameters
    ----------
    sources
        SystemVerilog or Verilog files of the design.
    top
        Its module; see :class:`SimPorts` for the ports that it must have.
    ports
        Widths of its streams.
    taps
        Streams inside of it to record.
    parameters
        Parameters of `top` to set.
    trace
        Whether to be able to write waveforms, which costs speed.
    optimize
        Whether to compile for speed. Without it, large designs such as netlists are
        compiled in seconds instead of minutes.

    Raises
    ------
    ToolNotFoundError
        If g++ or Verilator is not there.
    ToolFailedError
        If the sources are wrong, elaboration errors included.
    StorageError
        If the cache cannot be written.
    """
    text = wrapper(top, ports, taps, parameters)
    model = compile_model(sources, text, trace=trace, optimize=optimize)
    return Simulator(model, top, ports, tuple(taps))
