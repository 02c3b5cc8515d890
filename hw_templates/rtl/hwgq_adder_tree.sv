// SPDX-License-Identifier: Apache-2.0
//
// Sum of N unsigned numbers, by a tree of adders with a register behind each.
//
// Latency     $clog2(N) cycles. It never stops.
// Why         A synthesizer merges a sum without registers into 3:2 compressors, two
//             LUTs a bit; a registered adder is one cell a bit of a carry chain.
module hwgq_adder_tree #(
    parameter int unsigned N = 2,     // numbers
    parameter int unsigned BITS = 2,  // of one of them
    // Derived; leave as it is.
    localparam int unsigned SumBits = BITS + $clog2(N)
) (
    input  logic               clk_i,
    input  logic [N*BITS-1:0]  data_i,  // number 0 lowest
    output logic [SumBits-1:0] sum_o
);
  // Node k is the sum of nodes 2k + 1 and 2k + 2; node 0 is the root. All paths to it are
  // equally long: zeros, which cost nothing, fill the leaves up to a power of two.
  localparam int unsigned Leaves = 2 ** $clog2(N);
  logic [(2*Leaves-1)*SumBits-1:0] nodes;

  for (genvar i = 0; i < Leaves; i++) begin : gen_leaf
    if (i < N) begin : gen_number
      assign nodes[(Leaves-1+i)*SumBits+:SumBits] = SumBits'(data_i[i*BITS+:BITS]);
    end else begin : gen_zero
      assign nodes[(Leaves-1+i)*SumBits+:SumBits] = '0;
    end
  end

  for (genvar k = 0; k < Leaves - 1; k++) begin : gen_sum
    always_ff @(posedge clk_i)
      nodes[k*SumBits+:SumBits] <=
          nodes[(2*k+1)*SumBits+:SumBits] + nodes[(2*k+2)*SumBits+:SumBits];
  end

  assign sum_o = nodes[SumBits-1:0];

  if (N == 1) begin : gen_no_register
    logic unused_clk;
    assign unused_clk = clk_i;
  end
endmodule
