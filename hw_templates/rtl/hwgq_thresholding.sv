// SPDX-License-Identifier: Apache-2.0
//
// Thresholding: each code becomes the number of its channel's thresholds that it reaches.
//
// Cycles      CHANNELS / PE a pixel, without a gap.
// Latency     3 cycles to the output FIFO, which adds its own.
// Streams     In and out: beats of PE codes, plane-major (bit b of element n at
//             b*PE + n); the channel is the position modulo CHANNELS. The pipeline never
//             stops: a beat only enters when the FIFO has room for its result.
//             `in_ready_o` does not depend on `out_ready_i`.
// Parameters  Word c, field p*STEPS + j of THR_BITS: threshold j of channel c*PE + p,
//             unsigned. A code reaches T if code >= T; T may be beyond all codes.
module hwgq_thresholding #(
    parameter int unsigned CHANNELS = 4,
    parameter int unsigned PE = 2,        // channels in parallel, divides CHANNELS
    parameter int unsigned IN_BITS = 4,   // bits of an input code
    parameter int unsigned STEPS = 3,     // thresholds of a channel
    parameter int unsigned THR_BITS = 4,  // bits of a threshold, at least IN_BITS
    parameter int unsigned OUT_BITS = 2,  // bits of an output code
    parameter PARAM_FILE,                 // memory image, see hwgq_rom
    parameter PARAM_STYLE = "block"
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic [PE*IN_BITS-1:0]  in_data_i,
    input  logic                   in_valid_i,
    output logic                   in_ready_o,
    output logic [PE*OUT_BITS-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
  localparam int unsigned Folds = CHANNELS / PE;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;

  if (PE < 1 || CHANNELS % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide CHANNELS (%0d).", PE, CHANNELS);
  end
  if (STEPS < 1 || OUT_BITS != $clog2(STEPS + 1)) begin : gen_bad_out
    $error("OUT_BITS (%0d) must be clog2(STEPS + 1), STEPS at least 1.", OUT_BITS);
  end
  if (THR_BITS < IN_BITS) begin : gen_bad_thr
    $error("THR_BITS (%0d) must be at least IN_BITS (%0d).", THR_BITS, IN_BITS);
  end

  logic go, room;
  logic [FoldBits-1:0] fold_q;
  logic [3:1] valid_q;  // bit k: a beat that came k cycles ago
  logic [PE*IN_BITS-1:0] input_q, codes_q;
  logic [PE*STEPS*THR_BITS-1:0] thresholds;
  logic [PE*OUT_BITS-1:0] result;

  assign in_ready_o = room;
  assign go = in_valid_i && room;

  always_ff @(posedge clk_i) begin
    if (rst_i) fold_q <= '0;
    else if (go) fold_q <= fold_q == FoldBits'(Folds - 1) ? '0 : fold_q + 1'b1;
    valid_q <= rst_i ? '0 : {valid_q[2:1], go};
    input_q <= in_data_i;
    codes_q <= input_q;
  end

  hwgq_rom #(
      .WIDTH(PE * STEPS * THR_BITS),
      .DEPTH(Folds),
      .FILE(PARAM_FILE),
      .STYLE(PARAM_STYLE)
  ) u_parameters (
      .clk_i,
      .addr_i(fold_q),
      .data_o(thresholds)
  );

  for (genvar p = 0; p < PE; p++) begin : gen_channel
    logic [IN_BITS-1:0] code;
    logic [STEPS-1:0] reached_q;
    logic [OUT_BITS-1:0] level;
    for (genvar b = 0; b < IN_BITS; b++) begin : gen_in_plane
      assign code[b] = codes_q[b*PE+p];
    end
    for (genvar j = 0; j < STEPS; j++) begin : gen_step
      always_ff @(posedge clk_i)
        reached_q[j] <= THR_BITS'(code) >= thresholds[(p*STEPS+j)*THR_BITS+:THR_BITS];
    end
    assign level = OUT_BITS'($countones(reached_q));
    for (genvar b = 0; b < OUT_BITS; b++) begin : gen_out_plane
      assign result[b*PE+p] = level[b];
    end
  end

  // The FIFO's places are lent when a beat enters, and given back when it leaves: a place
  // is away for at most 6 cycles.
  localparam int unsigned Places = 6;
  localparam int unsigned PlaceBits = $clog2(Places + 1);
  logic [PlaceBits-1:0] free_q;
  logic fifo_ready;

  assign room = free_q != '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) free_q <= PlaceBits'(Places);
    else free_q <= free_q - PlaceBits'(go) + PlaceBits'(out_valid_o && out_ready_i);
  end

  hwgq_fifo #(
      .WIDTH(PE * OUT_BITS),
      .DEPTH(Places)
  ) u_fifo (
      .clk_i,
      .rst_i,
      .in_data_i(result),
      .in_valid_i(valid_q[3]),
      .in_ready_o(fifo_ready),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );

  always_comb if (!rst_i) assert (!valid_q[3] || fifo_ready);
endmodule
