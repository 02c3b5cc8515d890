// SPDX-License-Identifier: Apache-2.0
//
// CRC-32 of a row of bytes, as zlib and Ethernet compute it, one bit in a cycle.
//
// `crc_o` is the register before the final inversion: the CRC of the bytes so far is its
// complement, sent lowest byte first. After a message and its own CRC it is 32'hDEBB20E3.
// A byte takes 9 cycles: give the next when `busy_o` is low. `clear_i` starts a message.
module hwgq_crc32 (
    input  logic        clk_i,
    input  logic        clear_i,
    input  logic [ 7:0] data_i,
    input  logic        valid_i,
    output logic        busy_o,
    output logic [31:0] crc_o
);
  localparam logic [31:0] Polynomial = 32'hEDB88320;  // bits reversed: lowest one first

  logic [ 3:0] left_q;  // bits of this byte to go
  logic [31:0] crc_q;

  assign busy_o = left_q != '0;
  assign crc_o  = crc_q;

  always_ff @(posedge clk_i) begin
    if (clear_i) begin
      crc_q  <= '1;
      left_q <= '0;
    end else if (busy_o) begin
      crc_q  <= (crc_q >> 1) ^ (crc_q[0] ? Polynomial : '0);
      left_q <= left_q - 1'b1;
    end else if (valid_i) begin
      crc_q  <= crc_q ^ 32'(data_i);
      left_q <= 4'd8;
    end
  end
endmodule
