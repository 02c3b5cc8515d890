// SPDX-License-Identifier: Apache-2.0
//
// A pad of the ECP5, as nextpnr packs it: an input or an output, without registers. Its
// pin B is two here, B_i and B_o.
module TRELLIS_IO #(
    parameter logic [47:0] DIR = "INPUT",
    parameter logic [47:0] DATAMUX_ODDR = "PADDO",
    parameter logic [47:0] DATAMUX_MDDR = "PADDO"
) (
    input  logic B_i,
    output logic B_o,
    input  logic I,
    output logic O
);
  localparam logic [47:0] In = "INPUT", Out = "OUTPUT", Direct = "PADDO";

  if (DATAMUX_ODDR != Direct || DATAMUX_MDDR != Direct) begin : gen_bad_mux
    $error("DATAMUX must be PADDO.");
  end
  if (DIR != In && DIR != Out) begin : gen_bad_direction
    $error("DIR must be INPUT or OUTPUT.");
  end

  assign O   = DIR == In && B_i;
  assign B_o = DIR == Out && I;
endmodule
