// SPDX-License-Identifier: Apache-2.0
//
// Matrix-vector-activation unit (MVAU).
//
// For each of MH rows it computes, over the MW codes u of a frame and the row's weights,
// the sum S of hwgq_dot_products: with 1-bit weights (1 is +1, 0 is -1)
//
//     S = sum of (u XOR ~w on every bit),
//
// and with wider ones, in two's complement, a sum of bit planes. It emits how many of the
// row's STEPS thresholds S reaches (S >= T), or, without thresholds, the signed number
// (S << SHIFT) + bias. S is the dot product of the codes and weights plus a constant of
// the row, 2^(WEIGHT_BITS-1) * (2^IN_BITS - 1) for every negative weight, that thresholds
// and bias absorb. (Umuroglu et al., FINN, 2017, for one bit.)
//
// Cycles      (MH / PE) * (MW / SIMD) a frame, without a gap between frames.
// Latency     4 + $clog2(SIMD) cycles from the last input beat of a row group to the
//             output FIFO; one more where a frame of several beats is read again; and
//             $clog2(min(IN_BITS, WEIGHT_BITS)) more if IN_BITS + WEIGHT_BITS > 4.
// Streams     In: MW / SIMD beats a frame of SIMD codes. Out: MH / PE beats of PE
//             results. Codes are plane-major (bit b of element n at b*N + n); without
//             thresholds one result a field, row 0 lowest. The pipeline never stops:
//             the last beat of a row group only enters when the FIFO has room for its
//             result. `in_ready_o` does not depend on `out_ready_i`.
// Weights     Word nf*(MW/SIMD) + sf, bit (k*PE + p)*SIMD + s: bit k of the weight of row
//             nf*PE + p and column sf*SIMD + s.
// Parameters  Word nf. Field p*STEPS + j of ACC_BITS: threshold j of row nf*PE + p,
//             unsigned; without thresholds, field p of OUT_BITS: its bias, signed.
module hwgq_mvau #(
    parameter int unsigned MW = 8,           // columns: codes of an input frame
    parameter int unsigned MH = 4,           // rows: results of an output frame
    parameter int unsigned PE = 2,           // rows in parallel, divides MH
    parameter int unsigned SIMD = 4,         // columns in parallel, divides MW
    parameter int unsigned IN_BITS = 2,      // bits of a code
    parameter int unsigned WEIGHT_BITS = 1,  // bits of a weight
    parameter int unsigned STEPS = 3,        // thresholds of a row; 0: emit accumulators
    parameter int unsigned ACC_BITS = 5,     // of S, and of a threshold never reached
    parameter int unsigned OUT_BITS = 2,     // of a result
    parameter int unsigned SHIFT = 0,        // factor 2^SHIFT of an emitted accumulator
    parameter WEIGHT_FILE,                   // memory images, see hwgq_rom
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
  localparam int unsigned FoldBits = SF * NF > 1 ? $clog2(SF * NF) : 1;
  localparam bit Buffered = NF > 1 && SF > 1;  // codes are read again from a memory
  // Cycles from a fold's go to its weights and codes, and from there to its sum.
  localparam int unsigned Fetch = Buffered ? 2 : 1;
  localparam int unsigned Trees = IN_BITS + WEIGHT_BITS <= 4 ? 1 :
      WEIGHT_BITS < IN_BITS ? WEIGHT_BITS : IN_BITS;  // as in hwgq_dot_products
  localparam int unsigned Sum = 2 + $clog2(SIMD) + $clog2(Trees);

  if (PE < 1 || MH % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide MH (%0d).", PE, MH);
  end
  if (SIMD < 1 || MW % SIMD != 0) begin : gen_bad_simd
    $error("SIMD (%0d) must divide MW (%0d).", SIMD, MW);
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

  // Weights and codes of a fold come in the same cycle, with these flags.
  logic [Fetch:0] valid, first;
  logic [WEIGHT_BITS*PE*SIMD-1:0] weights;
  logic [SIMD*IN_BITS-1:0] codes_q;

  assign valid[0] = go;
  assign first[0] = sf_q == '0;
  always_ff @(posedge clk_i) begin
    valid[Fetch:1] <= rst_i ? '0 : valid[Fetch-1:0];
    first[Fetch:1] <= first[Fetch-1:0];
  end

  hwgq_rom #(
      .WIDTH(WEIGHT_BITS * PE * SIMD),
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

  logic [PE*ACC_BITS-1:0] accumulators;

  hwgq_dot_products #(
      .PE(PE),
      .SIMD(SIMD),
      .IN_BITS(IN_BITS),
      .WEIGHT_BITS(WEIGHT_BITS),
      .ACC_BITS(ACC_BITS)
  ) u_dot_products (
      .clk_i,
      .rst_i,
      .valid_i(valid[Fetch]),
      .first_i(first[Fetch]),
      .codes_i({PE{codes_q}}),
      .weights_i(weights),
      .accumulators_o(accumulators)
  );

  hwgq_activation #(
      .CHANNELS(MH),
      .PE(PE),
      .STEPS(STEPS),
      .ACC_BITS(ACC_BITS),
      .OUT_BITS(OUT_BITS),
      .SHIFT(SHIFT),
      .DELAY(Fetch + Sum),
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

`ifdef FORMAL
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  always_comb begin
    if (!started_q) assume (rst_i);
    else assert (fold_q < SF * NF && sf_q == fold_q % SF && reading_q == (fold_q < SF));
  end
`endif
endmodule
