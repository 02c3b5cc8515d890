// SPDX-License-Identifier: Apache-2.0
//
// A techmap for yosys, which takes it for plain Verilog: a flip-flop that stores a carry
// gets the carry through a LUT.
//
// On iCE40 a carry leaves its chain through the LUT above it. Where that LUT is in the
// netlist, the flip-flop shares its cell; where it is not, nextpnr adds a cell for the
// LUT and leaves the flip-flop in another. The sums of an adder tree are full of these.
module SB_DFF (
    output Q,
    input  C,
    input  D
);
  wire carry;

  SB_LUT4 #(
      .LUT_INIT(16'hFF00)
  ) u_pass (
      .O(carry),
      .I0(1'b0),
      .I1(1'b0),
      .I2(1'b0),
      .I3(D)
  );

  SB_DFF _TECHMAP_REPLACE_ (
      .Q(Q),
      .C(C),
      .D(carry)
  );
endmodule
