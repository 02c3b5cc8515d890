// SPDX-License-Identifier: Apache-2.0
//
// Stands in for the ECP5's PLL in simulation: the oscillator is the clock. It locks only
// where it is set and wired as hwgq_pll_ecp5 does.
module EHXPLLL #(
    parameter logic [63:0] PLLRST_ENA = "",
    parameter logic [63:0] INTFB_WAKE = "",
    parameter logic [63:0] STDBY_ENABLE = "",
    parameter logic [63:0] DPHASE_SOURCE = "",
    parameter logic [63:0] OUTDIVIDER_MUXA = "",
    parameter logic [63:0] OUTDIVIDER_MUXB = "",
    parameter logic [63:0] OUTDIVIDER_MUXC = "",
    parameter logic [63:0] OUTDIVIDER_MUXD = "",
    parameter logic [63:0] CLKOP_ENABLE = "",
    parameter logic [63:0] FEEDBK_PATH = "",
    parameter int unsigned CLKI_DIV = 1,
    parameter int unsigned CLKFB_DIV = 1,
    parameter int unsigned CLKOP_DIV = 1,
    parameter int unsigned CLKOP_CPHASE = 0,
    parameter int unsigned CLKOP_FPHASE = 0
) (
    input  logic CLKI,
    input  logic CLKFB,
    input  logic RST,
    input  logic STDBY,
    input  logic PHASESEL0,
    input  logic PHASESEL1,
    input  logic PHASEDIR,
    input  logic PHASESTEP,
    input  logic PHASELOADREG,
    input  logic PLLWAKESYNC,
    input  logic ENCLKOP,
    output logic CLKOP,
    output logic LOCK
);
  localparam logic [63:0] Off = "DISABLED", On = "ENABLED", Op = "CLKOP";
  localparam logic [63:0] A = "DIVA", B = "DIVB", C = "DIVC", D = "DIVD";
  localparam bit Set = PLLRST_ENA == Off && INTFB_WAKE == Off && STDBY_ENABLE == Off
      && DPHASE_SOURCE == Off && OUTDIVIDER_MUXA == A && OUTDIVIDER_MUXB == B
      && OUTDIVIDER_MUXC == C && OUTDIVIDER_MUXD == D && CLKOP_ENABLE == On
      && FEEDBK_PATH == Op && CLKOP_DIV == CLKOP_CPHASE + 1 && CLKOP_FPHASE == 0
      && CLKI_DIV > 0 && CLKFB_DIV > 0;

  logic unused;
  assign unused = CLKFB;
  assign CLKOP = CLKI;
  assign LOCK = Set && PHASEDIR && PHASESTEP && PHASELOADREG
      && !(RST || STDBY || PHASESEL0 || PHASESEL1 || PLLWAKESYNC || ENCLKOP);
endmodule
