// SPDX-License-Identifier: Apache-2.0
//
// An MVAU with free inputs and any weights, for its proof: yosys' commands cannot set the
// names of the memory images.
module hwgq_mvau_proof #(
    parameter int unsigned MW = 4,
    parameter int unsigned MH = 2,
    parameter int unsigned PE = 2,
    parameter int unsigned SIMD = 4,
    parameter int unsigned WEIGHT_BITS = 1
) (
    input  logic                 clk_i,
    input  logic                 rst_i,
    input  logic [2*SIMD-1:0]    in_data_i,
    input  logic                 in_valid_i,
    output logic                 in_ready_o,
    output logic [2*PE-1:0]      out_data_o,
    output logic                 out_valid_o,
    input  logic                 out_ready_i
);
  hwgq_mvau #(
      .MW(MW),
      .MH(MH),
      .PE(PE),
      .SIMD(SIMD),
      .WEIGHT_BITS(WEIGHT_BITS),
      .ACC_BITS(7),
      .WEIGHT_FILE("zeros.hex"),
      .PARAM_FILE("zeros.hex")
  ) u_mvau (
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
