// SPDX-License-Identifier: Apache-2.0
// The vendor's PLL as far as our designs use it: a clock that is always steady.
module SB_PLL40_PAD #(
    parameter FEEDBACK_PATH = "",
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
  assign PLLOUTGLOBAL = PACKAGEPIN && !BYPASS;
  assign LOCK = RESETB && FEEDBACK_PATH == "SIMPLE" && |{DIVR, DIVF, DIVQ, FILTER_RANGE};
endmodule
