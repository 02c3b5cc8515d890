# SPDX-License-Identifier: Apache-2.0
"""The adder tree gives the sum of a beat's numbers, a register a level later."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import build_simulator
from hwgq.hw_templates import source

# The valid bit goes along through as many registers as the tree has levels.
BENCH = """
module bench #(
  parameter int unsigned N = 2, BITS = 1
) (
  input logic clk_i, rst_i,
  input logic [N*BITS-1:0] in_data_i, input logic in_valid_i, output logic in_ready_o,
  output logic [BITS+$clog2(N)-1:0] out_data_o,
  output logic out_valid_o, input logic out_ready_i
);
  logic [$clog2(N):0] valid;
  logic [$clog2(N):1] valid_q;
  assign valid = {valid_q, in_valid_i};
  always_ff @(posedge clk_i) valid_q <= rst_i ? '0 : valid[$clog2(N)-1:0];
  assign in_ready_o = 1'b1;
  assign out_valid_o = valid[$clog2(N)];
  hwgq_adder_tree #(.N(N), .BITS(BITS)) u_tree (
    .clk_i, .data_i(in_data_i), .sum_o(out_data_o)
  );
endmodule
"""


@pytest.mark.parametrize(("numbers", "bits"), [(2, 1), (3, 2), (5, 8), (16, 5)])
def test_adder_tree(numbers: int, bits: int, tmp_path: Path) -> None:
    (tmp_path / "bench.sv").write_text(BENCH)
    levels = (numbers - 1).bit_length()
    simulator = build_simulator(
        [source("hwgq_adder_tree"), tmp_path / "bench.sv"],
        "bench",
        SimPorts(numbers * bits, bits + levels),
        parameters={"N": numbers, "BITS": bits},
    )
    data = np.random.default_rng(numbers).integers(0, 2**bits, (100, numbers))
    data[0], data[1] = 0, 2**bits - 1
    wires = (data[..., None] >> np.arange(bits) & 1).astype(np.uint8)
    beats = np.packbits(wires.reshape(100, -1), axis=1, bitorder="little")
    run = simulator.run(beats, outputs=100, cwd=tmp_path)
    assert run.first_output_cycle == levels
    sums = run.outputs.astype(np.int64) @ 256 ** np.arange(run.outputs.shape[1])
    np.testing.assert_array_equal(sums, data.sum(axis=1))
