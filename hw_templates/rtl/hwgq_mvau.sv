// SPDX-License-Identifier: Apache-2.0
//
// Matrix-vector-activation unit with 1-bit weights (MVAU).
//
// For each of MH rows it computes, over the MW codes u of a frame,
//
//     S = sum of (u XOR ~w on every bit),    weight bit w: 1 is +1, 0 is -1,
//
// and emits how many of the row's STEPS thresholds S reaches (S >= T), or, without
// thresholds, the signed number (S << SHIFT) + bias. S is the dot product of the codes
// and weights plus (2^IN_BITS - 1) for every -1 of the row, a constant that thresholds
// and bias absorb. (Umuroglu et al., FINN, 2017, for one bit.)
//
// Cycles      (MH / PE) * (MW / SIMD) a frame, without a gap between frames.
// Latency     4 + $clog2(SIMD) cycles from the last input beat of a row group to the
//             output FIFO, one more where a frame of several beats is read again.
// Streams     In: MW / SIMD beats a frame of SIMD codes. Out: MH / PE beats of PE
//             results. Codes are plane-major (bit b of element n at b*N + n); without
//             thresholds one result a field, row 0 lowest. The pipeline never stops:
//             the last beat of a row group only enters when the FIFO has room for its
//             result. `in_ready_o` does not depend on `out_ready_i`.
// Weights     Word nf*(MW/SIMD) + sf, bit p*SIMD + s: row nf*PE + p, column sf*SIMD + s.
// Parameters  Word nf. Field p*STEPS + j of ACC_BITS: threshold j of row nf*PE + p,
//             unsigned; without thresholds, field p of OUT_BITS: its bias, signed.
module hwgq_mvau #(
    parameter int unsigned MW = 8,        // columns: codes of an input frame
    parameter int unsigned MH = 4,        // rows: results of an output frame
    parameter int unsigned PE = 2,        // rows in parallel, divides MH
    parameter int unsigned SIMD = 4,      // columns in parallel, divides MW
    parameter int unsigned IN_BITS = 2,   // bits of a code
    parameter int unsigned STEPS = 3,     // thresholds of a row; 0: emit accumulators
    parameter int unsigned ACC_BITS = 5,  // of S, and of a threshold never reached
    parameter int unsigned OUT_BITS = 2,  // of a result
    parameter int unsigned SHIFT = 0,     // factor 2^SHIFT of an emitted accumulator
    parameter WEIGHT_FILE,                // memory images, see hwgq_rom
    parameter PARAM_FILE,
    parameter WEIGHT_STYLE = "block",
    parameter PARAM_STYLE = "block"
) (
    input  logic                    clk_i,
    input  logic                    rst_i,
    input  logic [SIMD*IN_BITS-1:0] in_data_i,
    input  logic                    in_valid_i,
    output logic                    in_ready_o,
    output logic [PE*OUT_BITS-1:0]  out_data_o,
    output logic                    out_valid_o,
    input  logic                    out_ready_i
);
  localparam int unsigned SF = MW / SIMD;  // synapse folds: beats of an input frame
  localparam int unsigned NF = MH / PE;    // neuron folds: row groups
  localparam int unsigned SfBits = SF > 1 ? $clog2(SF) : 1;
  localparam int unsigned NfBits = NF > 1 ? $clog2(NF) : 1;
  localparam int unsigned FoldBits = SF * NF > 1 ? $clog2(SF * NF) : 1;
  localparam bit Buffered = NF > 1 && SF > 1;  // codes are read again from a memory
  // Cycles from a fold's go to its sum.
  localparam int unsigned Depth = (Buffered ? 3 : 2) + $clog2(SIMD);
  localparam int unsigned ParamBits = STEPS > 0 ? STEPS * ACC_BITS : OUT_BITS;

  if (PE < 1 || MH % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide MH (%0d).", PE, MH);
  end
  if (SIMD < 1 || MW % SIMD != 0) begin : gen_bad_simd
    $error("SIMD (%0d) must divide MW (%0d).", SIMD, MW);
  end
  if (IN_BITS < 1 || IN_BITS > 8) begin : gen_bad_in
    $error("IN_BITS (%0d) must be 1 to 8.", IN_BITS);
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

  // A fold (one cycle's work) starts with `go`; what follows never stops.
  logic go, last, room;
  logic reading_q;  // in the first row group: codes come from the input
  logic [SfBits-1:0] sf_q;
  logic [FoldBits-1:0] fold_q, fold_next;

  assign last = sf_q == SfBits'(SF - 1);
  assign in_ready_o = reading_q && (!last || room);
  assign go = (in_valid_i || !reading_q) && (!last || room);

  always_comb begin
    fold_next = fold_q;
    if (rst_i) fold_next = '0;
    else if (go) fold_next = fold_q == FoldBits'(SF * NF - 1) ? '0 : fold_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    fold_q <= fold_next;
    if (rst_i) begin
      sf_q <= '0;
      reading_q <= 1'b1;
    end else if (go) begin
      sf_q <= last ? '0 : sf_q + 1'b1;
      if (last) reading_q <= fold_q == FoldBits'(SF * NF - 1);
    end
  end

  // Stage 1, or 2 where Buffered: weights and codes, of the same fold in the same cycle.
  // Bit k of the flags is of the fold of k cycles ago.
  logic [Depth:1] valid_q, first_q;
  logic [Depth+1:1] last_q;
  logic [PE*SIMD-1:0] weights;
  logic [SIMD*IN_BITS-1:0] codes_q;

  always_ff @(posedge clk_i) begin
    valid_q <= rst_i ? '0 : {valid_q[Depth-1:1], go};
    last_q  <= rst_i ? '0 : {last_q[Depth:1], go && last};
    first_q <= {first_q[Depth-1:1], sf_q == '0};
  end

  hwgq_rom #(
      .WIDTH(PE * SIMD),
      .DEPTH(SF * NF),
      .FILE(WEIGHT_FILE),
      .STYLE(WEIGHT_STYLE)
  ) u_weights (
      .clk_i,
      .addr_i(Buffered ? fold_q : fold_next),
      .data_o(weights)
  );

  if (Buffered) begin : gen_buffer
    // Every row group reads the frame from here, the first what has just been written.
    (* ram_style = "block", no_rw_check *) logic [SIMD*IN_BITS-1:0] buffer[SF];
    logic [SfBits-1:0] read_q;
    always_ff @(posedge clk_i) begin
      if (reading_q) buffer[sf_q] <= in_data_i;
      read_q  <= sf_q;
      codes_q <= buffer[read_q];
    end
  end else begin : gen_hold
    // A beat stays for all row groups: it is the frame, or there is but one group.
    always_ff @(posedge clk_i) if (reading_q) codes_q <= in_data_i;
  end

  // Next: conditional inversion. Up to stage Depth: adder tree. Then the accumulator.
  localparam int unsigned SumBits = IN_BITS + $clog2(SIMD);
  logic [PE*ACC_BITS-1:0] accumulators;

  for (genvar p = 0; p < PE; p++) begin : gen_row
    logic [SIMD*IN_BITS-1:0] terms_q;  // one number a lane
    logic [SumBits-1:0] sum;
    logic [ACC_BITS-1:0] accumulator_q;

    for (genvar s = 0; s < SIMD; s++) begin : gen_lane
      for (genvar b = 0; b < IN_BITS; b++) begin : gen_plane
        always_ff @(posedge clk_i)
          terms_q[s*IN_BITS+b] <= codes_q[b*SIMD+s] ^ ~weights[p*SIMD+s];
      end
    end

    hwgq_adder_tree #(
        .N(SIMD),
        .BITS(IN_BITS)
    ) u_sum (
        .clk_i,
        .data_i(terms_q),
        .sum_o(sum)
    );

    always_ff @(posedge clk_i) begin
      if (valid_q[Depth])
        accumulator_q <= (first_q[Depth] ? '0 : accumulator_q) + ACC_BITS'(sum);
    end
    assign accumulators[p*ACC_BITS+:ACC_BITS] = accumulator_q;
  end

  // Stage Depth + 2: thresholds or bias, read two cycles ahead.
  logic [NfBits-1:0] group_q;  // row group in stage Depth - 1
  logic [PE*ParamBits-1:0] parameters;
  logic [PE*OUT_BITS-1:0] result;
  logic result_valid_q;

  always_ff @(posedge clk_i) begin
    if (rst_i) group_q <= '0;
    else if (last_q[Depth-1]) group_q <= group_q == NfBits'(NF - 1) ? '0 : group_q + 1'b1;
    result_valid_q <= !rst_i && last_q[Depth+1];
  end

  hwgq_rom #(
      .WIDTH(PE * ParamBits),
      .DEPTH(NF),
      .FILE(PARAM_FILE),
      .STYLE(PARAM_STYLE)
  ) u_parameters (
      .clk_i,
      .addr_i(group_q),
      .data_o(parameters)
  );

  for (genvar p = 0; p < PE; p++) begin : gen_result
    logic [ACC_BITS-1:0] accumulator;
    assign accumulator = accumulators[p*ACC_BITS+:ACC_BITS];
    if (STEPS > 0) begin : gen_code
      logic [STEPS-1:0] reached_q;
      logic [OUT_BITS-1:0] code;
      for (genvar j = 0; j < STEPS; j++) begin : gen_step
        always_ff @(posedge clk_i)
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

  // The FIFO's free places are lent when a row group ends its folds, and given back when
  // a result leaves. One is away for at most Depth + 5 cycles, and one is needed every SF.
  localparam int unsigned Places = SF < Depth + 5 ? (Depth + 4 + SF) / SF : 2;
  localparam int unsigned PlaceBits = $clog2(Places + 1);
  logic fifo_ready;
  logic [PlaceBits-1:0] free_q;

  assign room = free_q != '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) free_q <= PlaceBits'(Places);
    else
      free_q <= free_q - PlaceBits'(go && last) + PlaceBits'(out_valid_o && out_ready_i);
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

  always_comb if (!rst_i) assert (!result_valid_q || fifo_ready);

`ifdef FORMAL
  logic [PlaceBits-1:0] fifo_held;  // the FIFO's own count; the proof's script joins them
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      // Every place is free, lent to a row group on its way, or taken.
      assert (free_q + $countones(last_q) + result_valid_q + fifo_held == Places);
      assert (fold_q < SF * NF && sf_q == fold_q % SF && reading_q == (fold_q < SF));
    end
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i) && $past(out_valid_o && !out_ready_i)) begin
      assert (out_valid_o);
      assert ($stable(out_data_o));
    end
`endif
endmodule
