// SPDX-License-Identifier: Apache-2.0
//
// A flip-flop of the ECP5, as nextpnr packs it: SD says whether its data come from the LUT
// beside it (DI) or from outside (M). yosys' own model does not know SD; it is 1 where a
// netlist is not packed yet. The device wakes up with all flip-flops at REGSET.
//
// Modes that our designs have no use for stop elaboration.
module TRELLIS_FF #(
    parameter logic [87:0] GSR = "DISABLED",
    parameter logic [87:0] CEMUX = "1",
    parameter logic [87:0] CLKMUX = "CLK",
    parameter logic [87:0] LSRMUX = "LSR",
    parameter logic [87:0] SRMODE = "LSR_OVER_CE",
    parameter logic [87:0] REGSET = "RESET",
    parameter logic [87:0] LSRMODE = "LSR",
    parameter logic [87:0] SD = "1"
) (
    input  logic CLK,
    input  logic LSR,
    input  logic CE,
    input  logic DI,
    input  logic M,
    output logic Q
);
  localparam logic [87:0] Zero = "0", One = "1", Inverted = "INV", Set = "SET";
  localparam logic [87:0] Clk = "CLK", Lsr = "LSR", LsrOverCe = "LSR_OVER_CE";
  localparam logic [87:0] Disabled = "DISABLED", Pin = "CE";

  if (GSR != Disabled || CLKMUX != Clk || LSRMODE != Lsr || SRMODE != LsrOverCe)
  begin : gen_bad_mode
    $error("Only flip-flops with a synchronous reset are modelled.");
  end
  if (LSRMUX != Lsr && LSRMUX != Inverted) begin : gen_bad_lsr
    $error("LSRMUX must be LSR or INV.");
  end
  if (CEMUX != Zero && CEMUX != One && CEMUX != Pin && CEMUX != Inverted) begin : gen_bad_ce
    $error("CEMUX must be 0, 1, CE or INV.");
  end

  logic enable, clear, next;
  assign enable = CEMUX == One || (CEMUX == Pin && CE) || (CEMUX == Inverted && !CE);
  assign clear = LSRMUX == Inverted ? !LSR : LSR;
  assign next = SD == One ? DI : M;

  initial Q = REGSET == Set;
  always_ff @(posedge CLK) begin
    if (clear) Q <= REGSET == Set;
    else if (enable) Q <= next;
  end
endmodule
