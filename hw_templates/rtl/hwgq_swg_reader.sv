// SPDX-License-Identifier: Apache-2.0
//
// Reader of a sliding-window generator: in which order taps are read, and where they lie.
//
// It goes through the positions of a frame in raster order, at each through the taps
// (kh, kw) and the FOLDS words of a pixel, those innermost, or with GROUPED outside of
// the taps; ROW_TAPS rows and COL_TAPS columns of the kernel are read at once. After the
// last position it goes on with the next frame, H rows further.
//
// Latency     All outputs belong to the beat that is next; with `go_i` it is read, and
//             they are those of the one after it in the next cycle.
// Outputs     `address_o`, `row_turn_o` and `col_turn_o` are for hwgq_swg_banks. The bits
//             of `row_out_o` and `col_out_o` say which of the taps lie above or below the
//             frame, and left or right of it. `y_o` is the row of the padded frame in
//             which the window begins, and `row_read_o` says that with this beat the row
//             of positions was read.
// Form        Five counters, an address that moves by a constant at the end of each loop,
//             and a comparator for each edge of the frame and tap.
module hwgq_swg_reader #(
    parameter int unsigned H = 6,          // rows of a frame
    parameter int unsigned W = 6,          // columns of a frame
    parameter int unsigned OH = 6,         // rows of positions
    parameter int unsigned OW = 6,         // columns of positions
    parameter int unsigned KH = 3,         // rows of the kernel
    parameter int unsigned KW = 3,         // columns of the kernel
    parameter int unsigned SH = 1,         // rows from one position to the next
    parameter int unsigned SW = 1,         // columns from one position to the next
    parameter int unsigned DH = 1,         // rows from one tap to the next
    parameter int unsigned DW = 1,         // columns from one tap to the next
    parameter int unsigned PT = 1,         // rows of the first position above the frame
    parameter int unsigned PL = 1,         // columns of the first position left of it
    parameter int unsigned FOLDS = 2,      // words of a pixel; above 1 all TAPS are 1
    parameter int unsigned GROUPED = 0,    // 1: all taps of a word, then the next word
    parameter int unsigned ROW_TAPS = 1,   // 1 or KH; above 1 COL_TAPS = KW
    parameter int unsigned COL_TAPS = 1,   // 1 or KW
    parameter int unsigned ROW_BANKS = 1,  // as in hwgq_swg_banks, as all that follows
    parameter int unsigned COL_BANKS = 1,
    parameter int unsigned LINE = 12,
    parameter int unsigned RING = 48,
    // Derived; leave as it is.
    localparam int unsigned LastY = (OH - 1) * SH,
    localparam int unsigned YBits = LastY > 0 ? $clog2(LastY + 1) : 1,
    localparam int unsigned AddressBits = RING > 1 ? $clog2(RING) : 1,
    localparam int unsigned RowBankBits = ROW_BANKS > 1 ? $clog2(ROW_BANKS) : 1,
    localparam int unsigned ColBankBits = COL_BANKS > 1 ? $clog2(COL_BANKS) : 1
) (
    input  logic                   clk_i,
    input  logic                   rst_i,
    input  logic                   go_i,
    output logic                   row_read_o,
    output logic [      YBits-1:0] y_o,
    output logic [AddressBits-1:0] address_o,
    output logic [RowBankBits-1:0] row_turn_o,
    output logic [ColBankBits-1:0] col_turn_o,
    output logic [   ROW_TAPS-1:0] row_out_o,
    output logic [   COL_TAPS-1:0] col_out_o
);
  if (GROUPED > 1) begin : gen_bad_order
    $error("GROUPED (%0d) must be 0 or 1.", GROUPED);
  end
  if ((ROW_TAPS != 1 && (ROW_TAPS != KH || COL_TAPS != KW))
      || (COL_TAPS != 1 && (COL_TAPS != KW || FOLDS != 1))) begin : gen_bad_taps
    $error("ROW_TAPS (%0d) and COL_TAPS (%0d) do not fit KH, KW and FOLDS.",
           ROW_TAPS, COL_TAPS);
  end

  // Loops over positions, the kernel and words of a pixel. Those over rows and columns
  // count pixels.
  localparam int unsigned LastX = (OW - 1) * SW;
  localparam int unsigned LastDx = KW > COL_TAPS ? (KW - 1) * DW : 0;
  localparam int unsigned LastDy = KH > ROW_TAPS ? (KH - 1) * DH : 0;
  localparam int unsigned FoldBits = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int unsigned XBits = LastX > 0 ? $clog2(LastX + 1) : 1;
  localparam int unsigned DxBits = LastDx > 0 ? $clog2(LastDx + 1) : 1;
  localparam int unsigned DyBits = LastDy > 0 ? $clog2(LastDy + 1) : 1;
  logic fold_last, dx_last, dy_last, x_last, y_last;  // rounds
  logic fold_next, dx_next, dy_next, x_next, y_next;  // a further round begins
  logic [FoldBits-1:0] fold_q;
  logic [DxBits-1:0] dx_q;
  logic [DyBits-1:0] dy_q;
  logic [XBits-1:0] x_q;
  logic [YBits-1:0] y_q;

  assign fold_last = fold_q == FoldBits'(FOLDS - 1);
  assign dx_last = dx_q == DxBits'(LastDx);
  assign dy_last = dy_q == DyBits'(LastDy);
  assign x_last = x_q == XBits'(LastX);
  assign y_last = y_q == YBits'(LastY);
  assign dx_next = go_i && (GROUPED != 0 || fold_last);
  assign dy_next = dx_next && dx_last;
  assign fold_next = go_i && (GROUPED == 0 || (dx_last && dy_last));
  assign x_next = go_i && fold_last && dx_last && dy_last;
  assign y_next = x_next && x_last;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      fold_q <= '0;
      dx_q   <= '0;
      dy_q   <= '0;
      x_q    <= '0;
      y_q    <= '0;
    end else begin
      if (fold_next) fold_q <= fold_last ? '0 : fold_q + 1'b1;
      if (dx_next) dx_q <= dx_last ? '0 : dx_q + DxBits'(DW);
      if (dy_next) dy_q <= dy_last ? '0 : dy_q + DyBits'(DH);
      if (x_next) x_q <= x_last ? '0 : x_q + XBits'(SW);
      if (y_next) y_q <= y_last ? '0 : y_q + YBits'(SH);
    end
  end
  assign row_read_o = y_next;
  assign y_o = y_q;

  // Address of the first tap of a beat, in banks 0 + `turn`; each loop that begins a
  // further round ends those inside of it. Negative numbers are meant modulo 2^32, and
  // then modulo the ring's size.
  localparam int unsigned BackDx = LastDx * FOLDS;
  localparam int unsigned BackDy = LastDy * LINE;
  localparam int unsigned BackFold = FOLDS - 1;
  localparam int unsigned BackAll = BackFold + BackDx + BackDy;
  localparam int unsigned BackX = BackAll + LastX / COL_BANKS * FOLDS;
  // From the top row of the last positions to that of the next frame's first, and from
  // row bank 0 to the first of all: whole rounds of the row banks, and banks.
  localparam int unsigned Up = LastY > H ? LastY - H : 0;
  localparam int unsigned Down = LastY > H ? 0 : H - LastY;
  localparam int unsigned TurnBanks = (Down + ROW_BANKS - Up % ROW_BANKS) % ROW_BANKS;
  localparam int unsigned TurnRounds =
      Down / ROW_BANKS - (Up + ROW_BANKS - 1) / ROW_BANKS;
  localparam int unsigned StartBanks = (ROW_BANKS - PT % ROW_BANKS) % ROW_BANKS;
  localparam int unsigned StartRounds = 0 - (PT + ROW_BANKS - 1) / ROW_BANKS;
  logic [AddressBits-1:0] read_q, move;
  logic [RowBankBits-1:0] row_turn_q;
  logic [ColBankBits-1:0] col_turn_q;
  logic [RowBankBits:0] row_turn;
  logic [ColBankBits:0] col_turn;
  logic row_carry, col_carry;

  assign row_turn = row_turn_q + (RowBankBits+1)'(y_last ? TurnBanks : SH % ROW_BANKS);
  assign col_turn = col_turn_q + (ColBankBits+1)'(SW % COL_BANKS);
  assign row_carry = row_turn >= (RowBankBits+1)'(ROW_BANKS);
  assign col_carry = col_turn >= (ColBankBits+1)'(COL_BANKS);

  always_comb begin
    if (GROUPED == 0 && !fold_last) move = AddressBits'(1);
    else if (!dx_last) move = AddressBits'(DW * FOLDS - (GROUPED == 0 ? BackFold : 0));
    else if (!dy_last)
      move = AddressBits'(DH * LINE - BackDx - (GROUPED == 0 ? BackFold : 0));
    else if (!fold_last) move = AddressBits'(1 - BackDx - BackDy);
    else if (!x_last)
      move = AddressBits'(SW / COL_BANKS * FOLDS - BackAll) + AddressBits'(col_carry);
    else if (!y_last)
      move = AddressBits'(SH / ROW_BANKS * LINE - BackX + (row_carry ? LINE : 0));
    else move = AddressBits'(TurnRounds * LINE - BackX + (row_carry ? LINE : 0));
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      read_q <= AddressBits'(StartRounds * LINE);
      row_turn_q <= RowBankBits'(StartBanks);
      col_turn_q <= '0;
    end else if (go_i) begin
      read_q <= read_q + move;
      if (x_next) begin
        if (x_last) col_turn_q <= '0;
        else col_turn_q <= ColBankBits'(col_turn - (col_carry ? COL_BANKS : 0));
      end
      if (y_next) row_turn_q <= RowBankBits'(row_turn - (row_carry ? ROW_BANKS : 0));
    end
  end
  assign address_o  = read_q;
  assign row_turn_o = row_turn_q;
  assign col_turn_o = col_turn_q;

  // Taps outside of the frame.
  localparam int unsigned RowBits = LastY + LastDy > 0 ? $clog2(LastY + LastDy + 1) : 1;
  localparam int unsigned ColBits = LastX + LastDx > 0 ? $clog2(LastX + LastDx + 1) : 1;
  logic [RowBits-1:0] row;  // of the padded frame, that of the first tap
  logic [ColBits-1:0] col;
  logic [ROW_TAPS-1:0] above, below;
  logic [COL_TAPS-1:0] left, right;
  assign row = RowBits'(y_q) + RowBits'(dy_q);
  assign col = ColBits'(x_q) + ColBits'(dx_q);
  for (genvar k = 0; k < ROW_TAPS; k++) begin : gen_row_out
    if (PT > k * DH) begin : gen_above
      assign above[k] = 32'(row) < PT - k * DH;
    end else begin : gen_not_above
      assign above[k] = 1'b0;
    end
    assign below[k] = 32'(row) + k * DH >= PT + H;
  end
  for (genvar k = 0; k < COL_TAPS; k++) begin : gen_col_out
    if (PL > k * DW) begin : gen_left
      assign left[k] = 32'(col) < PL - k * DW;
    end else begin : gen_not_left
      assign left[k] = 1'b0;
    end
    assign right[k] = 32'(col) + k * DW >= PL + W;
  end
  assign row_out_o = above | below;
  assign col_out_o = left | right;

`ifdef FORMAL
  logic fresh;  // no beat of the row of positions was read
  logic [31:0] first_row;  // `row`, in the width of what it is added to
  logic [AddressBits-1:0] line;  // where that row begins, in the banks of the first tap
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  assign fresh = {x_q, dx_q, dy_q, fold_q} == '0;
  assign first_row = row;
  assign line = read_q - AddressBits'(x_q / COL_BANKS * FOLDS + dx_q * FOLDS + fold_q);
  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      assert (x_q <= LastX && x_q % SW == 0 && dx_q <= LastDx && dx_q % DW == 0);
      assert (y_q <= LastY && y_q % SH == 0 && dy_q <= LastDy && dy_q % DH == 0);
      assert (fold_q < FOLDS && row_turn_q < ROW_BANKS);
      assert (col_turn_q == x_q % COL_BANKS);
    end
  end
`endif
endmodule
