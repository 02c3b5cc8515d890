// SPDX-License-Identifier: Apache-2.0
// The clock of a design on an ECP5, from the oscillator's pad.
//
// clk_o = osc_i * CLKFB_DIV / CLKI_DIV; CLKOP_DIV puts the PLL's own oscillator,
// clk_o * CLKOP_DIV, between 400 and 800 MHz.
// locked_o rises once clk_o is steady; it belongs to no clock.
module hwgq_pll_ecp5 #(
    parameter int unsigned CLKI_DIV  = 1,  // divider of the reference
    parameter int unsigned CLKFB_DIV = 1,  // divider of the feedback
    parameter int unsigned CLKOP_DIV = 1   // divider of the output
) (
    input  logic osc_i,
    output logic clk_o,
    output logic locked_o
);

  if (CLKI_DIV < 1 || CLKI_DIV > 128) begin : gen_bad_clki_div
    $error("CLKI_DIV (%0d) must be 1 to 128.", CLKI_DIV);
  end
  if (CLKFB_DIV < 1 || CLKFB_DIV > 80) begin : gen_bad_clkfb_div
    $error("CLKFB_DIV (%0d) must be 1 to 80.", CLKFB_DIV);
  end
  if (CLKOP_DIV < 1 || CLKOP_DIV > 128) begin : gen_bad_clkop_div
    $error("CLKOP_DIV (%0d) must be 1 to 128.", CLKOP_DIV);
  end

  // Currents and filter as ecppll (project trellis) sets them for every frequency.
  (* ICP_CURRENT = "12", LPF_RESISTOR = "8" *)
  (* MFG_ENABLE_FILTEROPAMP = "1", MFG_GMCREF_SEL = "2" *)
  EHXPLLL #(
      .PLLRST_ENA("DISABLED"),
      .INTFB_WAKE("DISABLED"),
      .STDBY_ENABLE("DISABLED"),
      .DPHASE_SOURCE("DISABLED"),
      .OUTDIVIDER_MUXA("DIVA"),
      .OUTDIVIDER_MUXB("DIVB"),
      .OUTDIVIDER_MUXC("DIVC"),
      .OUTDIVIDER_MUXD("DIVD"),
      .CLKI_DIV(CLKI_DIV),
      .CLKFB_DIV(CLKFB_DIV),
      .CLKOP_ENABLE("ENABLED"),
      .CLKOP_DIV(CLKOP_DIV),
      .CLKOP_CPHASE(CLKOP_DIV - 1),
      .CLKOP_FPHASE(0),
      .FEEDBK_PATH("CLKOP")
  ) u_pll (
      .CLKI(osc_i),
      .CLKFB(clk_o),
      .CLKOP(clk_o),
      .LOCK(locked_o),
      .RST(1'b0),
      .STDBY(1'b0),
      .PHASESEL0(1'b0),
      .PHASESEL1(1'b0),
      .PHASEDIR(1'b1),
      .PHASESTEP(1'b1),
      .PHASELOADREG(1'b1),
      .PLLWAKESYNC(1'b0),
      .ENCLKOP(1'b0)
  );

endmodule
