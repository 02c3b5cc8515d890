# SPDX-License-Identifier: Apache-2.0
"""Run frames through the generated RTL and read every stream back as codes."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from hwgq import hw_templates
from hwgq.compile.beats import pack, unpack
from hwgq.compile.boundary import Thresholded, isolate
from hwgq.compile.graph import Fifo, Graph, IntArray
from hwgq.compile.netlist import core_map, core_text
from hwgq.compile.sim_wrapper import SimPorts, Tap
from hwgq.compile.verilator import Queue, Simulator, Stalls, build_simulator
from hwgq.compile.verilator_run import Cycles, Run, Trace
from hwgq.compile.waveform import waveform
from hwgq.errors import StorageError


class Watch(Enum):
    """What a simulation looks at beside what goes in and comes out."""

    ENDS = "nothing"
    TRAFFIC = "beats and stalls of every stream, and what every FIFO holds, are counted"
    BEATS = "every beat of every stream is read, too"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What the RTL gave.

    Parameters
    ----------
    codes
        Codes of the output, and of every stream that is read, by name; shape
        (frames, *stream shape).
    cycles
        Clock cycle of every beat of the output, and of every stream that is read if
        asked for, by name.
    run
        Cycles, stalls, the traffic on every stream and what FIFOs held. Its streams are
        ``sN``, N as in :func:`hwgq.compile.netlist.core_map`; its queues are layers.
    """

    codes: Mapping[str, IntArray]
    cycles: Mapping[str, Cycles]
    run: Run

    def interval(self, graph: Graph) -> float:
        """Measure the cycles from a frame to the next, at the output.

        The first frames, which find an empty pipeline, are left out; at least two
        frames are needed.
        """
        beats = graph.streams[graph.output].beats
        ends = self.run.output_cycles[beats - 1 :: beats]
        settled = ends[(len(ends) - 1) // 2 :]
        return float(settled[-1] - settled[0]) / (len(settled) - 1)


def simulate_rtl(
    graph: Graph,
    rtl: Path,
    codes: IntArray,
    *,
    stalls: Stalls | None = None,
    watch: Watch = Watch.BEATS,
    timed: bool = False,
    trace: Trace | None = None,
    optimize: bool = True,
    counted: bool = False,
) -> Simulation:
    """Run frames through the RTL of a graph.

    Parameters
    ----------
    graph
        The graph after all passes.
    rtl
        Folder that :func:`hwgq.compile.netlist.write_rtl` wrote of it.
    codes
        Codes of the input stream, shape (frames, *input shape).
    stalls
        Random pauses at both ends.
    watch
        What to look at beside the ends. Counting costs little, reading a lot.
    timed
        Whether to note the cycle of every beat that is read.
    trace
        FST file to write.
    optimize
        Whether to compile for speed; a few thousand cycles are sooner over without.
    counted
        Whether dot products count bits instead of adding them up by a tree: the same
        cycles and sums, some times as fast. See :func:`hwgq.hw_templates.counted`.

    Raises
    ------
    SimulationError
        If the design stops moving, of which the trace is written all the same, or a
        memory image is missing.
    ToolNotFoundError, ToolFailedError
        If the design cannot be compiled.
    StorageError
        If `rtl` is not the folder of a build, or the trace cannot be written.
    """
    result = graph.streams[graph.output]
    numbers = core_map(graph)
    read = numbers if watch is Watch.BEATS else {}
    fifos = [n for n in graph.layers if isinstance(n, Fifo) and watch is not Watch.ENDS]
    simulator = core_simulator(
        graph,
        rtl,
        watch=watch,
        trace=trace is not None,
        optimize=optimize,
        counted=counted,
    )
    with ExitStack() as stack:
        if trace is not None:
            vcd = stack.enter_context(waveform(trace.path, numbers))
            trace = replace(trace, path=vcd)
        run = simulator.run(
            pack(codes, graph.streams[graph.input]),
            outputs=len(codes) * result.beats,
            cwd=rtl,
            tapped={
                f"s{number}": len(codes) * graph.streams[name].beats
                for name, number in read.items()
            },
            queues=[
                Queue(n.name, f"s{numbers[n.inputs[0]]}", f"s{numbers[n.outputs[0]]}")
                for n in fifos
            ],
            stalls=stalls,
            trace=trace,
            timed=timed,
        )
    tapped = {
        name: unpack(run.taps[f"s{number}"], graph.streams[name])
        for name, number in read.items()
    }
    cycles = {n: run.tap_cycles[f"s{i}"] for n, i in read.items() if timed}
    return Simulation(
        codes={**tapped, graph.output: unpack(run.outputs, result)},
        cycles={**cycles, graph.output: run.output_cycles},
        run=run,
    )


def core_simulator(
    graph: Graph,
    rtl: Path,
    *,
    watch: Watch,
    trace: bool,
    optimize: bool = True,
    counted: bool = False,
) -> Simulator:
    """Compile the core of a build, or find it in the cache.

    The parameters are those of :func:`simulate_rtl`.
    """
    entry, result = graph.streams[graph.input], graph.streams[graph.output]
    read = watch is Watch.BEATS
    streams = [
        Tap.of(f"s{number}", f"s{number}", graph.streams[name].width if read else 0)
        for name, number in core_map(graph).items()
    ]
    files = sources(rtl)
    return build_simulator(
        hw_templates.counted(files) if counted else files,
        "hwgq_core",
        SimPorts(entry.width, result.width),
        streams if watch is not Watch.ENDS else (),
        trace=trace,
        optimize=optimize,
    )


def write_isolated_rtl(
    graph: Graph, layer: Thresholded, rtl: Path, folder: Path
) -> Graph:
    """Write one layer of a build as a core of its own.

    The modules and the memory images are those in `rtl`, faults and all.

    Parameters
    ----------
    graph
        The graph after all passes.
    layer
        The layer.
    rtl
        Folder that :func:`hwgq.compile.netlist.write_rtl` wrote of the graph.
    folder
        An empty folder.

    Returns
    -------
    Graph
        The graph of that layer alone.
    """
    alone = isolate(graph, layer)
    number = graph.layers.index(layer)
    for source in sources(rtl):
        shutil.copy(source, folder)
    for kind in "wp":
        if (image := rtl / f"{kind}{number}.hex").exists():
            shutil.copy(image, folder / f"{kind}0.hex")
    shutil.copy(rtl / "files.txt", folder)
    (folder / "hwgq_core.sv").write_text(core_text(alone))
    return alone


def sources(rtl: Path) -> list[Path]:
    """List the sources that `files.txt` names.

    Raises
    ------
    StorageError
        If `rtl` is not the folder of a build.
    """
    try:
        names = (rtl / "files.txt").read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"is no folder of generated RTL ({error})"
        raise StorageError(rtl, problem, "Compile the network first") from error
    for name in names:
        if Path(name).name != name or not (rtl / name).is_file():
            problem = f"lacks the source {name[:80]!r}"
            raise StorageError(rtl, problem, "Compile the network again")
    return [rtl / name for name in names]
