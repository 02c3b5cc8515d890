// SPDX-License-Identifier: Apache-2.0
//
// A logic cell of the iCE40, as nextpnr packs it: LUT, carry and flip-flop. It stands in
// for yosys' own model, which asks whether its pins float, as no Verilator design can.
//
// A cell that begins a chain with a constant has it in CIN_SET. Modes that our designs
// have no use for stop elaboration.
module ICESTORM_LC #(
    parameter logic [15:0] LUT_INIT = 0,
    parameter bit NEG_CLK = 0,
    parameter bit CARRY_ENABLE = 0,
    parameter bit DFF_ENABLE = 0,
    parameter bit SET_NORESET = 0,
    parameter bit ASYNC_SR = 0,
    parameter bit CIN_CONST = 0,
    parameter bit CIN_SET = 0
) (
    input  logic I0,
    input  logic I1,
    input  logic I2,
    input  logic I3,
    input  logic CIN,
    input  logic CLK,
    input  logic CEN,
    input  logic SR,
    output logic LO,
    output logic O,
    output logic COUT
);
  if (NEG_CLK || ASYNC_SR) begin : gen_bad_mode
    $error("NEG_CLK and ASYNC_SR must be 0.");
  end

  logic carry;
  assign carry = CIN_CONST ? CIN_SET : CIN;
  assign LO = LUT_INIT[{I3, I2, I1, I0}];
  assign COUT = CARRY_ENABLE && ((I1 && I2) || ((I1 || I2) && carry));

  if (DFF_ENABLE) begin : gen_register
    initial O = 1'b0;  // as the device wakes up
    always_ff @(posedge CLK) if (CEN) O <= SR ? SET_NORESET : LO;
  end else begin : gen_none
    logic unused;
    assign unused = &{CLK, CEN, SR, SET_NORESET};
    assign O = LO;
  end
endmodule
