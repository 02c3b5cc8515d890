// SPDX-License-Identifier: Apache-2.0
//
// A block RAM of the ECP5, as far as yosys and nextpnr use it: yosys knows its pins, but
// has no model of it.
//
// Memory      1024 rows of 18 bits: two bytes, each of 8 bits and a parity. Row r starts
//             as 18 bits of INITVAL_(r / 16), from bit 20 * (r % 16).
// Widths      1, 2 and 4 bits leave the parities out, 9 are a byte, 18 a row, 36 two rows:
//             the even one is on the pins of port A, the odd one on those of port B. A port
//             that writes 18 or 36 bits has an enable for each byte on its lowest address
//             pins. In memories with a width of 36, port A writes and port B reads.
// Reading     A word follows its address by a cycle; where REGMODE is "OUTREG", by two. A
//             port that writes keeps its output ("NORMAL"), shows what was there
//             ("READBEFOREWRITE") or what is there now ("WRITETHROUGH"). RST clears the
//             output, whatever CE is; if RESETMODE is "SYNC", no word is written then.
//
// A port is at rest while one of its chip selects is high. Other modes stop elaboration.
module DP16KD #(
    parameter int unsigned DATA_WIDTH_A = 18,
    parameter int unsigned DATA_WIDTH_B = 18,
    parameter logic [119:0] REGMODE_A = "NOREG",
    parameter logic [119:0] REGMODE_B = "NOREG",
    parameter logic [119:0] RESETMODE = "SYNC",
    parameter logic [119:0] ASYNC_RESET_RELEASE = "SYNC",
    parameter logic [119:0] CSDECODE_A = "0b000",
    parameter logic [119:0] CSDECODE_B = "0b000",
    parameter logic [119:0] WRITEMODE_A = "NORMAL",
    parameter logic [119:0] WRITEMODE_B = "NORMAL",
    parameter logic [119:0] CLKAMUX = "CLKA",
    parameter logic [119:0] CLKBMUX = "CLKB",
    parameter logic [119:0] GSR = "DISABLED",
    parameter logic [319:0]
        INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0,
        INITVAL_05 = 0, INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0,
        INITVAL_0A = 0, INITVAL_0B = 0, INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0,
        INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0, INITVAL_12 = 0, INITVAL_13 = 0,
        INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0, INITVAL_18 = 0,
        INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0,
        INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0,
        INITVAL_23 = 0, INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0,
        INITVAL_28 = 0, INITVAL_29 = 0, INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0,
        INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0, INITVAL_30 = 0, INITVAL_31 = 0,
        INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0, INITVAL_36 = 0,
        INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
        INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
    input  logic
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6,
        DIA5, DIA4, DIA3, DIA2, DIA1, DIA0, ADA13, ADA12, ADA11, ADA10, ADA9, ADA8,
        ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0, CSA2, CSA1, CSA0, CEA, OCEA,
        CLKA, WEA, RSTA,
    input  logic
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6,
        DIB5, DIB4, DIB3, DIB2, DIB1, DIB0, ADB13, ADB12, ADB11, ADB10, ADB9, ADB8,
        ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0, CSB2, CSB1, CSB0, CEB, OCEB,
        CLKB, WEB, RSTB,
    output logic
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6,
        DOA5, DOA4, DOA3, DOA2, DOA1, DOA0, DOB17, DOB16, DOB15, DOB14, DOB13, DOB12,
        DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  localparam logic [119:0] None = "NOREG", Behind = "OUTREG";
  localparam logic [119:0] Sync = "SYNC", Async = "ASYNC";
  localparam logic [119:0] Normal = "NORMAL", Old = "READBEFOREWRITE", New = "WRITETHROUGH";
  localparam logic [119:0] Zero = "0b000", Disabled = "DISABLED", ClkA = "CLKA", ClkB = "CLKB";
  localparam bit Wide = DATA_WIDTH_A == 36 || DATA_WIDTH_B == 36;

  if (CSDECODE_A != Zero || CSDECODE_B != Zero) begin : gen_bad_decode
    $error("CSDECODE must be 0b000.");
  end
  if (CLKAMUX != ClkA || CLKBMUX != ClkB) begin : gen_bad_clock
    $error("CLKAMUX and CLKBMUX must not invert.");
  end
  if (GSR != Disabled) begin : gen_bad_gsr
    $error("GSR must be DISABLED.");
  end
  if (RESETMODE != ASYNC_RESET_RELEASE || (RESETMODE != Sync && RESETMODE != Async))
  begin : gen_bad_reset
    $error("RESETMODE and ASYNC_RESET_RELEASE must both be SYNC or both ASYNC.");
  end

  // --- Pins as vectors, port A in index 0.
  logic [35:0] data[2], shown[2];  // a narrow word lies lowest
  logic [13:0] address[2];
  logic [1:0] clk, rst, enable, out_enable, write;
  logic [17:0] data_a, data_b;

  assign data_a = {
      DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6,
      DIA5, DIA4, DIA3, DIA2, DIA1, DIA0
  };
  assign data_b = {
      DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6,
      DIB5, DIB4, DIB3, DIB2, DIB1, DIB0
  };
  assign data[0] = {data_b, data_a};
  assign data[1] = {18'd0, data_b};
  assign address[0] = {
      ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1,
      ADA0
  };
  assign address[1] = {
      ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1,
      ADB0
  };
  assign clk = {CLKB, CLKA};
  assign rst = {RSTB, RSTA};
  assign enable = {
      CEB && {CSB2, CSB1, CSB0} == '0, CEA && {CSA2, CSA1, CSA0} == '0
  };
  assign out_enable = {OCEB, OCEA};
  assign write = {WEB, WEA};
  assign {
      DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6,
      DOA5, DOA4, DOA3, DOA2, DOA1, DOA0
  } = Wide ? shown[1][17:0] : shown[0][17:0];
  assign {
      DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6,
      DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
  } = DATA_WIDTH_B == 36 ? shown[1][35:18] : shown[1][17:0];

  // --- The memory, two rows a word.
  localparam logic [64*320-1:0] Init = {
      INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A,
      INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34,
      INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
      INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
      INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22,
      INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
      INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
      INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
      INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
      INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
      INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };
  /* verilator lint_off MULTIDRIVEN */  // the device's memory has two clocks, too
  logic [35:0] memory[512];
  /* verilator lint_on MULTIDRIVEN */

  initial begin
    for (int row = 0; row < 1024; row++)
      memory[row/2][18*(row%2)+:18] = Init[320*(row/16)+20*(row%16)+:18];
  end

  for (genvar p = 0; p < 2; p++) begin : gen_port
    localparam int unsigned Width = p == 0 ? DATA_WIDTH_A : DATA_WIDTH_B;
    localparam logic [119:0] Writing = p == 0 ? WRITEMODE_A : WRITEMODE_B;
    localparam logic [119:0] Register = p == 0 ? REGMODE_A : REGMODE_B;

    if (!(Width == 1 || Width == 2 || Width == 4 || Width == 9 || Width == 18 || Width == 36))
    begin : gen_bad_width
      $error("DATA_WIDTH must be 1, 2, 4, 9, 18 or 36.");
    end
    if (Writing != Normal && Writing != Old && Writing != New) begin : gen_bad_writing
      $error("WRITEMODE must be NORMAL, READBEFOREWRITE or WRITETHROUGH.");
    end
    if (Register != None && Register != Behind) begin : gen_bad_register
      $error("REGMODE must be NOREG or OUTREG.");
    end

    logic [5:0] place;  // of the port's lowest bit in the memory's word
    logic [35:0] mask, was, is, word_q;
    logic clear, writes;

    // The lower the width, the more address bits: 4 is a half of a byte without parity.
    assign place = (Width <= 18 && address[p][4] ? 6'd18 : 6'd0)
        + (Width <= 9 && address[p][3] ? 6'd9 : 6'd0)
        + (Width <= 4 && address[p][2] ? 6'd4 : 6'd0)
        + (Width <= 2 && address[p][1] ? 6'd2 : 6'd0)
        + (Width <= 1 && address[p][0] ? 6'd1 : 6'd0);
    if (Width < 18) begin : gen_plain
      assign mask = 36'((1 << Width) - 1) << place;
    end else begin : gen_bytes
      logic [35:0] bytes;
      for (genvar b = 0; b < 4; b++) begin : gen_byte
        assign bytes[9*b+:9] = {9{9 * b < Width && address[p][b]}};
      end
      assign mask = bytes << place;
    end

    assign clear = RESETMODE == Sync && rst[p];
    assign writes = enable[p] && write[p] && !clear;
    assign was = memory[address[p][13:5]];
    assign is = (was & ~mask) | ((data[p] << place) & mask);

    always_ff @(posedge clk[p]) begin
      for (int i = 0; i < 36; i++) if (writes && mask[i]) memory[address[p][13:5]][i] <= is[i];
    end

    logic drop;
    assign drop = RESETMODE == Async && rst[p];
    always_ff @(posedge clk[p] or posedge drop) begin
      if (drop) word_q <= '0;
      else if (clear) word_q <= '0;
      else if (enable[p] && !(write[p] && Writing == Normal))
        word_q <= (write[p] && Writing == New ? is : was) >> place;
    end

    if (Register == None) begin : gen_at_once
      logic unused;
      assign unused = out_enable[p];
      assign shown[p] = word_q;
    end else begin : gen_behind
      logic [35:0] behind_q;
      always_ff @(posedge clk[p] or posedge drop) begin
        if (drop) behind_q <= '0;
        else if (clear) behind_q <= '0;
        else if (out_enable[p]) behind_q <= word_q;
      end
      assign shown[p] = behind_q;
    end
  end
endmodule
