// SPDX-License-Identifier: Apache-2.0
//
// Serial transmitter: 8 data bits, no parity, 1 stop bit; lowest bit first.
//
// A byte takes 10 * CLKS_PER_BIT cycles; one cycle more passes before the next.
module hwgq_uart_tx #(
    parameter int unsigned CLKS_PER_BIT = 8  // cycles of a bit
) (
    input  logic       clk_i,
    input  logic       rst_i,
    input  logic [7:0] data_i,
    input  logic       valid_i,
    output logic       ready_o,
    output logic       tx_o
);
  if (CLKS_PER_BIT < 2) begin : gen_bad_rate
    $error("CLKS_PER_BIT must be at least 2.");
  end

  localparam int unsigned ClockBits = $clog2(CLKS_PER_BIT);

  logic [ClockBits-1:0] clocks_q;  // of this bit to go
  logic [3:0] left_q;              // bits to go, this one included
  logic [8:0] bits_q;              // the lowest is on the line

  assign ready_o = left_q == '0;
  assign tx_o = bits_q[0];

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      left_q   <= '0;
      clocks_q <= '0;
      bits_q   <= '1;  // an idle line is high
    end else if (ready_o) begin
      if (valid_i) begin
        bits_q <= {data_i, 1'b0};
        left_q <= 4'd10;
      end
      clocks_q <= ClockBits'(CLKS_PER_BIT - 1);
    end else if (clocks_q == '0) begin
      bits_q   <= {1'b1, bits_q[8:1]};
      left_q   <= left_q - 1'b1;
      clocks_q <= ClockBits'(CLKS_PER_BIT - 1);
    end else begin
      clocks_q <= clocks_q - 1'b1;
    end
  end
endmodule
