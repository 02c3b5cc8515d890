// SPDX-License-Identifier: Apache-2.0
//
// Dot products of PE rows of SIMD codes with weights, summed over the beats of a group.
//
// The sum of a row over its codes u and weights w is
//
//     WEIGHT_BITS = 1:  S = sum of (u XOR ~w on every bit),    w: 1 is +1, 0 is -1,
//     else              S = sum over the bits k of w of 2^k * (v AND bit k of w),
//
// with w in two's complement and v = u, but ~u (on every bit) under its top bit. S is
// unsigned: the dot product plus 2^IN_BITS - 1 for every -1 of the row, and
// 2^(WEIGHT_BITS-1) * (2^IN_BITS - 1) for every weight of several bits below 0.
//
// Latency     2 + $clog2(SIMD) + $clog2(Trees) cycles. It never stops. Trees is 1 if
//             IN_BITS + WEIGHT_BITS <= 4, else min(IN_BITS, WEIGHT_BITS).
// Streams     A beat counts where `valid_i`, and is the first of its group where
//             `first_i`, too. Row p's codes are at p*SIMD*IN_BITS, plane-major (bit b of
//             code s at b*SIMD + s); bit k of its weight s at (k*PE + p)*SIMD + s; its
//             sum, modulo 2^ACC_BITS, at p*ACC_BITS.
module hwgq_dot_products #(
    parameter int unsigned PE = 2,           // rows
    parameter int unsigned SIMD = 4,         // codes of a row in a beat
    parameter int unsigned IN_BITS = 2,      // bits of a code
    parameter int unsigned WEIGHT_BITS = 1,  // bits of a weight
    parameter int unsigned ACC_BITS = 5      // bits of a sum
) (
    input  logic                           clk_i,
    input  logic                           rst_i,
    input  logic                           valid_i,
    input  logic                           first_i,
    input  logic [    PE*SIMD*IN_BITS-1:0] codes_i,
    input  logic [WEIGHT_BITS*PE*SIMD-1:0] weights_i,
    output logic [        PE*ACC_BITS-1:0] accumulators_o
);
  if (IN_BITS < 1 || IN_BITS > 32) begin : gen_bad_in
    $error("IN_BITS (%0d) must be 1 to 32.", IN_BITS);
  end
  if (WEIGHT_BITS < 1 || WEIGHT_BITS > 16) begin : gen_bad_weight
    $error("WEIGHT_BITS (%0d) must be 1 to 16.", WEIGHT_BITS);
  end
  if (ACC_BITS < 1) begin : gen_bad_acc
    $error("ACC_BITS must be at least 1.");
  end

  // Where code and weight fit one LUT, a lane's term is their product. Else it is of some
  // bits of the weight: those IN_BITS apart, whose parts lie side by side without overlap.
  // Each such set of bits has a tree of adders.
  localparam bit Product = IN_BITS == 2 && WEIGHT_BITS == 2;
  localparam int unsigned Trees = IN_BITS + WEIGHT_BITS <= 4 ? 1 :
      WEIGHT_BITS < IN_BITS ? WEIGHT_BITS : IN_BITS;
  localparam int unsigned Top = WEIGHT_BITS - 1;
  localparam int unsigned SumBits = IN_BITS + Top + $clog2(SIMD);
  localparam int unsigned Depth = 1 + $clog2(SIMD) + $clog2(Trees);  // cycles to a sum

  // Bit k of the flags is of the beat of k cycles ago.
  logic [Depth:0] valid, first;
  assign valid[0] = valid_i;
  assign first[0] = first_i;
  always_ff @(posedge clk_i) begin
    valid[Depth:1] <= rst_i ? '0 : valid[Depth-1:0];
    first[Depth:1] <= first[Depth-1:0];
  end

  for (genvar p = 0; p < PE; p++) begin : gen_row
    logic [Trees*SumBits-1:0] sums;  // of tree r at r*SumBits, in its place
    logic [SumBits+$clog2(Trees)-1:0] sum;
    logic [ACC_BITS-1:0] accumulator_q;

    for (genvar r = 0; r < Trees; r++) begin : gen_tree
      localparam int unsigned Planes = (WEIGHT_BITS - r + IN_BITS - 1) / IN_BITS;
      localparam int unsigned TermBits = Product ? 3 : Planes * IN_BITS;
      logic [SIMD*TermBits-1:0] terms_q;  // one number a lane
      logic [TermBits+$clog2(SIMD)-1:0] tree_sum;

      for (genvar s = 0; s < SIMD; s++) begin : gen_lane
        logic [IN_BITS-1:0] code;
        logic [TermBits-1:0] term;
        for (genvar b = 0; b < IN_BITS; b++) begin : gen_code
          assign code[b] = codes_i[(p*IN_BITS+b)*SIMD+s];
        end

        if (WEIGHT_BITS == 1) begin : gen_xnor
          assign term = code ^ ~{IN_BITS{weights_i[p*SIMD+s]}};
        end else if (Product) begin : gen_product
          logic [1:0] low, high;  // low + 2*high is at most 6, without a carry into bit 3
          assign low  = code & {2{weights_i[p*SIMD+s]}};
          assign high = ~code & {2{weights_i[(PE+p)*SIMD+s]}};
          assign term = {high[1] ^ (low[1] & high[0]), low[1] ^ high[0], low[0]};
        end else begin : gen_planes
          for (genvar k = r; k < WEIGHT_BITS; k += IN_BITS) begin : gen_plane
            assign term[k-r+:IN_BITS] =
                (k == Top ? ~code : code) & {IN_BITS{weights_i[(k*PE+p)*SIMD+s]}};
          end
        end
        always_ff @(posedge clk_i) terms_q[s*TermBits+:TermBits] <= term;
      end

      hwgq_adder_tree #(
          .N(SIMD),
          .BITS(TermBits)
      ) u_lanes (
          .clk_i,
          .data_i(terms_q),
          .sum_o(tree_sum)
      );
      assign sums[r*SumBits+:SumBits] = SumBits'(tree_sum) << r;
    end

    hwgq_adder_tree #(
        .N(Trees),
        .BITS(SumBits)
    ) u_trees (
        .clk_i,
        .data_i(sums),
        .sum_o(sum)
    );

    always_ff @(posedge clk_i) begin
      if (valid[Depth])
        accumulator_q <= (first[Depth] ? '0 : accumulator_q) + ACC_BITS'(sum);
    end
    assign accumulators_o[p*ACC_BITS+:ACC_BITS] = accumulator_q;
  end
endmodule
