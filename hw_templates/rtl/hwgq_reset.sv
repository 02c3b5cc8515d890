// SPDX-License-Identifier: Apache-2.0
// Reset of a board: held from power-up until the PLL has been locked for WAIT cycles.
//
// rst_o is active high and synchronous to clk_i. It starts high by the registers'
// power-up values, and comes back whenever the PLL loses its lock. WAIT also covers the
// first microseconds after configuration, in which an iCE40's block RAMs read as zero.
module hwgq_reset #(
    parameter int unsigned WAIT = 1024  // cycles, a power of two, at least 2
) (
    input  logic clk_i,
    input  logic locked_i,  // asynchronous
    output logic rst_o
);

  localparam int unsigned BITS = $clog2(WAIT) + 1;

  if (WAIT < 2 || WAIT != 1 << $clog2(WAIT)) begin : gen_bad_wait
    $error("WAIT (%0d) must be a power of two, at least 2.", WAIT);
  end

  logic [1:0] locked_q;
  logic [BITS-1:0] count_q;

  initial begin  // at power-up
    locked_q = '0;
    count_q  = '0;
  end

  always_ff @(posedge clk_i) begin
    locked_q <= {locked_q[0], locked_i};
    if (!locked_q[1]) count_q <= '0;
    else if (!count_q[BITS-1]) count_q <= count_q + 1'b1;
  end

  assign rst_o = !count_q[BITS-1];

endmodule
