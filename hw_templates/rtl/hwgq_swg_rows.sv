// SPDX-License-Identifier: Apache-2.0
//
// Rows of a sliding-window generator: whether one may come, and whether enough came.
//
// Frames of H rows come one after the other, and OH rows of positions are read of each.
// One whose windows begin in row y of the padded frame (0, SH, 2*SH ...) needs the rows
// of the frame above y + EXTENT - PT, but only those there are; once it was read, the
// rows above y + SH - PT are free, after the last one all H of them, also those that
// have yet to come.
//
// Latency     What `came_i` and `read_i` report counts from the next cycle on.
// Streams     `came_i`, only while `room_o`: the last beat of a row comes. `read_i`, only
//             while `ready_o`: the last beat of the row of positions at `y_i` is read;
//             `y_i` is that of the next one in the next cycle. `room_o`: DEPTH, plus the
//             rows that were freed, less those that came, is above zero. `ready_o`: all
//             rows came that the row of positions at `y_i` needs.
// Form        Two counters; what they are changed by is chosen by comparators of `y_i`.
module hwgq_swg_rows #(
    parameter int unsigned H = 6,       // rows of a frame
    parameter int unsigned OH = 6,      // rows of positions
    parameter int unsigned SH = 1,      // rows from one position to the next
    parameter int unsigned PT = 1,      // rows of the first position above the frame
    parameter int unsigned EXTENT = 3,  // rows from the first of a window to its last
    parameter int unsigned DEPTH = 4,   // rows held, at least those under a window
    // Derived; leave as it is.
    localparam int unsigned LastY = (OH - 1) * SH,
    localparam int unsigned YBits = LastY > 0 ? $clog2(LastY + 1) : 1
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic             came_i,
    input  logic             read_i,
    input  logic [YBits-1:0] y_i,
    output logic             room_o,
    output logic             ready_o
);
  if (DEPTH < (EXTENT < H ? EXTENT : H)) begin : gen_bad_depth
    $error("DEPTH (%0d) must be at least the rows under a window.", DEPTH);
  end

  // Rows of the frame above row `y` of the padded frame.
  function automatic int unsigned rows_above(input int unsigned y);
    rows_above = y <= PT ? 0 : (y - PT < H ? y - PT : H);
  endfunction
  // First of y = 0, SH, 2*SH ... for which y + SH + extent is at least `goal`.
  function automatic int unsigned reaching(input int unsigned goal, extent);
    reaching = goal <= SH + extent ? 0 : (goal - extent - 1) / SH * SH;
  endfunction

  // `space_q`: DEPTH, and rows that are free, less those that came; `ahead_q`: rows that
  // came, less those that this row of positions and all before it need. Negative numbers
  // are meant modulo 2^32, and then modulo the counter's size.
  localparam int unsigned Needed = rows_above(LastY + EXTENT);  // the last of them
  localparam int unsigned NeedTurn = H - Needed + rows_above(EXTENT);
  localparam int unsigned NeedMost = NeedTurn > SH ? NeedTurn : SH;
  // Most rows that are free before they come.
  localparam int unsigned FreeEarly =
      SH > EXTENT && SH - EXTENT > H - Needed ? SH - EXTENT : H - Needed;
  localparam int unsigned SpaceBits = $clog2(DEPTH + FreeEarly + 1);
  localparam int unsigned AheadBits = $clog2((DEPTH > NeedMost ? DEPTH : NeedMost) + 1) + 1;
  logic [SpaceBits-1:0] space_q;
  logic [AheadBits-1:0] ahead_q;  // in two's complement
  logic [2*32-1:0] more;  // with the next row: rows that become free; that it needs

  for (genvar i = 0; i < 2; i++) begin : gen_more
    // From `Top` the window's end moves over the frame, at `End` it reaches its bottom.
    localparam int unsigned Extent = i == 0 ? 0 : EXTENT;
    localparam int unsigned Top = reaching(PT + 1, Extent);
    localparam int unsigned End = reaching(PT + H, Extent);
    localparam int unsigned AtTop = rows_above(Top + SH + Extent) - rows_above(Top + Extent);
    localparam int unsigned AtEnd = rows_above(End + SH + Extent) - rows_above(End + Extent);
    always_comb begin
      more[i*32+:32] = '0;
      if (32'(y_i) <= End) more[i*32+:32] = 32'(y_i) == End ? AtEnd : SH;
      if (32'(y_i) <= Top) more[i*32+:32] = 32'(y_i) == Top ? AtTop : '0;
      if (y_i == YBits'(LastY))
        more[i*32+:32] = i == 0 ? H - rows_above(LastY) : NeedTurn;
    end
  end

  assign room_o  = space_q != '0;
  assign ready_o = !ahead_q[AheadBits-1];
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      space_q <= SpaceBits'(DEPTH);
      ahead_q <= AheadBits'(0 - rows_above(EXTENT));
    end else begin
      space_q <= space_q - SpaceBits'(came_i) + (read_i ? SpaceBits'(more[31:0]) : '0);
      ahead_q <= ahead_q + AheadBits'(came_i) - (read_i ? AheadBits'(more[63:32]) : '0);
    end
  end

`ifdef FORMAL
  // Of the frame that is read: rows that came, are free, are needed, and were needed by
  // the row of positions before.
  logic signed [31:0] came, freed, needed, needed_before;
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  assign freed = rows_above(32'(y_i));
  assign needed = rows_above(32'(y_i) + EXTENT);
  assign came = $signed(ahead_q) + needed;
  assign needed_before = y_i == '0 ? Needed - H : rows_above(32'(y_i) + EXTENT - SH);

  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      // None is lost or overwritten, and either end can always go on.
      assert (space_q == DEPTH + freed - came);
      assert (came >= needed_before);
      assert (room_o || ready_o);
    end
  end
`endif
endmodule
