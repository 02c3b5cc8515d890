// SPDX-License-Identifier: Apache-2.0
//
// Sum of a channel's codes over all pixels of a frame.
//
// Cycles      PIXELS * CHANNELS / PE a frame, without a gap between frames.
// Latency     1 cycle from the beat of a group's last pixel to its sums.
// Streams     In: beats of PE codes, channel by channel of a pixel, then the next; bit b
//             of element n at b*PE + n. Out: CHANNELS / PE beats a frame of PE sums,
//             unsigned, bit b of element n at b*PE + n. A beat of a frame's last pixel
//             only enters when there is room for its sums, and there are two places.
//             `in_ready_o` does not depend on `out_ready_i`.
// Form        What has been summed so far goes round in registers, or, for more than 16
//             groups of channels, lies in a block RAM.
module hwgq_sum_pool #(
    parameter int unsigned CHANNELS = 4,
    parameter int unsigned PIXELS = 4,   // of a frame
    parameter int unsigned PE = 2,       // channels in parallel, divides CHANNELS
    parameter int unsigned IN_BITS = 2,  // bits of a code
    parameter int unsigned OUT_BITS = 4  // bits of a sum, at least IN_BITS
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
  localparam int unsigned Groups = CHANNELS / PE;
  localparam int unsigned GroupBits = Groups > 1 ? $clog2(Groups) : 1;
  localparam int unsigned PixelBits = PIXELS > 1 ? $clog2(PIXELS) : 1;
  localparam int unsigned Width = PE * OUT_BITS;

  if (PE < 1 || CHANNELS % PE != 0) begin : gen_bad_pe
    $error("PE (%0d) must divide CHANNELS (%0d).", PE, CHANNELS);
  end
  if (PIXELS < 1) begin : gen_bad_pixels
    $error("PIXELS must be at least 1.");
  end
  if (IN_BITS < 1 || OUT_BITS < IN_BITS) begin : gen_bad_bits
    $error("OUT_BITS (%0d) must be at least IN_BITS (%0d).", OUT_BITS, IN_BITS);
  end

  logic go, ends, first, last, room;  // first, last: of the frame's pixels
  logic [GroupBits-1:0] group_q, group_next;
  logic [PixelBits-1:0] pixel_q;
  logic [Width-1:0] so_far, sums, result;  // one number a field, but the result in planes

  assign first = pixel_q == '0;
  assign last = pixel_q == PixelBits'(PIXELS - 1);
  assign ends = group_q == GroupBits'(Groups - 1);
  assign in_ready_o = !last || room;
  assign go = in_valid_i && in_ready_o;

  always_comb begin
    group_next = group_q;
    if (rst_i) group_next = '0;
    else if (go) group_next = ends ? '0 : group_q + 1'b1;
  end

  always_ff @(posedge clk_i) begin
    group_q <= group_next;
    if (rst_i) pixel_q <= '0;
    else if (go && ends) pixel_q <= last ? '0 : pixel_q + 1'b1;
  end

  for (genvar p = 0; p < PE; p++) begin : gen_channel
    logic [IN_BITS-1:0] code;
    logic [OUT_BITS-1:0] sum;
    for (genvar b = 0; b < IN_BITS; b++) begin : gen_in_plane
      assign code[b] = in_data_i[b*PE+p];
    end
    assign sum = (first ? '0 : so_far[p*OUT_BITS+:OUT_BITS]) + OUT_BITS'(code);
    assign sums[p*OUT_BITS+:OUT_BITS] = sum;
    for (genvar b = 0; b < OUT_BITS; b++) begin : gen_out_plane
      assign result[b*PE+p] = sum[b];
    end
  end

  if (Groups > 16) begin : gen_block
    // A word is read in the cycle before its group's beat, written in that of the beat.
    (* ram_style = "block", no_rw_check *) logic [Width-1:0] memory[Groups];
    always_ff @(posedge clk_i) begin
      if (go) memory[group_q] <= sums;
      so_far <= memory[group_next];
    end
  end else begin : gen_registers
    // The sums of this pixel follow those of the last one.
    logic [Groups*Width-1:0] sums_q;
    logic [(Groups+1)*Width-1:0] moved;
    assign moved = {sums, sums_q};
    assign so_far = moved[Width-1:0];
    always_ff @(posedge clk_i) if (go) sums_q <= moved[Width+:Groups*Width];
  end

  hwgq_fifo #(
      .WIDTH(Width),
      .DEPTH(2)
  ) u_fifo (
      .clk_i,
      .rst_i,
      .in_data_i(result),
      .in_valid_i(in_valid_i && last),
      .in_ready_o(room),
      .out_data_o,
      .out_valid_o,
      .out_ready_i
  );
endmodule
