// SPDX-License-Identifier: Apache-2.0
//
// Stands in for the iCE40's PLL in simulation: the oscillator is the clock.
module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "SIMPLE",
    parameter DIVR = 4'd0,
    parameter DIVF = 7'd0,
    parameter DIVQ = 3'd0,
    parameter FILTER_RANGE = 3'd0
) (
    input  logic PACKAGEPIN,
    output logic PLLOUTGLOBAL,
    output logic LOCK,
    input  logic RESETB,
    input  logic BYPASS
);
  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = RESETB && !BYPASS;
endmodule
