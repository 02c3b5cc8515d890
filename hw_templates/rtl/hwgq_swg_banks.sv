// SPDX-License-Identifier: Apache-2.0
//
// Ring memory of a sliding-window generator, in banks: words of pixels go in as they
// come, out come those under ROW_TAPS rows and COL_TAPS columns of a kernel at once.
//
// Banks       Row r of all that ever came lies in row bank r % ROW_BANKS, column c of it
//             in column bank (PL + c) % COL_BANKS. In a bank the words of a row follow
//             each other, and then the next row, LINE words after the start of the one
//             before: addresses are linear, modulo the ring's size, which is the power
//             of two from RING on.
// Write       With `write_i`, `write_data_i` is the next word, in raster order, FOLDS of
//             a pixel; `row_written_o` in that cycle says that it ends its row.
// Read        With `read_i`, tap (0, 0) lies in row bank `row_turn_i` and column bank
//             `col_turn_i`, where `address_i` leads; tap (r, c) lies r*DH rows below and
//             c*DW columns to the right. It must not be written in that cycle, unless
//             `row_out_i[r]` or `col_out_i[c]` says that it lies outside of the frame.
// Latency     `words_o` are those of the last read from the next cycle on: the word of
//             tap (r, c) at r*COL_TAPS + c, or PAD_CODE in all channels outside of the
//             frame. Words are plane-major (bit b of element n at b*WORD + n).
// Form        A block RAM of two ports for each row bank and column bank, adders for its
//             address, multiplexers that turn what the banks hold into the order of taps.
module hwgq_swg_banks #(
    parameter int unsigned W = 6,          // columns of a frame
    parameter int unsigned PL = 1,         // columns of the first position left of it
    parameter int unsigned FOLDS = 2,      // words of a pixel; above 1 COL_TAPS is 1
    parameter int unsigned WORD = 2,       // elements of a word
    parameter int unsigned BITS = 2,       // bits of an element
    parameter int unsigned PAD_CODE = 0,   // what lies outside the frame
    parameter int unsigned ROW_TAPS = 1,   // rows of the kernel that are read at once
    parameter int unsigned COL_TAPS = 1,   // columns of the kernel that are read at once
    parameter int unsigned DH = 1,         // rows from one tap to the next
    parameter int unsigned DW = 1,         // columns from one tap to the next
    parameter int unsigned ROW_BANKS = 1,  // so many that the taps lie in different ones
    parameter int unsigned COL_BANKS = 1,  // so many that the taps lie in different ones
    parameter int unsigned LINE = 12,      // words of a row in a bank
    parameter int unsigned RING = 48,      // words of a bank, at least
    // Derived; leave as it is.
    localparam int unsigned WordBits = WORD * BITS,
    localparam int unsigned AddressBits = RING > 1 ? $clog2(RING) : 1,
    localparam int unsigned RowBankBits = ROW_BANKS > 1 ? $clog2(ROW_BANKS) : 1,
    localparam int unsigned ColBankBits = COL_BANKS > 1 ? $clog2(COL_BANKS) : 1
) (
    input  logic                                  clk_i,
    input  logic                                  rst_i,
    input  logic                                  write_i,
    input  logic [                  WordBits-1:0] write_data_i,
    output logic                                  row_written_o,
    input  logic                                  read_i,
    input  logic [               AddressBits-1:0] address_i,
    input  logic [               RowBankBits-1:0] row_turn_i,
    input  logic [               ColBankBits-1:0] col_turn_i,
    input  logic [                  ROW_TAPS-1:0] row_out_i,
    input  logic [                  COL_TAPS-1:0] col_out_i,
    output logic [ROW_TAPS*COL_TAPS*WordBits-1:0] words_o
);
  if (PAD_CODE >> BITS != 0) begin : gen_bad_code
    $error("PAD_CODE (%0d) must fit BITS (%0d).", PAD_CODE, BITS);
  end
  if (FOLDS > 1 && COL_TAPS > 1) begin : gen_bad_folds
    $error("FOLDS (%0d) above 1 takes COL_TAPS (%0d) = 1.", FOLDS, COL_TAPS);
  end
  for (genvar k = 1; k < ROW_TAPS; k++) begin : gen_row_meet
    if (k * DH % ROW_BANKS == 0) begin : gen_bad_rows
      $error("ROW_TAPS (%0d) meet in ROW_BANKS (%0d).", ROW_TAPS, ROW_BANKS);
    end
  end
  for (genvar k = 1; k < COL_TAPS; k++) begin : gen_col_meet
    if (k * DW % COL_BANKS == 0) begin : gen_bad_cols
      $error("COL_TAPS (%0d) meet in COL_BANKS (%0d).", COL_TAPS, COL_BANKS);
    end
  end
  if (LINE < ((PL + W - 1) / COL_BANKS - PL / COL_BANKS + 1) * FOLDS || RING < LINE)
  begin : gen_bad_line
    $error("LINE (%0d) must hold a bank's words of a row, RING (%0d) LINE.", LINE, RING);
  end

  // Writer. Negative numbers are meant modulo 2^32, and then modulo the ring's size.
  localparam int unsigned RowBits = W * FOLDS > 1 ? $clog2(W * FOLDS) : 1;
  logic [RowBits-1:0] word_q;  // of its row
  logic [AddressBits-1:0] write_q;
  logic [RowBankBits-1:0] write_row_q;
  logic [ColBankBits-1:0] write_col_q;
  logic write_row_last, write_col_last;

  assign row_written_o = write_i && word_q == RowBits'(W * FOLDS - 1);
  assign write_row_last = write_row_q == RowBankBits'(ROW_BANKS - 1);
  assign write_col_last = write_col_q == ColBankBits'(COL_BANKS - 1);

  always_ff @(posedge clk_i) begin
    if (rst_i) begin
      word_q <= '0;
      write_q <= AddressBits'(PL / COL_BANKS * FOLDS);
      write_row_q <= '0;
      write_col_q <= ColBankBits'(PL % COL_BANKS);
    end else if (write_i) begin
      word_q <= row_written_o ? '0 : word_q + 1'b1;
      if (row_written_o) begin
        write_row_q <= write_row_last ? '0 : write_row_q + 1'b1;
        write_col_q <= ColBankBits'(PL % COL_BANKS);
        write_q <= write_q + AddressBits'(write_row_last ? 1 : 1 - LINE);
      end else begin
        write_col_q <= write_col_last ? '0 : write_col_q + 1'b1;
        write_q <= write_q + AddressBits'(write_col_last);
      end
    end
  end

  // What the banks hold, and how it was read.
  logic [ROW_TAPS-1:0] row_out_q;
  logic [COL_TAPS-1:0] col_out_q;
  logic [RowBankBits-1:0] row_turn_q;
  logic [ColBankBits-1:0] col_turn_q;
  logic [ROW_BANKS*COL_BANKS*WordBits-1:0] found;

  always_ff @(posedge clk_i)
    if (read_i) begin
      row_out_q  <= row_out_i;
      col_out_q  <= col_out_i;
      row_turn_q <= row_turn_i;
      col_turn_q <= col_turn_i;
    end

  for (genvar i = 0; i < ROW_BANKS; i++) begin : gen_row_bank
    logic [AddressBits-1:0] row_offset;
    always_comb begin
      row_offset = '0;
      for (int unsigned m = 0; m < ROW_BANKS; m++)
        for (int unsigned k = 0; k < ROW_TAPS; k++)
          if ((m + k * DH) % ROW_BANKS == i && row_turn_i == RowBankBits'(m))
            row_offset = AddressBits'((m + k * DH) / ROW_BANKS * LINE);
    end
    for (genvar j = 0; j < COL_BANKS; j++) begin : gen_col_bank
      // A word that is read for a tap inside the frame is not being written.
      (* ram_style = "block", no_rw_check *)
      logic [WordBits-1:0] memory[2**AddressBits];
      logic [WordBits-1:0] read_word_q;
      logic [AddressBits-1:0] col_offset;
      always_comb begin
        col_offset = '0;
        for (int unsigned m = 0; m < COL_BANKS; m++)
          for (int unsigned k = 0; k < COL_TAPS; k++)
            if ((m + k * DW) % COL_BANKS == j && col_turn_i == ColBankBits'(m))
              col_offset = AddressBits'((m + k * DW) / COL_BANKS);
      end
`ifdef FORMAL
      logic row_used, col_used;  // by a tap inside the frame
      always_comb begin
        row_used = 1'b0;
        col_used = 1'b0;
        for (int unsigned k = 0; k < ROW_TAPS; k++)
          if ((row_turn_i + k * DH) % ROW_BANKS == i) row_used = !row_out_i[k];
        for (int unsigned k = 0; k < COL_TAPS; k++)
          if ((col_turn_i + k * DW) % COL_BANKS == j) col_used = !col_out_i[k];
        if (started_q && read_i && row_used && col_used) assert (
            !write_i || write_row_q != i || write_col_q != j
            || write_q != AddressBits'(address_i + row_offset + col_offset));
      end
`endif
      always_ff @(posedge clk_i) begin
        if (write_i && write_row_q == RowBankBits'(i) && write_col_q == ColBankBits'(j))
          memory[write_q] <= write_data_i;
        if (read_i) read_word_q <= memory[address_i+row_offset+col_offset];
      end
      assign found[(i*COL_BANKS+j)*WordBits+:WordBits] = read_word_q;
    end
  end

  for (genvar r = 0; r < ROW_TAPS; r++) begin : gen_row_tap
    logic [COL_BANKS*WordBits-1:0] row;  // of the kernel, in the order of the banks
    always_comb begin
      row = found[r*DH%ROW_BANKS*COL_BANKS*WordBits+:COL_BANKS*WordBits];
      for (int unsigned m = 1; m < ROW_BANKS; m++)
        if (row_turn_q == RowBankBits'(m))
          row = found[(m+r*DH)%ROW_BANKS*COL_BANKS*WordBits+:COL_BANKS*WordBits];
    end
    for (genvar c = 0; c < COL_TAPS; c++) begin : gen_col_tap
      logic [WordBits-1:0] word;
      always_comb begin
        word = row[c*DW%COL_BANKS*WordBits+:WordBits];
        for (int unsigned m = 1; m < COL_BANKS; m++)
          if (col_turn_q == ColBankBits'(m))
            word = row[(m+c*DW)%COL_BANKS*WordBits+:WordBits];
      end
      for (genvar b = 0; b < BITS; b++) begin : gen_plane
        assign words_o[((r*COL_TAPS+c)*BITS+b)*WORD+:WORD] =
            row_out_q[r] || col_out_q[c] ? {WORD{1'(PAD_CODE >> b)}} : word[b*WORD+:WORD];
      end
    end
  end

`ifdef FORMAL
  logic [AddressBits-1:0] line;  // where the row that is written begins, in its banks
  logic started_q = 1'b0;
  always_ff @(posedge clk_i) started_q <= 1'b1;

  assign line = write_q - AddressBits'((PL * FOLDS + word_q) / COL_BANKS);
  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      assert (word_q < W * FOLDS && write_row_q < ROW_BANKS);
      assert (write_col_q == (PL + word_q) % COL_BANKS);
    end
  end
`endif
endmodule
