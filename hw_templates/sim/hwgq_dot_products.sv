// SPDX-License-Identifier: Apache-2.0
//
// hwgq_dot_products as it simulates fastest: bits are counted at once, a word at a time,
// instead of by a tree of adders, and nothing is computed where nothing is valid.
//
// Ports, sums and cycles are those of the module that is synthesized; the tests of the
// MVAU and of the VVAU hold the two equal.
module hwgq_dot_products #(
    parameter int unsigned PE = 2,
    parameter int unsigned SIMD = 4,
    parameter int unsigned IN_BITS = 2,
    parameter int unsigned WEIGHT_BITS = 1,
    parameter int unsigned ACC_BITS = 5
) (
    input  logic                           clk_i,
    input  logic                           rst_i,
    input  logic                           valid_i,
    input  logic                           first_i,
    input  logic [    PE*SIMD*IN_BITS-1:0] codes_i,
    input  logic [WEIGHT_BITS*PE*SIMD-1:0] weights_i,
    output logic [        PE*ACC_BITS-1:0] accumulators_o
);
  localparam int unsigned Trees = IN_BITS + WEIGHT_BITS <= 4 ? 1 :
      WEIGHT_BITS < IN_BITS ? WEIGHT_BITS : IN_BITS;
  localparam int unsigned Depth = 1 + $clog2(SIMD) + $clog2(Trees);
  localparam int unsigned Top = WEIGHT_BITS - 1;
  localparam int unsigned SumBits = IN_BITS + Top + $clog2(SIMD) + 1;

  logic [Depth:0] valid, first;  // bit k: of the beat of k cycles ago
  logic [PE*SumBits-1:0] sums_q[Depth];  // sum k: of the beat of k + 1 cycles ago
  logic [PE*ACC_BITS-1:0] accumulators_q;

  function automatic logic [PE*SumBits-1:0] counted(
      input logic [PE*SIMD*IN_BITS-1:0] codes, input logic [WEIGHT_BITS*PE*SIMD-1:0] weights);
    logic [SIMD-1:0] code, weight;
    counted = '0;
    for (int unsigned p = 0; p < PE; p++) begin
      for (int unsigned k = 0; k < WEIGHT_BITS; k++) begin
        weight = weights[(k*PE+p)*SIMD+:SIMD];
        for (int unsigned b = 0; b < IN_BITS; b++) begin
          code = codes[(p*IN_BITS+b)*SIMD+:SIMD];
          if (WEIGHT_BITS == 1) code = code ^ ~weight;
          else code = (k == Top ? ~code : code) & weight;
          counted[p*SumBits+:SumBits] += SumBits'($countones(code)) << (b + k);
        end
      end
    end
  endfunction

  assign valid[0] = valid_i;
  assign first[0] = first_i;
  always_ff @(posedge clk_i) begin
    valid[Depth:1] <= rst_i ? '0 : valid[Depth-1:0];
    first[Depth:1] <= first[Depth-1:0];
    // A sum waits as long as it would be on its way through the adders.
    if (valid_i) sums_q[0] <= counted(codes_i, weights_i);
    if (valid != '0) begin
      for (int unsigned k = 1; k < Depth; k++) sums_q[k] <= sums_q[k-1];
    end
    if (valid[Depth]) begin
      for (int unsigned p = 0; p < PE; p++) begin
        accumulators_q[p*ACC_BITS+:ACC_BITS] <=
            (first[Depth] ? '0 : accumulators_q[p*ACC_BITS+:ACC_BITS]) +
            ACC_BITS'(sums_q[Depth-1][p*SumBits+:SumBits]);
      end
    end
  end
  assign accumulators_o = accumulators_q;
endmodule
