# SPDX-License-Identifier: Apache-2.0
"""The stage `infer`: frames through a board, real or simulated, by the same code."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hwgq.boards.design import Design, read_design
from hwgq.boards.runtime import Device
from hwgq.boards.serial_port import SerialPort
from hwgq.compile.beats import pack, unpack
from hwgq.compile.build_folder import Build, load_build, load_frames
from hwgq.compile.schedule import simulate
from hwgq.compile.simulate import save_outputs
from hwgq.errors import OptionError
from hwgq.progress import step, track

SIMULATED = "sim"
#: Seconds that an answer may be late.
_PATIENCE = 1.0
#: Clock cycles a second of the slowest simulation that is waited for.
_LEAST_SIMULATED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class InferReport:
    """What a board did.

    Parameters
    ----------
    outputs
        File with the network's outputs.
    frames
        Number of frames.
    port
        Where the board was; "sim" for a simulated one.
    build_id, protocol
        What it said about itself.
    fewest_cycles, most_cycles
        Clock cycles of a frame in the core.
    damaged, unanswered, stale
        What went wrong on the wire and was put right: see
        :class:`hwgq.boards.runtime.Faults`.
    """

    outputs: Path
    frames: int
    port: str
    build_id: str
    protocol: int
    fewest_cycles: int
    most_cycles: int
    damaged: int
    unanswered: int
    stale: int


def infer(
    build: Path, *, port: str, inputs: Path, outputs: Path, retries: int = 3
) -> InferReport:
    """Run frames on a board that is programmed with a build.

    Parameters
    ----------
    build
        Build folder.
    port
        Serial port of the board, such as ``/dev/ttyUSB1``; ``"sim"`` for a simulation
        of every clock cycle of the whole board, which needs no bitstream.
    inputs
        ``.npy`` of frames, shape (n, *input shape): integers of the network's input
        type, or real numbers where the host computes the first part.
    outputs
        ``.npy`` to write: what the network's last node computes, float64.
    retries
        How often a frame is sent again when its answer does not come whole.

    Raises
    ------
    DataError
        If the frames have the wrong shape or range.
    TransportError
        If the port cannot be used, or the board does not answer or runs another build.
    StorageError
        If `build` is no build folder, or `outputs` cannot be written.
    OptionError
        If `retries` is negative.
    """
    if retries < 0:
        raise OptionError("--retries", f"is {retries}", "Give 0 or more")
    whole = load_build(build)
    design = read_design(build)
    graph = whole.graph
    codes = whole.codes(load_frames(inputs), str(inputs))
    frames = np.split(pack(codes, graph.streams[graph.input]), len(codes))
    with _connected(whole, design, port, retries) as device:
        results = [device.infer(frame) for frame in track(frames, f"infer: {port}")]
    beats = np.concatenate([result.beats for result in results])
    codes = unpack(beats, graph.streams[graph.output])
    save_outputs(outputs, whole.outputs(codes))
    cycles = [result.cycles for result in results]
    return InferReport(
        outputs=outputs,
        frames=len(frames),
        port=port,
        build_id=device.info.build_id,
        protocol=device.info.version,
        fewest_cycles=min(cycles),
        most_cycles=max(cycles),
        **asdict(device.faults),
    )


@contextmanager
def _connected(
    build: Build, design: Design, port: str, retries: int
) -> Iterator[Device]:
    """Open the port of a board, or begin to simulate one."""
    baud = design.baud
    bits = 10 * (design.info.in_bytes + design.info.out_bytes)
    clocks = bits * design.mhz * 1e6 / baud + simulate(build.graph, frames=1).latency
    with ExitStack() as stack:
        per_second = design.mhz * 1e6
        if port == SIMULATED:
            # Only this needs a C++ compiler.
            from hwgq.compile.simulated_board import simulated_board

            with step("infer: compile the simulated board"):
                port = stack.enter_context(simulated_board(build.folder)).port
            per_second = _LEAST_SIMULATED
        transport = stack.enter_context(closing(SerialPort(port, baud)))
        timeout = _PATIENCE + clocks / per_second
        yield Device(transport, design.info, timeout=timeout, retries=retries)
