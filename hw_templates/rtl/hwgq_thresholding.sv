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
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide CHANNELS (%0d).", PE, CHANNELS);
  end
  if (STEPS < 1) begin : gen_bad_steps
    $error("STEPS must be at least 1.");
  end
  if (THR_BITS < IN_BITS) begin : gen_bad_thr
    $error("THR_BITS (%0d) must be at least IN_BITS (%0d).", THR_BITS, IN_BITS);
  end

  logic go, room;
  logic [PE*IN_BITS-1:0] input_q, codes_q;  // as late as the thresholds
  logic [PE*THR_BITS-1:0] numbers;

  assign in_ready_o = room;
  assign go = in_valid_i && room;

  always_ff @(posedge clk_i) begin
    input_q <= in_data_i;
    codes_q <= input_q;
  end

  for (genvar p = 0; p < PE; p++) begin : gen_channel
    logic [IN_BITS-1:0] code;
    for (genvar b = 0; b < IN_BITS; b++) begin : gen_plane
      assign code[b] = codes_q[b*PE+p];
    end
    assign numbers[p*THR_BITS+:THR_BITS] = THR_BITS'(code);
  end

  hwgq_activation #(
      .CHANNELS(CHANNELS),
      .PE(PE),
      .STEPS(STEPS),
      .ACC_BITS(THR_BITS),
      .OUT_BITS(OUT_BITS),
      .DELAY(2),
      .INTERVAL(1),
      .PARAM_FILE(PARAM_FILE),
      .PARAM_STYLE(PARAM_STYLE)
  ) u_activation (
      .clk_i,
      .rst_i,
      .lend_i(go),
      .room_o(room),
      .accumulators_i(numbers),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
