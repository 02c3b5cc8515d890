// SPDX-License-Identifier: Apache-2.0
//
// Vector-vector-activation unit (VVAU): the dot products of a depthwise convolution.
//
// For each pixel and channel it computes, over the TAPS codes u under the window and the
// channel's own weights, the sum S of hwgq_dot_products, and emits what hwgq_mvau does:
// how many of the channel's STEPS thresholds S reaches (S >= T), or, without thresholds,
// the signed number (S << SHIFT) + bias.
//
// Cycles      (CHANNELS / PE) * (TAPS / SIMD) a pixel, without a gap.
// Latency     4 + $clog2(SIMD) cycles from the last input beat of a group of channels to
//             the output FIFO; $clog2(min(IN_BITS, WEIGHT_BITS)) more if
//             IN_BITS + WEIGHT_BITS > 4.
// Streams     In, for each pixel and group of PE channels: TAPS / SIMD beats of SIMD taps
//             of PE codes, tap t of channel p being element t*PE + p. Out: a beat of PE
//             results. Codes are plane-major (bit b of element n of N at b*N + n);
//             without thresholds one result a field, channel 0 lowest. The pipeline
//             never stops: the last beat of a group only enters when the FIFO has room
//             for its result. `in_ready_o` does not depend on `out_ready_i`.
// Weights     Word c*(TAPS/SIMD) + f, bit (k*PE + p)*SIMD + s: bit k of the weight of
//             channel c*PE + p and tap f*SIMD + s.
// Parameters  Word c, as of hwgq_activation.
module hwgq_vvau #(
    parameter int unsigned CHANNELS = 4,
    parameter int unsigned TAPS = 9,         // codes of a channel under the window
    parameter int unsigned PE = 2,           // channels in parallel, divides CHANNELS
    parameter int unsigned SIMD = 1,         // taps in parallel, divides TAPS; more than 1
                                             // only if PE is CHANNELS
    parameter int unsigned IN_BITS = 2,      // bits of a code
    parameter int unsigned WEIGHT_BITS = 1,  // bits of a weight
    parameter int unsigned STEPS = 3,        // thresholds of a channel; 0: accumulators
    parameter int unsigned ACC_BITS = 5,     // of S, and of a threshold never reached
    parameter int unsigned OUT_BITS = 2,     // of a result
    parameter int unsigned SHIFT = 0,        // factor 2^SHIFT of an emitted accumulator
    parameter WEIGHT_FILE,                   // memory images, see hwgq_rom
    parameter PARAM_FILE,
    parameter WEIGHT_STYLE = "block",
    parameter PARAM_STYLE = "block"
) (
    input  logic                       clk_i,
    input  logic                       rst_i,
    input  logic [SIMD*PE*IN_BITS-1:0] in_data_i,
    input  logic                       in_valid_i,
    output logic                       in_ready_o,
    output logic [PE*OUT_BITS-1:0]     out_data_o,
    output logic                       out_valid_o,
    input  logic                       out_ready_i
);
  localparam int unsigned SF = TAPS / SIMD;    // synapse folds: beats of a group
  localparam int unsigned NF = CHANNELS / PE;  // neuron folds: groups of a pixel
  localparam int unsigned SfBits = SF > 1 ? $clog2(SF) : 1;
  localparam int unsigned FoldBits = SF * NF > 1 ? $clog2(SF * NF) : 1;
  localparam int unsigned Trees = IN_BITS + WEIGHT_BITS <= 4 ? 1 :
      WEIGHT_BITS < IN_BITS ? WEIGHT_BITS : IN_BITS;  // as in hwgq_dot_products
  localparam int unsigned Sum = 2 + $clog2(SIMD) + $clog2(Trees);  // of a beat, in cycles

  if (PE < 1 || CHANNELS % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide CHANNELS (%0d).", PE, CHANNELS);
  end
  if (SIMD < 1 || TAPS % SIMD != 0) begin : gen_bad_simd
    $error("SIMD (%0d) must divide TAPS (%0d).", SIMD, TAPS);
  end
  if (SIMD > 1 && PE != CHANNELS) begin : gen_bad_order
    $error("SIMD (%0d) must be 1 unless PE is CHANNELS (%0d).", SIMD, CHANNELS);
  end

  logic go, last, room, first_q, valid_q;
  logic [SfBits-1:0] sf_q;
  logic [FoldBits-1:0] fold_q, fold_next;
  logic [SIMD*PE*IN_BITS-1:0] input_q;
  logic [PE*SIMD*IN_BITS-1:0] codes;  // of one channel after those of the other
  logic [WEIGHT_BITS*PE*SIMD-1:0] weights;
  logic [PE*ACC_BITS-1:0] accumulators;

  assign last = sf_q == SfBits'(SF - 1);
  assign in_ready_o = !last || room;
  assign go = in_valid_i && in_ready_o;

  always_comb begin
    fold_next = fold_q;
    if (rst_i) fold_next = '0;
    else if (go) fold_next = fold_q == FoldBits'(SF * NF - 1) ? '0 : fold_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    fold_q <= fold_next;
    if (rst_i) sf_q <= '0;
    else if (go) sf_q <= last ? '0 : sf_q + 1'b1;
    valid_q <= !rst_i && go;
    first_q <= sf_q == '0;
    input_q <= in_data_i;
  end

  for (genvar p = 0; p < PE; p++) begin : gen_channel
    for (genvar b = 0; b < IN_BITS; b++) begin : gen_plane
      for (genvar s = 0; s < SIMD; s++) begin : gen_tap
        assign codes[(p*IN_BITS+b)*SIMD+s] = input_q[(b*SIMD+s)*PE+p];
      end
    end
  end

  // The weights of a fold are there in the cycle after its codes.
  hwgq_rom #(
      .WIDTH(WEIGHT_BITS * PE * SIMD),
      .DEPTH(SF * NF),
      .FILE(WEIGHT_FILE),
      .STYLE(WEIGHT_STYLE)
  ) u_weights (
      .clk_i,
      .addr_i(fold_next),
      .data_o(weights)
  );

  hwgq_dot_products #(
      .PE(PE),
      .SIMD(SIMD),
      .IN_BITS(IN_BITS),
      .WEIGHT_BITS(WEIGHT_BITS),
      .ACC_BITS(ACC_BITS)
  ) u_dot_products (
      .clk_i,
      .rst_i,
      .valid_i(valid_q),
      .first_i(first_q),
      .codes_i(codes),
      .weights_i(weights),
      .accumulators_o(accumulators)
  );

  hwgq_activation #(
      .CHANNELS(CHANNELS),
      .PE(PE),
      .STEPS(STEPS),
      .ACC_BITS(ACC_BITS),
      .OUT_BITS(OUT_BITS),
      .SHIFT(SHIFT),
      .DELAY(1 + Sum),
      .INTERVAL(SF),
      .PARAM_FILE(PARAM_FILE),
      .PARAM_STYLE(PARAM_STYLE)
  ) u_activation (
      .clk_i,
      .rst_i,
      .lend_i(go && last),
      .room_o(room),
      .accumulators_i(accumulators),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
