// SPDX-License-Identifier: Apache-2.0
//
// Stands in for the iCE40's PLL in simulation: the oscillator is the clock. It locks only
// where it is set and wired as hwgq_pll_ice40 does.
module SB_PLL40_PAD #(
    parameter logic [47:0] FEEDBACK_PATH = "SIMPLE",
    parameter logic [3:0] DIVR = 0,
    parameter logic [6:0] DIVF = 0,
    parameter logic [2:0] DIVQ = 0,
    parameter logic [2:0] FILTER_RANGE = 0
) (
    input  logic PACKAGEPIN,
    output logic PLLOUTGLOBAL,
    output logic LOCK,
    input  logic RESETB,
    input  logic BYPASS
);
  localparam logic [47:0] Simple = "SIMPLE";
  localparam bit Set = FEEDBACK_PATH == Simple && |{DIVR, DIVF, DIVQ, FILTER_RANGE};

  assign PLLOUTGLOBAL = PACKAGEPIN;
  assign LOCK = Set && RESETB && !BYPASS;
endmodule
