// SPDX-License-Identifier: Apache-2.0
//
// A LUT of the ECP5 with its half of a carry, as nextpnr packs it. It stands in for yosys'
// own model, which leaves FCO open.
//
// Inputs      A to D, which read 1 where nothing is routed to them.
// Carry       In the mode CCU2, F is the LUT's output xor FCI, and FCO is FCI where the LUT
//             says so, else that of the smaller LUT of A and B. CCU2_INJECT1 leaves the
//             carry out of F and the smaller LUT out of FCO.
//
// Modes that our designs have no use for stop elaboration.
module TRELLIS_COMB #(
    parameter logic [47:0] MODE = "LOGIC",
    parameter logic [15:0] INITVAL = 0,
    parameter logic [47:0] CCU2_INJECT1 = "NO",
    parameter logic [47:0] WREMUX = "WRE"
) (
    input  logic A,
    input  logic B,
    input  logic C,
    input  logic D,
    input  logic FCI,
    output logic F,
    output logic FCO
);
  localparam logic [47:0] Logic = "LOGIC", Carry = "CCU2", No = "NO", Wre = "WRE";

  if ((MODE != Logic && MODE != Carry) || WREMUX != Wre) begin : gen_bad_mode
    $error("MODE must be LOGIC or CCU2.");
  end

  logic four, two;
  assign four = INITVAL[{D, C, B, A}];
  assign two  = INITVAL[{2'b00, B, A}];
  assign F    = MODE == Carry && CCU2_INJECT1 == No ? four ^ FCI : four;
  assign FCO  = four ? FCI : CCU2_INJECT1 == No && two;
endmodule
