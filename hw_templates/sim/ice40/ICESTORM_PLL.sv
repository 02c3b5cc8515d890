// SPDX-License-Identifier: Apache-2.0
//
// Stands in for the iCE40's PLL as nextpnr packs it: the oscillator is the clock. It locks
// only where it is what nextpnr makes of an SB_PLL40_PAD that hwgq_pll_ice40 sets.
module ICESTORM_PLL #(
    parameter int unsigned PLLTYPE = 0,
    parameter logic [2:0] FEEDBACK_PATH = 0,
    parameter logic [3:0] DIVR = 0,
    parameter logic [6:0] DIVF = 0,
    parameter logic [2:0] DIVQ = 0,
    parameter logic [2:0] FILTER_RANGE = 0,
    parameter logic [3:0] FDA_RELATIVE = 0,
    parameter logic [3:0] FDA_FEEDBACK = 0,
    parameter logic [1:0] PLLOUT_SELECT_A = 0,
    parameter logic [1:0] PLLOUT_SELECT_B = 0,
    parameter bit ENABLE_ICEGATE_PORTA = 0,
    parameter bit ENABLE_ICEGATE_PORTB = 0,
    parameter bit SHIFTREG_DIVMODE = 0,
    parameter bit DELAY_ADJMODE_REL = 0,
    parameter bit DELAY_ADJMODE_FB = 0,
    parameter bit TEST_MODE = 0
) (
    input  logic REFERENCECLK,
    output logic PLLOUT_A_GLOBAL,
    output logic LOCK,
    input  logic RESETB,
    input  logic BYPASS
);
  localparam int unsigned Pad = 2;
  localparam logic [2:0] Simple = 1;
  localparam bit Set = PLLTYPE == Pad && FEEDBACK_PATH == Simple
      && |{DIVR, DIVF, DIVQ, FILTER_RANGE}
      && ~|{FDA_RELATIVE, FDA_FEEDBACK, PLLOUT_SELECT_A, PLLOUT_SELECT_B}
      && ~|{ENABLE_ICEGATE_PORTA, ENABLE_ICEGATE_PORTB, SHIFTREG_DIVMODE}
      && ~|{DELAY_ADJMODE_REL, DELAY_ADJMODE_FB, TEST_MODE};

  assign PLLOUT_A_GLOBAL = REFERENCECLK;
  assign LOCK = Set && RESETB && !BYPASS;
endmodule
