// SPDX-License-Identifier: Apache-2.0
//
// The driver of a global clock of an ECP5; our designs do not gate it.
module DCCA (
    input  logic CLKI,
    output logic CLKO
);
  assign CLKO = CLKI;
endmodule
