// SPDX-License-Identifier: Apache-2.0
//
// Pooling: the largest of the codes under a window, channel by channel.
//
// Reads what hwgq_swg writes with GROUPED: for every position, for every group of PE
// channels, the taps. With FLIP, the results of some channels are inverted bit by bit:
// where what comes in is inverted, too, the largest is the least.
//
// Cycles      TAPS / SIMD a group of channels, CHANNELS / PE groups a position, without a
//             gap.
// Latency     1 + $clog2(SIMD) cycles from the last beat of a group to the output FIFO,
//             which adds its own.
// Streams     In: beats of SIMD taps of PE channels, element t*PE + p: tap t, channel p.
//             Out: beats of PE codes. Plane-major (bit b of element n at b*N + n), codes
//             unsigned. The pipeline never stops: the last beat of a group only enters
//             when the FIFO has room for its result. `in_ready_o` does not depend on
//             `out_ready_i`.
// Parameters  Word c, bit p: whether channel c*PE + p is inverted.
module hwgq_pool #(
    parameter int unsigned CHANNELS = 4,
    parameter int unsigned PE = 2,    // channels in parallel, divides CHANNELS
    parameter int unsigned TAPS = 4,  // codes under the window, of one channel
    parameter int unsigned SIMD = 1,  // taps in parallel, divides TAPS; above 1 PE = CHANNELS
    parameter int unsigned BITS = 2,  // bits of a code
    parameter int unsigned FLIP = 0,  // 1: invert the channels of PARAM_FILE
    parameter PARAM_FILE,             // memory image, see hwgq_rom; read with FLIP alone
    parameter PARAM_STYLE = "block"
) (
    input  logic                    clk_i,
    input  logic                    rst_i,
    input  logic [SIMD*PE*BITS-1:0] in_data_i,
    input  logic                    in_valid_i,
    output logic                    in_ready_o,
    output logic [     PE*BITS-1:0] out_data_o,
    output logic                    out_valid_o,
    input  logic                    out_ready_i
);
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide CHANNELS (%0d).", PE, CHANNELS);
  end
  if (SIMD < 1 || TAPS < 1 || TAPS % SIMD != 0) begin : gen_bad_simd
    $error("SIMD (%0d) must divide TAPS (%0d).", SIMD, TAPS);
  end
  if (SIMD > 1 && PE != CHANNELS) begin : gen_bad_parallel
    $error("SIMD (%0d) above 1 takes PE (%0d) = CHANNELS (%0d).", SIMD, PE, CHANNELS);
  end
  if (BITS < 1) begin : gen_bad_bits
    $error("BITS must be at least 1.");
  end
  if (FLIP > 1) begin : gen_bad_flip
    $error("FLIP (%0d) must be 0 or 1.", FLIP);
  end

  localparam int unsigned Beats = SIMD > 0 && TAPS > SIMD ? TAPS / SIMD : 1;  // of a group
  localparam int unsigned BeatBits = Beats > 1 ? $clog2(Beats) : 1;
  localparam int unsigned Levels = $clog2(SIMD);
  logic go, last, room;
  logic [BeatBits-1:0] beat_q;
  logic [Levels:0] valid, first, ending;  // bit k: of the beat that came k cycles ago

  assign last = beat_q == BeatBits'(Beats - 1);
  assign in_ready_o = !last || room;
  assign go = in_valid_i && in_ready_o;
  always_ff @(posedge clk_i) begin
    if (rst_i) beat_q <= '0;
    else if (go) beat_q <= last ? '0 : beat_q + 1'b1;
  end

  assign valid[0] = go;
  assign first[0] = beat_q == '0;
  assign ending[0] = go && last;
  for (genvar k = 0; k < Levels; k++) begin : gen_flags
    always_ff @(posedge clk_i) begin
      valid[k+1]  <= !rst_i && valid[k];
      first[k+1]  <= first[k];
      ending[k+1] <= !rst_i && ending[k];
    end
  end

  logic [PE*BITS-1:0] largest, result;  // plane-major
  logic result_valid_q;
  always_ff @(posedge clk_i) result_valid_q <= !rst_i && ending[Levels];

  for (genvar p = 0; p < PE; p++) begin : gen_channel
    // Node k is the larger of nodes 2k + 1 and 2k + 2, a cycle later; zeros fill the
    // leaves up to a power of two.
    localparam int unsigned Leaves = 2 ** Levels;
    logic [(2*Leaves-1)*BITS-1:0] nodes;
    logic [BITS-1:0] largest_q;

    for (genvar t = 0; t < Leaves; t++) begin : gen_leaf
      for (genvar b = 0; b < BITS; b++) begin : gen_plane
        if (t < SIMD) begin : gen_code
          assign nodes[(Leaves-1+t)*BITS+b] = in_data_i[b*SIMD*PE+t*PE+p];
        end else begin : gen_zero
          assign nodes[(Leaves-1+t)*BITS+b] = 1'b0;
        end
      end
    end
    for (genvar k = 0; k < Leaves - 1; k++) begin : gen_larger
      logic [BITS-1:0] one, other;
      assign one = nodes[(2*k+1)*BITS+:BITS];
      assign other = nodes[(2*k+2)*BITS+:BITS];
      always_ff @(posedge clk_i) nodes[k*BITS+:BITS] <= one > other ? one : other;
    end

    always_ff @(posedge clk_i)
      if (valid[Levels] && (first[Levels] || nodes[BITS-1:0] > largest_q))
        largest_q <= nodes[BITS-1:0];
    for (genvar b = 0; b < BITS; b++) begin : gen_result
      assign largest[b*PE+p] = largest_q[b];
    end
  end

  if (FLIP != 0) begin : gen_flip
    localparam int unsigned Groups = CHANNELS / PE;
    localparam int unsigned GroupBits = Groups > 1 ? $clog2(Groups) : 1;
    logic [GroupBits-1:0] group_q, group_next;
    logic [PE-1:0] inverted;  // of the group of a cycle ago, whose result may be there

    always_comb begin
      group_next = group_q;
      if (rst_i) group_next = '0;
      else if (go && last)
        group_next = group_q == GroupBits'(Groups - 1) ? '0 : group_q + 1'b1;
    end
    always_ff @(posedge clk_i) group_q <= group_next;

    // Where results are later, SIMD being above 1, there is but one group.
    hwgq_rom #(
        .WIDTH(PE),
        .DEPTH(Groups),
        .FILE(PARAM_FILE),
        .STYLE(PARAM_STYLE)
    ) u_parameters (
        .clk_i,
        .addr_i(group_next),
        .data_o(inverted)
    );
    assign result = largest ^ {BITS{inverted}};
  end else begin : gen_no_flip
    assign result = largest;
  end

  // The FIFO's places are lent when the last beat of a group enters, and given back when
  // its result leaves: one is away for at most Levels + 4 cycles, and one is needed every
  // Beats.
  localparam int unsigned Places = (Levels + 3 + Beats) / Beats;
  localparam int unsigned PlaceBits = $clog2(Places + 1);
  logic [PlaceBits-1:0] free_q;
  logic fifo_ready;

  assign room = free_q != '0;
  always_ff @(posedge clk_i) begin
    if (rst_i) free_q <= PlaceBits'(Places);
    else
      free_q <= free_q - PlaceBits'(go && last) + PlaceBits'(out_valid_o && out_ready_i);
  end

  hwgq_fifo #(
      .WIDTH(PE * BITS),
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
      // Every place is free, lent to a group on its way, or taken.
      assert (free_q + $countones(ending) - ending[0] + result_valid_q + fifo_held
              == Places);
      assert (beat_q < Beats);
    end
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i) && $past(out_valid_o && !out_ready_i)) begin
      assert (out_valid_o);
      assert ($stable(out_data_o));
    end
`endif
endmodule
