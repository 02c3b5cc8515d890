// SPDX-License-Identifier: Apache-2.0
//
// A pooling with free inputs, for its proof: yosys' commands cannot set the name of the
// memory image.
module hwgq_pool_proof #(
    parameter int unsigned PE = 2,
    parameter int unsigned TAPS = 4,
    parameter int unsigned SIMD = 1
) (
    input  logic                 clk_i,
    input  logic                 rst_i,
    input  logic [SIMD*PE*2-1:0] in_data_i,
    input  logic                 in_valid_i,
    output logic                 in_ready_o,
    output logic [     PE*2-1:0] out_data_o,
    output logic                 out_valid_o,
    input  logic                 out_ready_i
);
  hwgq_pool #(
      .CHANNELS(4),
      .PE(PE),
      .TAPS(TAPS),
      .SIMD(SIMD),
      .FLIP(1),
      .PARAM_FILE("zeros.hex")
  ) u_pool (
      .clk_i,
      .rst_i,
      .in_data_i,
      .in_valid_i,
      .in_ready_o,
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
