// SPDX-License-Identifier: Apache-2.0
//
// A pad of the iCE40, as nextpnr packs it: an input or an output, without registers. Its
// pin PACKAGE_PIN is two here, PACKAGE_PIN_i and PACKAGE_PIN_o.
module SB_IO #(
    parameter logic [5:0] PIN_TYPE = 6'b000001,
    parameter bit PULLUP = 0,
    parameter bit NEG_TRIGGER = 0,
    parameter logic [71:0] IO_STANDARD = "SB_LVCMOS"
) (
    input  logic PACKAGE_PIN_i,
    output logic PACKAGE_PIN_o,
    input  logic D_OUT_0,
    output logic D_IN_0
);
  localparam logic [5:0] In = 6'b000001, Out = 6'b011001;
  localparam logic [71:0] Cmos = "SB_LVCMOS";

  if (PIN_TYPE != In && PIN_TYPE != Out) begin : gen_bad_type
    $error("PIN_TYPE must be 000001 or 011001.");
  end
  if (NEG_TRIGGER || IO_STANDARD != Cmos) begin : gen_bad_standard
    $error("NEG_TRIGGER must be 0 and IO_STANDARD SB_LVCMOS.");
  end

  // A pull-up does not matter to a pin that is driven.
  logic unused;
  assign unused = PULLUP;

  assign D_IN_0 = PACKAGE_PIN_i;
  assign PACKAGE_PIN_o = PIN_TYPE == Out && D_OUT_0;
endmodule
