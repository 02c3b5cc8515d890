// SPDX-License-Identifier: Apache-2.0
// All of a design that does not depend on the device: reset, shell and core.
//
// It stands between the family's PLL and the pads, and is what a simulation of the whole
// board drives, with a clock of its own.
module hwgq_system #(
    parameter int unsigned CLKS_PER_BIT = 8,  // cycles of clk_i per bit on the wire
    parameter int unsigned IN_BEATS = 1,      // transfers of a frame into the core
    parameter int unsigned IN_WIDTH = 1,      // bits of one of them
    parameter int unsigned OUT_BEATS = 1,     // transfers of a frame out of the core
    parameter int unsigned OUT_WIDTH = 1,     // bits of one of them
    parameter BUILD_ID_FILE = ""              // memory image of the build's identity
) (
    input  logic clk_i,
    input  logic locked_i,  // asynchronous: clk_i is steady
    input  logic rx_i,      // asynchronous
    output logic tx_o
);

  logic rst;
  logic [IN_WIDTH-1:0] in_data;
  logic [OUT_WIDTH-1:0] out_data;
  logic in_valid, in_ready, out_valid, out_ready;

  hwgq_reset u_reset (
      .clk_i,
      .locked_i,
      .rst_o(rst)
  );

  hwgq_uart_shell #(
      .CLKS_PER_BIT(CLKS_PER_BIT),
      .IN_BEATS(IN_BEATS),
      .IN_WIDTH(IN_WIDTH),
      .OUT_BEATS(OUT_BEATS),
      .OUT_WIDTH(OUT_WIDTH),
      .BUILD_ID_FILE(BUILD_ID_FILE)
  ) u_shell (
      .clk_i,
      .rst_i(rst),
      .rx_i,
      .tx_o,
      .core_in_data_o(in_data),
      .core_in_valid_o(in_valid),
      .core_in_ready_i(in_ready),
      .core_out_data_i(out_data),
      .core_out_valid_i(out_valid),
      .core_out_ready_o(out_ready)
  );

  hwgq_core u_core (
      .clk_i,
      .rst_i(rst),
      .in_data_i(in_data),
      .in_valid_i(in_valid),
      .in_ready_o(in_ready),
      .out_data_o(out_data),
      .out_valid_o(out_valid),
      .out_ready_i(out_ready)
  );

endmodule
