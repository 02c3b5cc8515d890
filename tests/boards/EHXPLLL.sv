// SPDX-License-Identifier: Apache-2.0
// The vendor's PLL as far as our designs use it: a clock that is always steady.
module EHXPLLL #(
    parameter PLLRST_ENA = "",
    parameter INTFB_WAKE = "",
    parameter STDBY_ENABLE = "",
    parameter DPHASE_SOURCE = "",
    parameter OUTDIVIDER_MUXA = "",
    parameter OUTDIVIDER_MUXB = "",
    parameter OUTDIVIDER_MUXC = "",
    parameter OUTDIVIDER_MUXD = "",
    parameter CLKOP_ENABLE = "",
    parameter FEEDBK_PATH = "",
    parameter int unsigned CLKI_DIV = 1,
    parameter int unsigned CLKFB_DIV = 1,
    parameter int unsigned CLKOP_DIV = 1,
    parameter int unsigned CLKOP_CPHASE = 0,
    parameter int unsigned CLKOP_FPHASE = 0
) (
    input  logic CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1,
    input  logic PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC, ENCLKOP,
    output logic CLKOP, LOCK
);
  localparam bit Set = PLLRST_ENA == INTFB_WAKE && STDBY_ENABLE == DPHASE_SOURCE
      && OUTDIVIDER_MUXA != OUTDIVIDER_MUXB && OUTDIVIDER_MUXC != OUTDIVIDER_MUXD
      && CLKOP_ENABLE == "ENABLED" && FEEDBK_PATH == "CLKOP"
      && CLKOP_DIV == CLKOP_CPHASE + 1 && CLKI_DIV + CLKFB_DIV + CLKOP_FPHASE > 0;
  assign CLKOP = CLKI;
  assign LOCK = Set && CLKFB && !(RST || STDBY || PHASESEL0 || PHASESEL1 || ENCLKOP
      || PLLWAKESYNC) && PHASEDIR && PHASESTEP && PHASELOADREG;
endmodule
