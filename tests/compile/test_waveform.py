# SPDX-License-Identifier: Apache-2.0
"""A waveform is what was simulated, and shows streams by the network's names."""

import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from hwgq.compile.beats import pack
from hwgq.compile.graph import Graph
from hwgq.compile.netlist import core_map, write_rtl
from hwgq.compile.simulate_rtl import Simulation, Watch, core_simulator, simulate_rtl
from hwgq.compile.verilator import Stalls
from hwgq.compile.verilator_run import Trace
from hwgq.compile.waveform import scope_names, waveform, write_fst
from hwgq.errors import DeadlockError, SimulationError, StorageError
from tests.compile.fst import Wave, beats, read
from tests.compile.graphs import placed, random_codes, random_mlp

FRAMES = 12
NAMES = ("an image [0]", "漢/字 ß", "an_image__0_", "")
SCOPES = ("an_image__0_", "漢_字_ß", "an_image__0__2", "_")


class Traced(NamedTuple):
    """A simulation, and its VCD."""

    graph: Graph
    rtl: Path
    simulation: Simulation
    vcd: Path

    @property
    def streams(self) -> dict[str, int]:
        """Numbers of the streams, which have names of our own here."""
        return dict(zip(NAMES, core_map(self.graph).values(), strict=True))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    graph = placed(random_mlp(3, (16, 8, 4)), [(2, 4), (1, 8)])
    rtl = tmp_path_factory.mktemp("rtl")
    write_rtl(graph, rtl)
    codes, fst = random_codes(graph, FRAMES), rtl / "wave.fst"
    simulation = simulate_rtl(
        graph,
        rtl,
        codes,
        stalls=Stalls(1),
        timed=True,
        trace=Trace(path=fst),
        optimize=False,
    )
    simulator = core_simulator(
        graph, rtl, watch=Watch.BEATS, trace=True, optimize=False
    )
    simulator.run(
        pack(codes, graph.streams[graph.input]),
        outputs=len(simulation.run.outputs),
        cwd=rtl,
        stalls=Stalls(1),
        trace=Trace(path=rtl / "wave.vcd"),
    )
    return Traced(graph, rtl, simulation, rtl / "wave.vcd")


@pytest.fixture(scope="module")
def wave(traced: Traced) -> Wave:
    fst = traced.rtl / "named.fst"
    write_fst(traced.vcd, fst, traced.streams)
    return read(fst)


def test_streams_have_scopes_of_the_networks_names(wave: Wave) -> None:
    below = "TOP.streams."
    found = [scope for scope in wave.scopes if scope.startswith(below)]
    assert found == [below + scope for scope in SCOPES]
    for scope in found:
        for end in ("data", "valid", "ready"):
            assert wave.changes[f"{scope}.{end}"]
    hardware = wave.changes["TOP.hwgq_sim.u_top.s1_data"]
    assert wave.changes[f"{below}{SCOPES[1]}.data"] == hardware


def test_every_change_is_copied(wave: Wave, traced: Traced) -> None:
    text = traced.vcd.read_text()
    assert wave.count == len(re.findall(r"^[01b]", text, re.M))
    declared = len(re.findall(r"^ *\$var", text, re.M))
    assert len(wave.changes) == declared + 3 * len(SCOPES)
    assert wave.changes["TOP.clk_i"] == [
        (time, str(time % 2)) for time in range(2 * traced.simulation.run.cycles)
    ]


def test_beats_are_those_of_the_streams(wave: Wave, traced: Traced) -> None:
    for scope, name in zip(SCOPES, core_map(traced.graph), strict=True):
        stream, simulation = traced.graph.streams[name], traced.simulation
        packed = pack(simulation.codes[name], stream)
        data = [int.from_bytes(row, "little") for row in packed]
        cycles = simulation.cycles[name].tolist()
        assert len(data) == FRAMES * stream.beats
        assert list(beats(wave, scope)) == list(zip(cycles, data, strict=True))


def test_a_window_shows_the_same(traced: Traced, tmp_path: Path) -> None:
    cycle = int(traced.simulation.run.output_cycles[5])
    path = tmp_path / "new" / "window.fst"
    simulate_rtl(
        traced.graph,
        traced.rtl,
        random_codes(traced.graph, FRAMES),
        stalls=Stalls(1),
        trace=Trace(path=path, first=cycle - 1, last=cycle),
        optimize=False,
    )
    assert [p.name for p in path.parent.iterdir()] == ["window.fst"]
    name = traced.graph.output
    window, last = read(path), scope_names([name])[name]
    assert window.changes["TOP.clk_i"] == [
        (time, str(time % 2)) for time in range(2 * cycle - 2, 2 * cycle + 2)
    ]
    (row,) = pack(traced.simulation.codes[name], traced.graph.streams[name])[5:6]
    assert (cycle, int.from_bytes(row, "little")) in beats(window, last)


def test_names_that_would_be_equal_are_numbered() -> None:
    names = ["a b", "a/b", "a_b", "", "a_b_2", 100 * "x", 100 * "x" + "y"]
    scopes = list(scope_names(names).values())
    assert scopes[:5] == ["a_b", "a_b_2", "a_b_3", "_", "a_b_2_2"]
    assert scopes[5:] == [80 * "x", 80 * "x" + "_2"]


def test_a_deadlock_leaves_its_waveform(traced: Traced, tmp_path: Path) -> None:
    with (
        pytest.raises(DeadlockError, match="stopped"),
        waveform(tmp_path / "wave.fst", traced.streams) as vcd,
    ):
        shutil.copy(traced.vcd, vcd)
        raise DeadlockError("top", "stopped", "Look", cycle=1, beats=0)
    assert [path.name for path in tmp_path.iterdir()] == ["wave.fst"]
    assert read(tmp_path / "wave.fst").count


def test_another_error_leaves_none(traced: Traced, tmp_path: Path) -> None:
    with (
        pytest.raises(SimulationError, match="no image"),
        waveform(tmp_path / "wave.fst", traced.streams) as vcd,
    ):
        shutil.copy(traced.vcd, vcd)
        raise SimulationError("top", "has no image", "Look")
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let no file of this process grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_told(traced: Traced, tmp_path: Path) -> None:
    with (
        pytest.raises(
            StorageError, match=r"wave\.fst: cannot .*whole.*Free some space"
        ),
        waveform(tmp_path / "wave.fst", traced.streams) as vcd,
    ):
        vcd.symlink_to(traced.vcd)
    assert not [*tmp_path.iterdir()]
