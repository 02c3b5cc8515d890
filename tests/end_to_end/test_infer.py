# SPDX-License-Identifier: Apache-2.0
"""A whole board, simulated behind a pseudo-terminal, as the host sees it."""

import importlib
import random
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from hwgq.boards.design import read_design
from hwgq.boards.protocol import encode_infer
from hwgq.boards.runtime import Device
from hwgq.boards.serial_port import SerialPort
from hwgq.compile import compile_network, infer, simulate
from hwgq.compile.beats import pack, unpack
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.schedule import simulate as schedule
from hwgq.compile.simulated_board import simulated_board
from hwgq.errors import TransportError
from tests.end_to_end.command import FRAMES, refused, run
from tests.end_to_end.hand_made import make_network, save


@contextmanager
def plugged_in(build):
    """Run a board, and open its port; the baud rate means nothing to this one."""
    with (
        simulated_board(build) as board,
        closing(SerialPort(board.port, 1_000_000)) as port,
    ):
        yield board, port


class Wire:
    """A transport on which each byte may be flipped, lost or doubled on its way.

    `rate` is the chance of each of the three.
    """

    def __init__(self, transport, rate, seed):
        self.transport, self.rate = transport, rate
        self.chance = random.Random(seed)  # noqa: S311 (no secret)
        self.harmed = 0

    def write(self, data):
        self.transport.write(self.harm(data))

    def read(self, size, timeout):
        return self.harm(self.transport.read(size, timeout))

    def harm(self, data):
        return b"".join(map(self.arrive, data))

    def arrive(self, byte):
        kind = int(self.chance.random() / self.rate)
        self.harmed += kind < 3
        flipped = bytes([byte ^ 1 << self.chance.randrange(8)])
        return {0: flipped, 1: b"", 2: bytes([byte, byte])}.get(kind, bytes([byte]))


def beats_of(build, frames):
    """Give the beats of each frame, and the codes that the network makes of them."""
    graph = load_build(build).graph
    shape = graph.streams[graph.input].shape
    codes = np.random.default_rng(1).integers(0, 16, (frames, *shape))
    beats = np.split(pack(codes, graph.streams[graph.input]), frames)
    return beats, emulate(graph, codes)[graph.output], graph.streams[graph.output]


def test_one_code_runs_boards_of_both_families(
    compiled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is, an answer that comes late was not lost.
    module = importlib.import_module("hwgq.compile.infer")
    monkeypatch.setattr(module, "_PATIENCE", 60.0)
    network = save(make_network(), tmp_path / "hand_made.onnx")
    ulx3s = compile_network(network, "ulx3s-85f", out=tmp_path / "build")
    np.save(tmp_path / "x.npy", FRAMES)
    for build in (compiled, ulx3s):
        files = {"inputs": tmp_path / "x.npy", "outputs": tmp_path / "y.npy"}
        report = infer(build, port="sim", **files)
        found = np.load(tmp_path / "y.npy")
        simulate(build, engine="emulate", **files)
        np.testing.assert_array_equal(found, np.load(tmp_path / "y.npy"))
        assert report.build_id == read_design(build).info.build_id
        assert (report.damaged, report.unanswered, report.stale) == (0, 0, 0)
        # A byte a cycle comes to the core: no sooner than the schedule model says.
        graph = load_build(build).graph
        assert report.fewest_cycles == report.most_cycles
        assert report.most_cycles >= schedule(graph, frames=1).latency - 2


def test_a_thousand_frames_come_through_a_bad_wire(compiled: Path) -> None:
    frames, expected, stream = beats_of(compiled, 1000)
    with plugged_in(compiled) as (_, port):
        wire = Wire(port, rate=1e-3, seed=1)
        design = read_design(compiled)
        device = Device(wire, design.info, timeout=0.3, retries=10)
        results = [device.infer(frame).beats for frame in frames]
    found = unpack(np.concatenate(results), stream)
    np.testing.assert_array_equal(found, expected)
    assert wire.harmed > 100
    assert device.faults.damaged > 10
    assert device.faults.unanswered > 10


def test_a_reset_within_a_frame_is_survived(compiled: Path) -> None:
    (frame,), expected, stream = beats_of(compiled, 1)
    with plugged_in(compiled) as (board, port):
        device = Device(port, read_design(compiled).info)
        port.write(encode_infer(99, frame)[:-6])
        board.reset()
        found = unpack(device.infer(frame).beats, stream)
        np.testing.assert_array_equal(found, expected)
        port.write(encode_infer(99, frame)[:-6])  # what a killed host leaves behind
        found = unpack(device.infer(frame).beats, stream)
        np.testing.assert_array_equal(found, expected)
        assert device.faults.resent > 0


def test_an_unplugged_board_is_an_error(compiled: Path) -> None:
    (frame,), _, _ = beats_of(compiled, 1)
    with plugged_in(compiled) as (board, port):
        device = Device(port, read_design(compiled).info)
        board.unplug()
        with pytest.raises(TransportError, match=r"no whole answer|cannot be used"):
            device.infer(frame)


def test_a_board_with_another_build_is_refused(compiled: Path, tmp_path: Path) -> None:
    network = save(make_network(), tmp_path / "hand_made.onnx")
    other = compile_network(network, "icebreaker", out=tmp_path / "b", clock_mhz=24)
    info = read_design(other).info
    with (
        plugged_in(compiled) as (_, port),
        pytest.raises(TransportError, match=f"runs build .*, not {info.build_id}"),
    ):
        Device(port, info)


def test_the_command_names_a_port_that_is_not_there(build: Path) -> None:
    np.save(build.parent / "x.npy", FRAMES)
    files = ("--inputs", build.parent / "x.npy", "--outputs", build.parent / "y.npy")
    message = refused(build.parent, "infer", build, "--port", "/dev/nowhere", *files)
    assert "/dev/nowhere" in message
    assert "Name one of these ports" in message
    run("infer", build, "--port", "sim", *files)
    assert len(np.load(build.parent / "y.npy")) == len(FRAMES)
