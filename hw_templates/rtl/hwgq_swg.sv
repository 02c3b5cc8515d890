// SPDX-License-Identifier: Apache-2.0
//
// Sliding-window generator (SWG): from frames of pixels to what lies under a window.
//
// A tap (kh, kw) of position (oh, ow) is the pixel in row oh*SH + kh*DH - PT and column
// ow*SW + kw*DW - PL, or PAD_CODE in all channels where that lies outside the frame.
// Padding below and to the right follows from OH and OW; pixels that no window meets
// are taken and dropped.
//
// Cycles      The larger of H * W * C / WORD, beats in, and OH * OW * KH * KW * C / P,
//             beats out, without a gap between rows or frames while DEPTH allows it (see
//             rows_held in compile/line_buffer.py): rows of the next frame follow in the
//             ring as if the image went on.
// Latency     A row of positions begins when the last row that it needs is whole and the
//             row of positions before it was read: its first beat is at the output 3
//             cycles after that last row's last beat was taken, the others follow, one a
//             cycle. (A beat is read from the ring in the next cycle, lies in a register
//             behind it in the second, and in that of the output in the third.)
// Rows        With the read of the last beat of row oh of positions, two cycles before
//             that beat can leave, the rows above (oh + 1)*SH - PT become free, after the
//             last row of positions all H of them, also those that have yet to come. In
//             the next cycle a beat of a new row may enter: while DEPTH, plus the rows
//             that were freed, less those that were wholly taken, is above zero.
// Streams     In: rasters of beats of WORD = min(P, C) channels. Out: for every position
//             in raster order, beats of P elements in the order (kh, kw, channel), or
//             with GROUPED (group of WORD channels, kh, kw, channel of the group). All
//             plane-major (bit b of element n at b*N + n). The registers at the output
//             hold two beats. `in_ready_o` does not depend on `out_ready_i`.
// Form        One block RAM of two ports, its depth a power of two; for P above C one
//             for each column (and row) of the kernel, or more where dilated taps would
//             meet in one, and multiplexers that turn what they hold into its order.
module hwgq_swg #(
    parameter int unsigned C = 4,         // channels of a pixel
    parameter int unsigned H = 6,         // rows of a frame
    parameter int unsigned W = 6,         // columns of a frame
    parameter int unsigned OH = 6,        // rows of positions
    parameter int unsigned OW = 6,        // columns of positions
    parameter int unsigned KH = 3,        // rows of the kernel
    parameter int unsigned KW = 3,        // columns of the kernel
    parameter int unsigned SH = 1,        // rows from one position to the next
    parameter int unsigned SW = 1,        // columns from one position to the next
    parameter int unsigned DH = 1,        // rows from one tap to the next
    parameter int unsigned DW = 1,        // columns from one tap to the next
    parameter int unsigned PT = 1,        // rows of the first position above the frame
    parameter int unsigned PL = 1,        // columns of the first position left of it
    parameter int unsigned BITS = 2,      // bits of an element
    parameter int unsigned P = 2,         // divides C, or is KW * C or KH * KW * C
    parameter int unsigned GROUPED = 0,   // 1: a group of WORD channels after the other
    parameter int unsigned PAD_CODE = 0,  // what lies outside the frame
    parameter int unsigned DEPTH = 4,     // rows held, at least the rows under a window
    // Derived; leave as it is.
    localparam int unsigned WORD = P < 1 || C < 1 ? 1 : (P < C ? P : C)
) (
    input  logic                 clk_i,
    input  logic                 rst_i,
    input  logic [WORD*BITS-1:0] in_data_i,
    input  logic                 in_valid_i,
    output logic                 in_ready_o,
    output logic [   P*BITS-1:0] out_data_o,
    output logic                 out_valid_o,
    input  logic                 out_ready_i
);
  if (C < 1 || H < 1 || W < 1 || OH < 1 || OW < 1 || BITS < 1) begin : gen_bad_size
    $error("C, H, W, OH, OW and BITS must be at least 1.");
  end
  if (KH < 1 || KW < 1 || SH < 1 || SW < 1 || DH < 1 || DW < 1) begin : gen_bad_window
    $error("KH, KW, SH, SW, DH and DW must be at least 1.");
  end
  if (P < 1 || (C % P != 0 && P != KW * C && P != KH * KW * C)) begin : gen_bad_p
    $error("P (%0d) must divide C (%0d), or be KW * C or KH * KW * C.", P, C);
  end
  if (GROUPED > 1) begin : gen_bad_order
    $error("GROUPED (%0d) must be 0 or 1.", GROUPED);
  end
  if (PAD_CODE >> BITS != 0) begin : gen_bad_code
    $error("PAD_CODE (%0d) must fit BITS (%0d).", PAD_CODE, BITS);
  end
  if (DEPTH < (ExtentH < H ? ExtentH : H)) begin : gen_bad_depth
    $error("DEPTH (%0d) must be at least the rows under a window.", DEPTH);
  end

  // Negative numbers below are meant modulo 2^32, and then modulo the ring's size.
  localparam int unsigned ExtentH = DH * (KH - 1) + 1;
  localparam int unsigned RowTaps = P > KW * C ? KH : 1;  // of the kernel in a beat
  localparam int unsigned ColTaps = P > C ? KW : 1;
  localparam int unsigned Folds = C / WORD;  // groups of channels

  // Row r of all that ever came lies in row bank r % RowBanks, column c in column bank
  // (PL + c) % ColBanks; the taps of a beat must lie in different banks.
  function automatic int unsigned banks(input int unsigned taps, input int unsigned gap);
    int unsigned same;
    banks = taps;
    same  = taps > 1 ? 1 : 0;
    while (same != 0) begin
      same = 0;
      for (int unsigned k = 1; k < taps; k++) if (k * gap % banks == 0) same = 1;
      if (same != 0) banks = banks + 1;
    end
  endfunction
  localparam int unsigned RowBanks = banks(RowTaps, DH);
  localparam int unsigned ColBanks = banks(ColTaps, DW);
  // In a bank, words of a row follow each other, and rows: the address is linear.
  localparam int unsigned Line = ((PL + W - 1) / ColBanks - PL / ColBanks + 1) * Folds;
  localparam int unsigned Ring = (DEPTH + RowBanks - 1) / RowBanks * Line;
  localparam int unsigned AddressBits = Ring > 1 ? $clog2(Ring) : 1;

  // Writer. Whole rows count, in `space_q` and `ahead_q`.
  localparam int unsigned RowBits = W * Folds > 1 ? $clog2(W * Folds) : 1;
  localparam int unsigned RowBankBits = RowBanks > 1 ? $clog2(RowBanks) : 1;
  localparam int unsigned ColBankBits = ColBanks > 1 ? $clog2(ColBanks) : 1;
  logic push, row_written;
  logic [RowBits-1:0] word_q;  // of its row
  logic [AddressBits-1:0] write_q;
  logic [RowBankBits-1:0] write_row_q;
  logic [ColBankBits-1:0] write_col_q;
  logic write_row_last, write_col_last;

  assign push = in_valid_i && in_ready_o;
  assign row_written = push && word_q == RowBits'(W * Folds - 1);
  assign write_row_last = write_row_q == RowBankBits'(RowBanks - 1);
  assign write_col_last = write_col_q == ColBankBits'(ColBanks - 1);

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      word_q <= '0;
      write_q <= AddressBits'(PL / ColBanks * Folds);
      write_row_q <= '0;
      write_col_q <= ColBankBits'(PL % ColBanks);
    end else if (push) begin
      word_q <= row_written ? '0 : word_q + 1'b1;
      if (row_written) begin
        write_row_q <= write_row_last ? '0 : write_row_q + 1'b1;
        write_col_q <= ColBankBits'(PL % ColBanks);
        write_q <= write_q + AddressBits'(write_row_last ? 1 : 1 - Line);
      end else begin
        write_col_q <= write_col_last ? '0 : write_col_q + 1'b1;
        write_q <= write_q + AddressBits'(write_col_last);
      end
    end
  end

  // Reader: loops over positions, the kernel and groups of channels. Those over rows and
  // columns count pixels.
  localparam int unsigned LastX = (OW - 1) * SW;
  localparam int unsigned LastY = (OH - 1) * SH;
  localparam int unsigned LastDx = KW > ColTaps ? (KW - 1) * DW : 0;
  localparam int unsigned LastDy = KH > RowTaps ? (KH - 1) * DH : 0;
  localparam int unsigned FoldBits = Folds > 1 ? $clog2(Folds) : 1;
  localparam int unsigned XBits = LastX > 0 ? $clog2(LastX + 1) : 1;
  localparam int unsigned YBits = LastY > 0 ? $clog2(LastY + 1) : 1;
  localparam int unsigned DxBits = LastDx > 0 ? $clog2(LastDx + 1) : 1;
  localparam int unsigned DyBits = LastDy > 0 ? $clog2(LastDy + 1) : 1;
  logic go;
  logic fold_last, dx_last, dy_last, x_last, y_last;  // rounds
  logic fold_next, dx_next, dy_next, x_next, y_next;  // a further round begins
  logic [FoldBits-1:0] fold_q;
  logic [DxBits-1:0] dx_q;
  logic [DyBits-1:0] dy_q;
  logic [XBits-1:0] x_q;
  logic [YBits-1:0] y_q;

  assign fold_last = fold_q == FoldBits'(Folds - 1);
  assign dx_last = dx_q == DxBits'(LastDx);
  assign dy_last = dy_q == DyBits'(LastDy);
  assign x_last = x_q == XBits'(LastX);
  assign y_last = y_q == YBits'(LastY);
  assign dx_next = go && (GROUPED != 0 || fold_last);
  assign dy_next = dx_next && dx_last;
  assign fold_next = go && (GROUPED == 0 || (dx_last && dy_last));
  assign x_next = go && fold_last && dx_last && dy_last;
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

  // Rows of the frame above row `y` of the padded frame.
  function automatic int unsigned rows_above(input int unsigned y);
    rows_above = y <= PT ? 0 : (y - PT < H ? y - PT : H);
  endfunction
  // First of y = 0, SH, 2*SH ... for which y + SH + extent is at least `goal`.
  function automatic int unsigned reaching(input int unsigned goal, extent);
    reaching = goal <= SH + extent ? 0 : (goal - extent - 1) / SH * SH;
  endfunction

  // Whole rows. `space_q`: DEPTH, and rows that are free, less those that came; `ahead_q`:
  // rows that came, less those that this row of positions and all before it need.
  localparam int unsigned Needed = rows_above(LastY + ExtentH);  // the last of them
  localparam int unsigned NeedTurn = H - Needed + rows_above(ExtentH);
  localparam int unsigned NeedMost = NeedTurn > SH ? NeedTurn : SH;
  // Most rows that are free before they come.
  localparam int unsigned FreeEarly =
      SH > ExtentH && SH - ExtentH > H - Needed ? SH - ExtentH : H - Needed;
  localparam int unsigned SpaceBits = $clog2(DEPTH + FreeEarly + 1);
  localparam int unsigned AheadBits = $clog2((DEPTH > NeedMost ? DEPTH : NeedMost) + 1) + 1;
  logic [SpaceBits-1:0] space_q;
  logic [AheadBits-1:0] ahead_q;  // in two's complement
  logic [2*32-1:0] more;  // with the next row: rows that become free; that it needs
  logic rows_ready;

  for (genvar i = 0; i < 2; i++) begin : gen_more
    // From `Top` the window's end moves over the frame, at `End` it reaches its bottom.
    localparam int unsigned Extent = i == 0 ? 0 : ExtentH;
    localparam int unsigned Top = reaching(PT + 1, Extent);
    localparam int unsigned End = reaching(PT + H, Extent);
    localparam int unsigned AtTop = rows_above(Top + SH + Extent) - rows_above(Top + Extent);
    localparam int unsigned AtEnd = rows_above(End + SH + Extent) - rows_above(End + Extent);
    always_comb begin
      more[i*32+:32] = '0;
      if (32'(y_q) <= End) more[i*32+:32] = 32'(y_q) == End ? AtEnd : SH;
      if (32'(y_q) <= Top) more[i*32+:32] = 32'(y_q) == Top ? AtTop : '0;
      if (y_last) more[i*32+:32] = i == 0 ? H - rows_above(LastY) : NeedTurn;
    end
  end

  assign in_ready_o = space_q != '0;
  assign rows_ready = !ahead_q[AheadBits-1];
  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      space_q <= SpaceBits'(DEPTH);
      ahead_q <= AheadBits'(0 - rows_above(ExtentH));
    end else begin
      space_q <= space_q - SpaceBits'(row_written) + (y_next ? SpaceBits'(more[31:0]) : '0);
      ahead_q <= ahead_q + AheadBits'(row_written) - (y_next ? AheadBits'(more[63:32]) : '0);
    end
  end

  // Address of the first tap of a beat, in banks 0 + `turn`; each loop that begins a
  // further round ends those inside of it.
  localparam int unsigned BackDx = LastDx * Folds;
  localparam int unsigned BackDy = LastDy * Line;
  localparam int unsigned BackFold = Folds - 1;
  localparam int unsigned BackAll = BackFold + BackDx + BackDy;
  localparam int unsigned BackX = BackAll + LastX / ColBanks * Folds;
  // From the top row of the last positions to that of the next frame's first, and from
  // row bank 0 to the first of all: whole rounds of the row banks, and banks.
  localparam int unsigned Up = LastY > H ? LastY - H : 0;
  localparam int unsigned Down = LastY > H ? 0 : H - LastY;
  localparam int unsigned TurnBanks = (Down + RowBanks - Up % RowBanks) % RowBanks;
  localparam int unsigned TurnRounds =
      Down / RowBanks - (Up + RowBanks - 1) / RowBanks;
  localparam int unsigned StartBanks = (RowBanks - PT % RowBanks) % RowBanks;
  localparam int unsigned StartRounds = 0 - (PT + RowBanks - 1) / RowBanks;
  logic [AddressBits-1:0] read_q, move;
  logic [RowBankBits-1:0] row_turn_q;
  logic [ColBankBits-1:0] col_turn_q;
  logic [RowBankBits:0] row_turn;
  logic [ColBankBits:0] col_turn;
  logic row_carry, col_carry;

  assign row_turn = row_turn_q + (RowBankBits+1)'(y_last ? TurnBanks : SH % RowBanks);
  assign col_turn = col_turn_q + (ColBankBits+1)'(SW % ColBanks);
  assign row_carry = row_turn >= (RowBankBits+1)'(RowBanks);
  assign col_carry = col_turn >= (ColBankBits+1)'(ColBanks);

  always_comb begin
    if (GROUPED == 0 && !fold_last) move = AddressBits'(1);
    else if (!dx_last) move = AddressBits'(DW * Folds - (GROUPED == 0 ? BackFold : 0));
    else if (!dy_last)
      move = AddressBits'(DH * Line - BackDx - (GROUPED == 0 ? BackFold : 0));
    else if (!fold_last) move = AddressBits'(1 - BackDx - BackDy);
    else if (!x_last)
      move = AddressBits'(SW / ColBanks * Folds - BackAll) + AddressBits'(col_carry);
    else if (!y_last)
      move = AddressBits'(SH / RowBanks * Line - BackX + (row_carry ? Line : 0));
    else move = AddressBits'(TurnRounds * Line - BackX + (row_carry ? Line : 0));
  end

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      read_q <= AddressBits'(StartRounds * Line);
      row_turn_q <= RowBankBits'(StartBanks);
      col_turn_q <= '0;
    end else if (go) begin
      read_q <= read_q + move;
      if (x_next) begin
        if (x_last) col_turn_q <= '0;
        else col_turn_q <= ColBankBits'(col_turn - (col_carry ? ColBanks : 0));
      end
      if (y_next) row_turn_q <= RowBankBits'(row_turn - (row_carry ? RowBanks : 0));
    end
  end

  // Taps outside of the frame.
  logic [RowTaps-1:0] above, below;
  logic [ColTaps-1:0] left, right;
  for (genvar k = 0; k < RowTaps; k++) begin : gen_row_out
    if (PT > k * DH) begin : gen_above
      assign above[k] = 32'(y_q) + 32'(dy_q) < PT - k * DH;
    end else begin : gen_not_above
      assign above[k] = 1'b0;
    end
    assign below[k] = 32'(y_q) + 32'(dy_q) + k * DH >= PT + H;
  end
  for (genvar k = 0; k < ColTaps; k++) begin : gen_col_out
    if (PL > k * DW) begin : gen_left
      assign left[k] = 32'(x_q) + 32'(dx_q) < PL - k * DW;
    end else begin : gen_not_left
      assign left[k] = 1'b0;
    end
    assign right[k] = 32'(x_q) + 32'(dx_q) + k * DW >= PL + W;
  end

  // Stage 1: what the banks hold. Stage 2: the output. Each takes what it can.
  localparam int unsigned WordBits = WORD * BITS;
  logic valid_q, take, out_take;
  logic [RowTaps-1:0] row_out_q;
  logic [ColTaps-1:0] col_out_q;
  logic [RowBankBits-1:0] row_order_q;
  logic [ColBankBits-1:0] col_order_q;
  logic [RowBanks*ColBanks*WordBits-1:0] found;

  assign out_take = !out_valid_o || out_ready_i;
  assign take = !valid_q || out_take;
  assign go = rows_ready && take;

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      valid_q <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (take) valid_q <= rows_ready;
      if (out_take) out_valid_o <= valid_q;
    end
    if (take) begin
      row_out_q   <= above | below;
      col_out_q   <= left | right;
      row_order_q <= row_turn_q;
      col_order_q <= col_turn_q;
    end
  end

  for (genvar i = 0; i < RowBanks; i++) begin : gen_row_bank
    logic [AddressBits-1:0] row_offset;
    always_comb begin
      row_offset = '0;
      for (int unsigned m = 0; m < RowBanks; m++)
        for (int unsigned k = 0; k < RowTaps; k++)
          if ((m + k * DH) % RowBanks == i && row_turn_q == RowBankBits'(m))
            row_offset = AddressBits'((m + k * DH) / RowBanks * Line);
    end
    for (genvar j = 0; j < ColBanks; j++) begin : gen_col_bank
      // A word that is read for a tap inside the frame is not being written.
      (* ram_style = "block", no_rw_check *)
      logic [WordBits-1:0] memory[2**AddressBits];
      logic [WordBits-1:0] read_word_q;
      logic [AddressBits-1:0] col_offset;
      always_comb begin
        col_offset = '0;
        for (int unsigned m = 0; m < ColBanks; m++)
          for (int unsigned k = 0; k < ColTaps; k++)
            if ((m + k * DW) % ColBanks == j && col_turn_q == ColBankBits'(m))
              col_offset = AddressBits'((m + k * DW) / ColBanks);
      end
`ifdef FORMAL
      logic row_used, col_used;  // by a tap inside the frame
      always_comb begin
        row_used = 1'b0;
        col_used = 1'b0;
        for (int unsigned k = 0; k < RowTaps; k++)
          if ((row_turn_q + k * DH) % RowBanks == i) row_used = !above[k] && !below[k];
        for (int unsigned k = 0; k < ColTaps; k++)
          if ((col_turn_q + k * DW) % ColBanks == j) col_used = !left[k] && !right[k];
        if (started_q && go && row_used && col_used) assert (
            !push || write_row_q != i || write_col_q != j
            || write_q != AddressBits'(read_q + row_offset + col_offset));
      end
`endif
      always_ff @(posedge clk_i) begin
        if (push && write_row_q == RowBankBits'(i) && write_col_q == ColBankBits'(j))
          memory[write_q] <= in_data_i;
        if (go) read_word_q <= memory[read_q+row_offset+col_offset];
      end
      assign found[(i*ColBanks+j)*WordBits+:WordBits] = read_word_q;
    end
  end

  for (genvar r = 0; r < RowTaps; r++) begin : gen_row_tap
    logic [ColBanks*WordBits-1:0] row;  // of the kernel, in the order of the banks
    always_comb begin
      row = found[r*DH%RowBanks*ColBanks*WordBits+:ColBanks*WordBits];
      for (int unsigned m = 1; m < RowBanks; m++)
        if (row_order_q == RowBankBits'(m))
          row = found[(m+r*DH)%RowBanks*ColBanks*WordBits+:ColBanks*WordBits];
    end
    for (genvar c = 0; c < ColTaps; c++) begin : gen_col_tap
      localparam int unsigned First = (r * ColTaps + c) * WORD;
      logic [WordBits-1:0] word;
      always_comb begin
        word = row[c*DW%ColBanks*WordBits+:WordBits];
        for (int unsigned m = 1; m < ColBanks; m++)
          if (col_order_q == ColBankBits'(m))
            word = row[(m+c*DW)%ColBanks*WordBits+:WordBits];
      end
      for (genvar b = 0; b < BITS; b++) begin : gen_plane
        always_ff @(posedge clk_i)
          if (out_take) begin
            if (row_out_q[r] || col_out_q[c])
              out_data_o[b*P+First+:WORD] <= {WORD{1'(PAD_CODE >> b)}};
            else out_data_o[b*P+First+:WORD] <= word[b*WORD+:WORD];
          end
      end
    end
  end

`ifdef FORMAL
  // Of the frame that is read: rows that came, are free, are needed, and were needed by
  // the row of positions before; rounds of the row banks from the row that is read to the
  // one that is written, and some more so that there are no negative numbers.
  localparam int unsigned More = 2 * H + SH + ExtentH;
  logic signed [31:0] came, freed, needed, needed_before;
  logic [31:0] between;
  logic [3:0] read_beats_q;
  logic started_q = 1'b0;

  assign freed = rows_above(32'(y_q));
  assign needed = rows_above(32'(y_q) + ExtentH);
  assign came = $signed(ahead_q) + needed;
  assign needed_before = y_q == '0 ? Needed - H : rows_above(32'(y_q) + ExtentH - SH);
  assign between = came + PT - y_q - dy_q + row_turn_q - write_row_q + More * RowBanks;

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (rst_i) read_beats_q <= '0;
    else read_beats_q <= read_beats_q + go - (out_valid_o && out_ready_i);
  end

  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      // Rows: none is lost or overwritten, and either end can always go on.
      assert (space_q == DEPTH + freed - came);
      assert (came >= needed_before);
      assert (in_ready_o || rows_ready);
      assert (rows_ready || {x_q, dx_q, dy_q, fold_q} == '0);
      // Beats: all that were read are in the two registers.
      assert (read_beats_q == valid_q + out_valid_o);
      // Counters and addresses are those of the same pixels.
      assert (x_q <= LastX && x_q % SW == 0 && dx_q <= LastDx && dx_q % DW == 0);
      assert (y_q <= LastY && y_q % SH == 0 && dy_q <= LastDy && dy_q % DH == 0);
      assert (fold_q < Folds && word_q < W * Folds);
      assert (row_turn_q < RowBanks && write_row_q < RowBanks && between % RowBanks == 0);
      assert (col_turn_q == x_q % ColBanks && write_col_q == (PL + word_q) % ColBanks);
      assert (AddressBits'(write_q - read_q) == AddressBits'(
          (between / RowBanks - More) * Line + (PL * Folds + word_q) / ColBanks
          - x_q / ColBanks * Folds - dx_q * Folds - fold_q));
    end
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i) && $past(out_valid_o && !out_ready_i)) begin
      assert (out_valid_o);
      assert ($stable(out_data_o));
    end
`endif
endmodule
