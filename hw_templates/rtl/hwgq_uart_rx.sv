// SPDX-License-Identifier: Apache-2.0
//
// Serial receiver: 8 data bits, no parity, 1 stop bit; lowest bit first.
//
// A byte is on `data_o` in the one cycle in which `valid_o` is high; nothing can hold it
// back. Every bit is looked at once, in its middle. A start bit that is not low there is
// noise, a byte whose stop bit is not high is dropped.
module hwgq_uart_rx #(
    parameter int unsigned CLKS_PER_BIT = 8  // cycles of a bit, at least 4
) (
    input  logic       clk_i,
    input  logic       rst_i,
    input  logic       rx_i,     // asynchronous
    output logic [7:0] data_o,
    output logic       valid_o
);
  if (CLKS_PER_BIT < 4) begin : gen_bad_rate
    $error("CLKS_PER_BIT must be at least 4.");
  end

  localparam int unsigned ClockBits = $clog2(CLKS_PER_BIT);
  localparam logic [3:0] Start = 4'd10, Stop = 4'd1;

  logic [1:0] rx_q;
  logic [ClockBits-1:0] clocks_q;  // until the middle of the bit
  logic [3:0] left_q;              // bits to look at: 10 the start, 1 the stop, 0 none
  logic [7:0] data_q;
  logic valid_q;
  logic rx, sample;

  assign rx = rx_q[1];
  assign sample = left_q != '0 && clocks_q == '0;
  assign data_o = data_q;
  assign valid_o = valid_q;

  always_ff @(posedge clk_i) begin
    rx_q <= {rx_q[0], rx_i};
    valid_q <= !rst_i && sample && left_q == Stop && rx;
    if (sample && left_q != Stop) data_q <= {rx, data_q[7:1]};
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      left_q   <= '0;
      clocks_q <= '0;
    end else if (left_q == '0) begin
      if (!rx) left_q <= Start;
      clocks_q <= ClockBits'(CLKS_PER_BIT / 2 - 1);
    end else if (sample) begin
      left_q   <= left_q == Start && rx ? '0 : left_q - 1'b1;
      clocks_q <= ClockBits'(CLKS_PER_BIT - 1);
    end else begin
      clocks_q <= clocks_q - 1'b1;
    end
  end
endmodule
