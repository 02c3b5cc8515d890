// SPDX-License-Identifier: Apache-2.0
// The clock of a design on an iCE40, from the oscillator on the PLL's own pad.
//
// clk_o = osc_i * (DIVF + 1) / (DIVR + 1) / 2^DIVQ, on a global net.
// locked_o rises once clk_o is steady; it belongs to no clock.
module hwgq_pll_ice40 #(
    parameter int unsigned DIVR = 0,         // divider of the reference, minus 1
    parameter int unsigned DIVF = 0,         // divider of the feedback, minus 1
    parameter int unsigned DIVQ = 1,         // power of two that divides the output
    parameter int unsigned FILTER_RANGE = 1  // loop filter, by the phase detector's clock
) (
    input  logic osc_i,
    output logic clk_o,
    output logic locked_o
);

  if (DIVR > 15) begin : gen_bad_divr
    $error("DIVR (%0d) must be at most 15.", DIVR);
  end
  if (DIVF > 127) begin : gen_bad_divf
    $error("DIVF (%0d) must be at most 127.", DIVF);
  end
  if (DIVQ < 1 || DIVQ > 6) begin : gen_bad_divq
    $error("DIVQ (%0d) must be 1 to 6.", DIVQ);
  end
  if (FILTER_RANGE < 1 || FILTER_RANGE > 6) begin : gen_bad_filter_range
    $error("FILTER_RANGE (%0d) must be 1 to 6.", FILTER_RANGE);
  end

  SB_PLL40_PAD #(
      .FEEDBACK_PATH("SIMPLE"),
      .DIVR(4'(DIVR)),
      .DIVF(7'(DIVF)),
      .DIVQ(3'(DIVQ)),
      .FILTER_RANGE(3'(FILTER_RANGE))
  ) u_pll (
      .PACKAGEPIN(osc_i),
      .PLLOUTGLOBAL(clk_o),
      .LOCK(locked_o),
      .RESETB(1'b1),
      .BYPASS(1'b0)
  );

endmodule
