# SPDX-License-Identifier: Apache-2.0
"""What `verify` leaves of a mismatch shows it again, by the command that it names."""

import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwgq.cli
from hwgq.compile import schedule
from hwgq.compile.beats import beat_bytes, pack, unpack
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import Graph
from hwgq.compile.netlist import core_map
from hwgq.compile.simulate_rtl import Simulation, simulate_rtl
from hwgq.storage import read_json
from tests.compile.fst import beats, read
from tests.end_to_end.command import run

VERIFY = sys.modules["hwgq.compile.verify"]  # the package has a function so named
Report = dict[str, Any]


def verify(build: Path, *options: str) -> tuple[str, Report]:
    """Expect `verify` to refuse a build; give its message and the report it leaves."""
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(["verify", str(build), *options])
    message, folder = str(left.value.code), build / "mismatch"
    assert f"; {folder} holds what shows it." in message
    report = read_json(folder / "report.json")
    assert {path.name for path in folder.iterdir()} == {*report["files"], "report.json"}
    assert len(np.load(folder / "input.npy")) == report["frames"]
    hidden = {path.name for path in build.iterdir() if path.name.startswith(".")}
    assert hidden <= {".lock", ".stages"}
    return message, report


def flip(build: Path, image: str) -> None:
    """Flip the lowest bit of a memory image."""
    path = build / "rtl" / image
    word, *rest = path.read_text().split()
    flipped = f"{int(word, 16) ^ 1:0{len(word)}x}"
    path.write_text("\n".join([flipped, *rest]) + "\n")


def rewire(build: Path, wires: dict[str, str], logic: str) -> None:
    """Exchange connections in the core, and add logic to it."""
    path = build / "rtl" / "hwgq_core.sv"
    text = path.read_text()
    for old, new in {**wires, "endmodule\n": f"{logic}\nendmodule\n"}.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path.write_text(text)


def hold_shown(build: Path, report: Report) -> None:
    """Expect `input.npy` to show a mismatch again, and the trace its beat."""
    again, graph = report["again"], load_build(build).graph
    run(*shlex.split(report["command"])[1:])
    folder = build / "mismatch"
    inputs, outputs = folder / "input.npy", build.parent / "right.npy"
    run("simulate", build, "--inputs", inputs, "--outputs", outputs)
    assert np.any(np.load(folder / "output.npy") != np.load(outputs))
    stream = graph.streams[again["layer"]]
    element = again["index"][0]
    codes = emulate(graph, load_build(build).codes(np.load(inputs), "x"))[stream.name]
    right = codes.reshape(len(codes), -1)[again["frame"], element]
    assert right == again["expected"]
    for trace in ("trace.fst", "whole.fst"):
        moved = dict(beats(read(folder / trace), stream.name))
        row = moved[report["cycle"]].to_bytes(len(pack(codes, stream)[0]), "little")
        (beat,) = unpack(np.frombuffer(row, np.uint8)[None], stream)
        assert beat.flat[element] == again["got"]
    assert report["time"] == 2 * report["cycle"]


@pytest.mark.parametrize("image", ["w1.hex", "p1.hex"])
def test_one_frame_shows_a_wrong_bit(image: str, build: Path) -> None:
    flip(build, image)
    message, report = verify(build)
    assert report["rung"] == "rtl"
    found = report["found"]
    where = f"rtl, levels1, frame and index ({found['frame']}, 0): expected"
    assert message.startswith(f"{where} {found['expected']}, got {found['got']}.")
    assert (report["first_frame"], report["frames"]) == (found["frame"], 1)
    assert report["again"] == {**found, "frame": 0}
    assert report["input_of"] == "the network"
    hold_shown(build, report)
    flip(build, image)
    run("verify", build)
    assert not (build / "mismatch").exists()


