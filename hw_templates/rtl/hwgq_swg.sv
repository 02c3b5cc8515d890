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

  // Rows and columns of the kernel in a beat, and so many banks that each lies in its own.
  localparam int unsigned RowTaps = P > KW * C ? KH : 1;
  localparam int unsigned ColTaps = P > C ? KW : 1;
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
  localparam int unsigned Folds = C / WORD;  // words of a pixel
  localparam int unsigned ExtentH = DH * (KH - 1) + 1;
  // Words of a row in a bank, and of a bank.
  localparam int unsigned Line = ((PL + W - 1) / ColBanks - PL / ColBanks + 1) * Folds;
  localparam int unsigned Ring = (DEPTH + RowBanks - 1) / RowBanks * Line;
  localparam int unsigned LastY = (OH - 1) * SH;
  localparam int unsigned YBits = LastY > 0 ? $clog2(LastY + 1) : 1;
  localparam int unsigned AddressBits = Ring > 1 ? $clog2(Ring) : 1;
  localparam int unsigned RowBankBits = RowBanks > 1 ? $clog2(RowBanks) : 1;
  localparam int unsigned ColBankBits = ColBanks > 1 ? $clog2(ColBanks) : 1;

  // Stage 1: what the banks hold. Stage 2: the output. Each takes what it can.
  logic rows_ready, valid_q, take, out_take, go;
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
  end

  logic push, row_written, row_read;
  logic [YBits-1:0] y;
  assign push = in_valid_i && in_ready_o;

  hwgq_swg_rows #(
      .H(H),
      .OH(OH),
      .SH(SH),
      .PT(PT),
      .EXTENT(ExtentH),
      .DEPTH(DEPTH)
  ) u_rows (
      .clk_i,
      .rst_i,
      .came_i(row_written),
      .read_i(row_read),
      .y_i(y),
      .room_o(in_ready_o),
      .ready_o(rows_ready)
  );

  logic [AddressBits-1:0] address;
  logic [RowBankBits-1:0] row_turn;
  logic [ColBankBits-1:0] col_turn;
  logic [RowTaps-1:0] row_out;
  logic [ColTaps-1:0] col_out;

  hwgq_swg_reader #(
      .H(H),
      .W(W),
      .OH(OH),
      .OW(OW),
      .KH(KH),
      .KW(KW),
      .SH(SH),
      .SW(SW),
      .DH(DH),
      .DW(DW),
      .PT(PT),
      .PL(PL),
      .FOLDS(Folds),
      .GROUPED(GROUPED),
      .ROW_TAPS(RowTaps),
      .COL_TAPS(ColTaps),
      .ROW_BANKS(RowBanks),
      .COL_BANKS(ColBanks),
      .LINE(Line),
      .RING(Ring)
  ) u_reader (
      .clk_i,
      .rst_i,
      .go_i(go),
      .row_read_o(row_read),
      .y_o(y),
      .address_o(address),
      .row_turn_o(row_turn),
      .col_turn_o(col_turn),
      .row_out_o(row_out),
      .col_out_o(col_out)
  );

  logic [P*BITS-1:0] words;  // of the taps in order, each plane-major

  hwgq_swg_banks #(
      .W(W),
      .PL(PL),
      .FOLDS(Folds),
      .WORD(WORD),
      .BITS(BITS),
      .PAD_CODE(PAD_CODE),
      .ROW_TAPS(RowTaps),
      .COL_TAPS(ColTaps),
      .DH(DH),
      .DW(DW),
      .ROW_BANKS(RowBanks),
      .COL_BANKS(ColBanks),
      .LINE(Line),
      .RING(Ring)
  ) u_banks (
      .clk_i,
      .rst_i,
      .write_i(push),
      .write_data_i(in_data_i),
      .row_written_o(row_written),
      .read_i(go),
      .address_i(address),
      .row_turn_i(row_turn),
      .col_turn_i(col_turn),
      .row_out_i(row_out),
      .col_out_i(col_out),
      .words_o(words)
  );

  for (genvar t = 0; t < P / WORD; t++) begin : gen_tap
    for (genvar b = 0; b < BITS; b++) begin : gen_plane
      always_ff @(posedge clk_i)
        if (out_take) out_data_o[b*P+t*WORD+:WORD] <= words[(t*BITS+b)*WORD+:WORD];
    end
  end

`ifdef FORMAL
  // Signals from inside the modules; the proof's script joins them. Of the frame that is
  // read: rows that came; of the padded frame, the row that is read; whether no beat of
  // the row of positions was read. Where the row that is read and the one that is written
  // begin in their banks; the row bank of the latter.
  logic [31:0] came, read_row;
  logic read_fresh;
  logic [AddressBits-1:0] read_line, write_line;
  logic [RowBankBits-1:0] write_row;
  // Rounds of the row banks from the row that is read to the one that is written, and some
  // more so that there are no negative numbers.
  localparam int unsigned More = 2 * H + SH + ExtentH;
  logic [31:0] between;
  logic [3:0] read_beats_q;
  logic started_q = 1'b0;

  assign between = came + PT - read_row + row_turn - write_row + More * RowBanks;

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (rst_i) read_beats_q <= '0;
    else read_beats_q <= read_beats_q + go - (out_valid_o && out_ready_i);
  end

  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      // A row of positions is not begun before its rows are there.
      assert (rows_ready || read_fresh);
      // Beats: all that were read are in the two registers.
      assert (read_beats_q == valid_q + out_valid_o);
      // Addresses are those of the pixels that are counted.
      assert (between % RowBanks == 0);
      assert (AddressBits'(write_line - read_line)
              == AddressBits'((between / RowBanks - More) * Line));
    end
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i) && $past(out_valid_o && !out_ready_i)) begin
      assert (out_valid_o);
      assert ($stable(out_data_o));
    end
`endif
endmodule
