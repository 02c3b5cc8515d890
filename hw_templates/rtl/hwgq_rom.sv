// SPDX-License-Identifier: Apache-2.0
//
// Read-only memory: `data_o` is the word at the address of two cycles ago.
//
// Latency     2 cycles. It never stops. The address is registered, then the word: a
//             register behind the memory instead would cost a cell a bit. In memories of
//             several block RAMs there is a multiplexer a bit, whose cell has a register
//             to spare: these read at once and register behind it, for a faster clock.
// Contents    FILE, one hexadecimal word a line, word 0 first ($readmemh); a relative
//             name counts from the folder in which the tool runs. All weights and
//             thresholds of a design lie in instances of this module, so that they can
//             be exchanged in a routed design.
module hwgq_rom #(
    parameter int unsigned WIDTH = 8,  // bits of a word
    parameter int unsigned DEPTH = 2,  // words
    parameter FILE,                    // memory image
    parameter STYLE = "block",         // "block": block RAM, "lut": logic
    // Derived; leave as it is.
    localparam int unsigned AddressBits = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
    input  logic                   clk_i,
    input  logic [AddressBits-1:0] addr_i,
    output logic [WIDTH-1:0]       data_o
);
  if (WIDTH < 1 || DEPTH < 1) begin : gen_bad_size
    $error("WIDTH and DEPTH must be at least 1.");
  end

  localparam bit Several = DEPTH > 2048;  // one block RAM has no more words

  logic [AddressBits-1:0] addr;
  logic [WIDTH-1:0] word_q;
  if (Several) begin : gen_behind
    assign addr = addr_i;
    always_ff @(posedge clk_i) data_o <= word_q;
  end else begin : gen_before
    logic [AddressBits-1:0] addr_q;
    always_ff @(posedge clk_i) addr_q <= addr_i;
    assign addr = addr_q;
    assign data_o = word_q;
  end

  // Tools left alone put even wide memories into logic. Texts are compared at one width.
  if (40'(STYLE) == "block") begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] memory[DEPTH];
    initial $readmemh(FILE, memory);
    always_ff @(posedge clk_i) word_q <= memory[addr];
  end else if (40'(STYLE) == 40'("lut")) begin : gen_lut
    (* ram_style = "logic" *) logic [WIDTH-1:0] memory[DEPTH];
    initial $readmemh(FILE, memory);
    always_ff @(posedge clk_i) word_q <= memory[addr];
  end else begin : gen_bad_style
    $error("STYLE must be \"block\" or \"lut\".");
  end
endmodule