def test_pauses_are_made_again(
    build: Path, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def simulated(graph: Graph, rtl: Path, *given: Any, **options: Any) -> Simulation:
        right = compiled / "rtl"
        return simulate_rtl(
            graph, rtl if "stalls" in options else right, *given, **options
        )

    flip(build, "w1.hex")
    monkeypatch.setattr(VERIFY, "simulate_rtl", simulated)
    _, report = verify(build)
    assert report["rung"] == "rtl, stalled"
    assert report["command"].endswith("--stalls 1")
    hold_shown(build, report)


def test_two_frames_show_a_state_that_is_not_cleared(build: Path) -> None:
    logic = """
  logic dirty_q;
  always_ff @(posedge clk_i) dirty_q <= !rst_i && (dirty_q || s1_valid && s1_ready);"""
    rewire(build, {".in_data_i(s1_data)": ".in_data_i(s1_data ^ dirty_q)"}, logic)
    (build / "mismatch").mkdir()
    (build / "mismatch" / "old").touch()
    _, report = verify(build)
    assert report["found"]["layer"] == "levels1"
    assert report["frames"] == 2
    assert report["first_frame"] == report["found"]["frame"] - 1
    assert report["again"] == {**report["found"], "frame": 1}
    hold_shown(build, report)


def test_a_deadlock_is_shown(build: Path) -> None:
    # Two frames and a half: the third frame never ends.
    logic = """
  logic [2:0] beats_q;
  always_ff @(posedge clk_i)
    if (rst_i) beats_q <= 0;
    else if (in_valid_i && in_ready_o) beats_q <= beats_q + 1;"""
    wires = {
        "s0_valid = in_valid_i": "s0_valid = in_valid_i && beats_q < 5",
        "in_ready_o = s0_ready": "in_ready_o = s0_ready && beats_q < 5",
    }
    rewire(build, wires, logic)
    message, report = verify(build)
    assert message.startswith("hwgq_core: stopped at cycle")
    assert (report["rung"], report["found"], report["again"]) == ("rtl", None, None)
    assert (report["first_frame"], report["frames"]) == (0, 3)
    wave = read(build / "mismatch" / "trace.fst")
    streams = core_map(load_build(build).graph)
    moved = [cycle for stream in streams for cycle, _ in beats(wave, stream)]
    assert max(moved) == report["cycle"] - 1
    assert wave.changes["TOP.clk_i"][-1][0] // 2 == report["cycle"] + 20


def test_a_layer_alone_shows_what_its_boundary_frames_show(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(build, "p0.hex")
    monkeypatch.setattr(VERIFY, "_rtl", lambda *_: None)
    _, report = verify(build)
    assert report["rung"] == "boundary, rtl"
    assert report["input_of"] == "layer levels0 alone"
    assert report["command"] is None
    assert report["again"] == {**report["found"], "frame": 0}
    folder = build / "mismatch"
    assert np.load(folder / "input.npy").shape == (1, 16)
    wave, again = read(folder / "trace.fst"), report["again"]
    stream = load_build(build).graph.streams["levels0"]
    moved = dict(beats(wave, "levels0"))[report["cycle"]]
    row = np.frombuffer(moved.to_bytes(beat_bytes(stream), "little"), np.uint8)
    (codes,) = unpack(row[None], stream)
    assert codes[again["index"][0]] == again["got"] != again["expected"]


def test_a_frame_is_kept_of_software_that_is_wrong(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiled(*arguments: Any) -> dict[str, np.ndarray]:
        found = emulate(*arguments)
        found["levels0"][3, 2] ^= 1
        return found

    monkeypatch.setattr(VERIFY, "emulate", spoiled)
    _, report = verify(build, "--through", "emulate")
    assert report["rung"] == "emulation"
    assert (report["found"]["frame"], report["found"]["index"]) == (3, [2])
    assert (report["first_frame"], report["frames"]) == (3, 1)
    assert report["files"] == ["input.npy"]
    run(*shlex.split(report["command"])[1:])
    assert len(np.load(build / "mismatch" / "output.npy")) == 1


def test_all_frames_up_to_it_show_one_that_ends_too_late(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = schedule.simulate(load_build(build).graph, frames=6).ends

    class Early:
        def __init__(self, *_: object, **__: object) -> None:
            self.ends = (*ends[:4], ends[4] - 1, ends[5])

    monkeypatch.setattr(schedule, "simulate", Early)
    _, report = verify(build)
    assert report["found"] == {
        "layer": "last cycle of a frame",
        "frame": 4,
        "index": [0],
        "expected": ends[4] - 1,
        "got": ends[4],
    }
    assert (report["first_frame"], report["frames"]) == (0, 5)
    assert report["cycle"] == ends[4]
    wave = read(build / "mismatch" / "trace.fst")
    assert ends[4] in dict(beats(wave, load_build(build).graph.output))
