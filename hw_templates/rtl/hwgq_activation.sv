// SPDX-License-Identifier: Apache-2.0
//
// Activation: thresholds or biases on accumulators, and the FIFO that takes the results.
//
// Of each of PE accumulators it emits how many of its channel's STEPS thresholds it
// reaches (accumulator >= T), or, without thresholds, (accumulator << SHIFT) + bias.
//
// Latency     1 cycle from accumulators to the output FIFO, which adds its own.
// Rate        A group of PE accumulators every INTERVAL cycles, without a gap.
// Streams     Whoever computes accumulators never stops: it raises `lend_i` for a cycle,
//             only while `room_o`, and the accumulators of the next group are on
//             `accumulators_i` exactly DELAY cycles later. `room_o` does not depend on
//             `out_ready_i`. Out: beats of PE results. Codes are plane-major (bit b of
//             element n at b*PE + n); without thresholds one result a field, channel 0
//             lowest.
// Parameters  Word g. Field p*STEPS + j of ACC_BITS: threshold j of channel g*PE + p,
//             unsigned; without thresholds, field p of OUT_BITS: its bias, signed.
module hwgq_activation #(
    parameter int unsigned CHANNELS = 4,
    parameter int unsigned PE = 2,        // channels in parallel, divides CHANNELS
    parameter int unsigned STEPS = 3,     // thresholds of a channel; 0: emit accumulators
    parameter int unsigned ACC_BITS = 5,  // of an accumulator, and of a threshold
    parameter int unsigned OUT_BITS = 2,  // of a result
    parameter int unsigned SHIFT = 0,     // factor 2^SHIFT of an emitted accumulator
    parameter int unsigned DELAY = 2,     // see above, at least 2
    parameter int unsigned INTERVAL = 1,  // least cycles from one `lend_i` to the next
    parameter PARAM_FILE,                 // memory image, see hwgq_rom
    parameter PARAM_STYLE = "block"
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic                   lend_i,
    output logic                   room_o,
    input  logic [PE*ACC_BITS-1:0] accumulators_i,
    output logic [PE*OUT_BITS-1:0] out_data_o,
    output logic                   out_valid_o,
    input  logic                   out_ready_i
);
  localparam int unsigned Groups = CHANNELS / PE;
  localparam int unsigned GroupBits = Groups > 1 ? $clog2(Groups) : 1;
  localparam int unsigned ParamBits = STEPS > 0 ? STEPS * ACC_BITS : OUT_BITS;

  if (PE < 1 || CHANNELS % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide CHANNELS (%0d).", PE, CHANNELS);
  end
  if (ACC_BITS < 1) begin : gen_bad_acc
    $error("ACC_BITS must be at least 1.");
  end
  if (STEPS > 0 && OUT_BITS != $clog2(STEPS + 1)) begin : gen_bad_out
    $error("OUT_BITS (%0d) must be clog2(STEPS + 1).", OUT_BITS);
  end
  if (STEPS > 0 && SHIFT != 0) begin : gen_bad_shift
    $error("SHIFT is for accumulators that are emitted, STEPS = 0.");
  end
  if (DELAY < 2 || INTERVAL < 1) begin : gen_bad_time
    $error("DELAY must be at least 2, INTERVAL at least 1.");
  end

  // Bit k is of the group that was lent a place k cycles ago.
  logic [DELAY:0] lent;
  logic [GroupBits-1:0] group_q;  // the next whose parameters are read, two cycles ahead
  logic [PE*ParamBits-1:0] parameters;
  logic [PE*OUT_BITS-1:0] result;
  logic result_valid_q;

  assign lent[0] = lend_i;
  always_ff @(posedge clk_i) begin
    lent[DELAY:1] <= rst_i ? '0 : lent[DELAY-1:0];
    if (rst_i) group_q <= '0;
    else if (lent[DELAY-2])
      group_q <= group_q == GroupBits'(Groups - 1) ? '0 : group_q + 1'b1;
    result_valid_q <= !rst_i && lent[DELAY];
  end

  hwgq_rom #(
      .WIDTH(PE * ParamBits),
      .DEPTH(Groups),
      .FILE(PARAM_FILE),
      .STYLE(PARAM_STYLE)
  ) u_parameters (
      .clk_i,
      .addr_i(group_q),
      .data_o(parameters)
  );

  for (genvar p = 0; p < PE; p++) begin : gen_result
    logic [ACC_BITS-1:0] accumulator;
    assign accumulator = accumulators_i[p*ACC_BITS+:ACC_BITS];
    if (STEPS > 0) begin : gen_code
      logic [STEPS-1:0] reached_q;
      logic [OUT_BITS-1:0] code;
      for (genvar j = 0; j < STEPS; j++) begin : gen_step
        always_ff @(posedge clk_i)
`ifdef VERILATOR
          if (lent[DELAY])  // Nothing reads the others: it simulates faster without.
`endif
          reached_q[j] <= accumulator >= parameters[(p*STEPS+j)*ACC_BITS+:ACC_BITS];
      end
      assign code = OUT_BITS'($countones(reached_q));
      for (genvar b = 0; b < OUT_BITS; b++) begin : gen_plane
        assign result[b*PE+p] = code[b];
      end
    end else begin : gen_accumulator
      logic [OUT_BITS-1:0] biased_q;
      always_ff @(posedge clk_i)
        biased_q <= (OUT_BITS'(accumulator) << SHIFT) + parameters[p*OUT_BITS+:OUT_BITS];
      assign result[p*OUT_BITS+:OUT_BITS] = biased_q;
    end
  end

  // The FIFO's free places are lent to groups on their way, and given back when a result
  // leaves. One is away for at most DELAY + 4 cycles, and one is needed every INTERVAL.
  localparam int unsigned Away = DELAY + 4;
  localparam int unsigned Places =
      INTERVAL < Away ? (Away + INTERVAL - 1) / INTERVAL : 2;
  localparam int unsigned PlaceBits = $clog2(Places + 1);
  logic fifo_ready;
  logic [PlaceBits-1:0] free_q;

  assign room_o = free_q != '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) free_q <= PlaceBits'(Places);
    else free_q <= free_q - PlaceBits'(lend_i) + PlaceBits'(out_valid_o && out_ready_i);
  end

  hwgq_fifo #(
      .WIDTH(PE * OUT_BITS),
      .DEPTH(Places)
  ) u_fifo (
      .clk_i,
      .rst_i,
      .in_data_i(result),
      .in_valid_i(result_valid_q),
      .in_ready_o(fifo_ready),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );

  always_comb
    if (!rst_i) begin
      assert (!lend_i || room_o);
      assert (!result_valid_q || fifo_ready);
    end

`ifdef FORMAL
  logic [PlaceBits-1:0] fifo_held;  // the FIFO's own count; the proof's script joins them
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_comb begin
    if (!started_q) assume (rst_i);
    // Every place is free, lent to a group on its way, or taken.
    else assert (free_q + $countones(lent[DELAY:1]) + result_valid_q + fifo_held == Places);
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i) && $past(out_valid_o && !out_ready_i)) begin
      assert (out_valid_o);
      assert ($stable(out_data_o));
    end
`endif
endmodule
