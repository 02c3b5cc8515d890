# SPDX-License-Identifier: Apache-2.0
"""A wrong byte on the wire, either way, is put right or refused, and never believed."""

from contextlib import closing

import numpy as np
import pytest

from hwgq.boards.design import read_design
from hwgq.boards.protocol import ANSWER_OVERHEAD, INFO_BYTES, REQUEST_OVERHEAD
from hwgq.boards.runtime import Device
from hwgq.boards.serial_port import SerialPort
from hwgq.compile import compile_network
from hwgq.compile.beats import pack, unpack
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.simulated_board import simulated_board
from hwgq.errors import TransportError
from tests.end_to_end.hand_made import make_network, save

TIMES = 3
FRAMES = 3
WAYS = ("to the board", "from the board")


class Wire:
    """A transport that makes another byte of one byte, counted from the first."""

    def __init__(self, transport, way, place, mask):
        self.transport, self.way, self.place, self.mask = transport, way, place, mask
        self.passed = dict.fromkeys(WAYS, 0)

    def write(self, data):
        self.transport.write(self.carry("to the board", data))

    def read(self, size, timeout):
        return self.carry("from the board", self.transport.read(size, timeout))

    def carry(self, way, data):
        place = self.place - self.passed[way]
        self.passed[way] += len(data)
        if way != self.way or not 0 <= place < len(data):
            return data
        return data[:place] + bytes([data[place] ^ self.mask]) + data[place + 1 :]


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wire")
    network = save(make_network(), folder / "network.onnx")
    return compile_network(network, "icebreaker", out=folder / "build")


@pytest.fixture(scope="module")
def board(build):
    """Simulate the board, and open its port, which knows no baud rate."""
    with simulated_board(build) as board, closing(SerialPort(board.port, 1)) as port:
        yield read_design(build).info, load_build(build).graph, port


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_byte_is_put_right_or_refused(way, time, retries, board, rng):
    info, graph, port = board
    source, result = graph.streams[graph.input], graph.streams[graph.output]
    codes = rng.integers(0, 16, (FRAMES, *source.shape))
    overhead, first, each = {
        "to the board": (REQUEST_OVERHEAD, 0, info.in_bytes),
        "from the board": (ANSWER_OVERHEAD, INFO_BYTES, info.out_bytes),
    }[way]
    place = int(rng.integers((1 + FRAMES) * overhead + first + FRAMES * each))
    mask = int(rng.integers(1, 256))
    what = f"byte {place}, changed by {mask:#04x}"
    wire = Wire(port, way, place, mask)
    try:
        device = Device(wire, info, timeout=0.5, retries=retries)
        beats = [device.infer(f).beats for f in np.split(pack(codes, source), FRAMES)]
    except TransportError as error:
        assert not retries, what
        assert "gave no whole answer" in str(error), what
        Device(port, info, timeout=0.5)  # ends what the board still waits for
        return
    faults = device.faults
    assert retries, what
    assert faults.damaged + faults.unanswered + faults.stale > 0, what
    found = unpack(np.concatenate(beats), result)
    np.testing.assert_array_equal(found, emulate(graph, codes)[graph.output], what)
