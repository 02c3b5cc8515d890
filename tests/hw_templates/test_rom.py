# SPDX-License-Identifier: Apache-2.0
"""The ROM gives the word of two cycles ago, whatever it is made of."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import build_simulator
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source
from tests.hw_templates.wires import from_planes, write_image

# Every address that comes in is answered: the valid bit goes along for two cycles.
BENCH = """
module bench #(
  parameter int unsigned WIDTH = 8, DEPTH = 2, ADDR = 1,
  parameter STYLE = ""
) (
  input logic clk_i, rst_i,
  input logic [ADDR-1:0] in_data_i, input logic in_valid_i, output logic in_ready_o,
  output logic [WIDTH-1:0] out_data_o, output logic out_valid_o, input logic out_ready_i
);
  logic [2:1] valid_q;
  always_ff @(posedge clk_i) valid_q <= rst_i ? '0 : {valid_q[1], in_valid_i};
  assign in_ready_o = 1'b1;
  assign out_valid_o = valid_q[2];
  hwgq_rom #(.WIDTH(WIDTH), .DEPTH(DEPTH), .FILE("image.hex"), .STYLE(STYLE)) u_rom (
    .clk_i, .addr_i(in_data_i), .data_o(out_data_o)
  );
endmodule
"""


@pytest.mark.parametrize("style", ["block", "lut"])
@pytest.mark.parametrize(("width", "depth"), [(1, 1), (12, 5), (300, 64), (7, 2500)])
def test_rom(style: str, width: int, depth: int, tmp_path: Path) -> None:
    (tmp_path / "bench.sv").write_text(BENCH)
    rng = np.random.default_rng(width)
    words = rng.integers(0, 2, (depth, width))
    write_image(tmp_path / "image.hex", words)
    address_bits = max(1, (depth - 1).bit_length())
    simulator = build_simulator(
        [source("hwgq_rom"), tmp_path / "bench.sv"],
        "bench",
        SimPorts(address_bits, width),
        parameters={
            **{"WIDTH": width, "DEPTH": depth, "ADDR": address_bits},
            "STYLE": style,
        },
    )
    addresses = rng.integers(0, depth, (200, 1)).astype("<u2")
    beats = addresses.view(np.uint8)[:, : -(-address_bits // 8)]
    run = simulator.run(beats, outputs=200, cwd=tmp_path)
    assert run.first_output_cycle == 2
    found = from_planes(run.outputs, width, 1)
    np.testing.assert_array_equal(found, words[addresses[:, 0]])


def test_unknown_style_stops_elaboration(tmp_path: Path) -> None:
    (tmp_path / "bench.sv").write_text(BENCH)
    sources = [source("hwgq_rom"), tmp_path / "bench.sv"]
    with pytest.raises(ToolFailedError, match="STYLE"):
        build_simulator(sources, "bench", SimPorts(1, 8), parameters={"STYLE": "brick"})
