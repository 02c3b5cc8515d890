// SPDX-License-Identifier: Apache-2.0
//
// A board's design, driven through its serial pins alone, with streams of bytes at both
// ends. The design is the module `hwgq_board_top`, as sources or as a netlist.
//
// In          Bits 7:0 are a byte for the board. Bits 31:8 are how many cycles of silence
//             on the line from the board must pass after it before the next byte; the
//             board answers to the last byte of a request, and hears nothing meanwhile.
// Out         The bytes from the board; they are lost if 16 wait.
module hwgq_uart_bench #(
    parameter int unsigned CLKS_PER_BIT = 8,    // as the design's own
    parameter int unsigned START_CLKS = 2048    // the design's time to come out of reset
) (
    input  logic        clk_i,
    input  logic        rst_i,
    input  logic [31:0] in_data_i,
    input  logic        in_valid_i,
    output logic        in_ready_o,
    output logic [ 7:0] out_data_o,
    output logic        out_valid_o,
    input  logic        out_ready_i
);
  logic [23:0] silence_q, left_q;
  logic to_board, from_board, tx_ready, rx_valid, unused_ready;
  logic [7:0] rx_data;

  assign in_ready_o = tx_ready && left_q == '0;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      silence_q <= 24'(START_CLKS);
      left_q <= 24'(START_CLKS);
    end else if (in_valid_i && in_ready_o) begin
      silence_q <= in_data_i[31:8];
      left_q <= in_data_i[31:8];
    end else if (!tx_ready || !from_board) begin
      left_q <= silence_q;
    end else if (left_q != '0) begin
      left_q <= left_q - 1'b1;
    end
  end

  hwgq_uart_tx #(
      .CLKS_PER_BIT(CLKS_PER_BIT)
  ) u_tx (
      .clk_i,
      .rst_i,
      .data_i (in_data_i[7:0]),
      .valid_i(in_valid_i && left_q == '0),
      .ready_o(tx_ready),
      .tx_o   (to_board)
  );

  hwgq_board_top u_board (
      .osc_i(clk_i),
      .rx_i (to_board),
      .tx_o (from_board)
  );

  hwgq_uart_rx #(
      .CLKS_PER_BIT(CLKS_PER_BIT)
  ) u_rx (
      .clk_i,
      .rst_i,
      .rx_i(from_board),
      .data_o(rx_data),
      .valid_o(rx_valid)
  );

  hwgq_fifo #(
      .WIDTH(8),
      .DEPTH(16)
  ) u_fifo (
      .clk_i,
      .rst_i,
      .in_data_i(rx_data),
      .in_valid_i(rx_valid),
      .in_ready_o(unused_ready),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
