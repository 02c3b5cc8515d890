# SPDX-License-Identifier: Apache-2.0
"""The UART shell, through its two pins, answers as its model in Python does."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.boards.protocol import (
    ANSWER_OVERHEAD,
    Decoder,
    Info,
    Kind,
    encode_infer,
    encode_request,
)
from hwgq.boards.runtime import Device
from hwgq.compile.gate_level import build_bench, exchange
from hwgq.compile.verilator import Simulator
from hwgq.hw_templates import sources
from tests.boards.shell_model import ShellModel

CLOCKS_PER_BIT = 5
TIMEOUT_BITS = 64
SILENCE = 2 * CLOCKS_PER_BIT * TIMEOUT_BITS
# The core cuts 12 bits into three times 4, lowest first.
INFO = Info(
    build_id="fedcba9876543210", in_beats=4, in_width=12, out_beats=12, out_width=4
)
TOP = f"""\
module hwgq_board_top (input logic osc_i, rx_i, output logic tx_o);
  logic rst, in_valid, in_ready, out_valid, out_ready;
  logic [11:0] in_data;
  logic [3:0] out_data;
  hwgq_reset u_reset (.clk_i(osc_i), .locked_i(1'b1), .rst_o(rst));
  hwgq_uart_shell #(
      .CLKS_PER_BIT({CLOCKS_PER_BIT}), .TIMEOUT_BITS({TIMEOUT_BITS}),
      .IN_BEATS(4), .IN_WIDTH(12), .OUT_BEATS(12), .OUT_WIDTH(4),
      .BUILD_ID_FILE("id.hex")
  ) u_shell (
      .clk_i(osc_i), .rst_i(rst), .rx_i, .tx_o,
      .core_in_data_o(in_data), .core_in_valid_o(in_valid), .core_in_ready_i(in_ready),
      .core_out_data_i(out_data), .core_out_valid_i(out_valid),
      .core_out_ready_o(out_ready)
  );
  hwgq_width_converter #(.N_IN(12), .N_OUT(4)) u_core (
      .clk_i(osc_i), .rst_i(rst),
      .in_data_i(in_data), .in_valid_i(in_valid), .in_ready_o(in_ready),
      .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i(out_ready)
  );
endmodule
"""


def core(payload: bytes) -> bytes:
    beats = np.frombuffer(payload, "<u2")
    return bytes((int(beat) >> shift) & 15 for beat in beats for shift in (0, 4, 8))


def frame(seed: int) -> np.ndarray:
    beats = np.random.default_rng(seed).integers(0, 1 << 12, 4).astype("<u2")
    return beats.view(np.uint8).reshape(4, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    (folder / "hwgq_board_top.sv").write_text(TOP)
    (folder / "id.hex").write_text(INFO.memory_image())
    return folder


@pytest.fixture(scope="module")
def bench(folder: Path) -> Simulator:
    files = [*sources(), folder / "hwgq_board_top.sv"]
    return build_bench(files, clocks_per_bit=CLOCKS_PER_BIT)


def corrupt(request: bytes, place: int) -> bytes:
    return request[:place] + bytes([request[place] ^ 4]) + request[place + 1 :]


SYNCS = np.array([[0xA5, 0x05]] * 4, np.uint8)
INFER = encode_infer(3, frame(3))
REQUESTS = {
    "info": [encode_request(Kind.INFO, 7)],
    "frames": [encode_infer(i, frame(i)) for i in range(5)],
    "damaged payload": [corrupt(INFER, 4), INFER],
    "damaged sequence number": [corrupt(INFER, 2), INFER],
    "damaged CRC": [corrupt(INFER, len(INFER) - 1), INFER],
    "unknown command": [encode_request(0x55, 9), INFER],
    "damaged command": [corrupt(INFER, 1), INFER],
    "noise": [b"\x00\xff\x12", INFER],
    "unfinished": [INFER[:6], INFER, INFER[:1], encode_request(Kind.INFO, 1)],
    "sync bytes": [encode_infer(0xA5, SYNCS)],
}


@pytest.mark.parametrize("requests", REQUESTS.values(), ids=list(REQUESTS))
def test_the_shell_answers_as_its_model(
    requests: list[bytes], bench: Simulator, folder: Path
) -> None:
    model = ShellModel(INFO, core)
    expected = []
    for request in requests:
        model.write(request)
        expected += Decoder(12).feed(model.read(1000, 0))
        model.read(1000, 0)
    size = sum(ANSWER_OVERHEAD + len(answer.body) for answer in expected)
    said = exchange(bench, requests, answer_bytes=size, silence=SILENCE, cwd=folder)
    answers = Decoder(12).feed(said.outputs.tobytes())
    assert [(a.kind, a.sequence, a.body) for a in answers] == [
        (a.kind, a.sequence, a.body) for a in expected
    ]
    # One byte a cycle comes out of the memory, 3 beats a beat out of the core.
    cycles = {answer.cycles for answer in answers if answer.kind is Kind.INFER}
    assert all(12 < count < 18 for count in cycles)


class Pins:
    """A transport to the simulated board: every read runs all that was written."""

    def __init__(self, bench: Simulator, folder: Path) -> None:
        self.bench, self.folder = bench, folder
        self.requests: list[bytes] = []
        self.taken = 0

    def write(self, data: bytes) -> None:
        self.requests.append(data)

    def read(self, size: int, timeout: float) -> bytes:
        sizes = [
            ANSWER_OVERHEAD + (17 if request[1] == Kind.INFO else 12)
            for request in self.requests
        ]
        said = exchange(
            self.bench,
            self.requests,
            answer_bytes=sum(sizes),
            silence=SILENCE,
            cwd=self.folder,
        ).outputs.tobytes()
        new, self.taken = said[self.taken :], len(said)
        return new


def test_the_host_runs_frames_on_the_simulated_board(
    bench: Simulator, folder: Path
) -> None:
    device = Device(Pins(bench, folder), INFO, timeout=60)
    assert device.info == INFO
    for seed in range(3):
        assert device.infer(frame(seed)).beats.tobytes() == core(frame(seed).tobytes())
