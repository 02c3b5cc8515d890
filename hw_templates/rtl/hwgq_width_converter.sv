// SPDX-License-Identifier: Apache-2.0
//
// Width converter (DWC): the same elements in the same order, in beats of another size.
//
// Bit order   Plane-major on both sides: bit b of element n at index b * N + n. Repacking
//             is wiring. Streams that keep an element's bits together (accumulators)
//             are converted as B = 1 with N_* times the bits of an element.
// Latency     1 cycle.
// Rate        The narrower side moves a beat in every cycle.
// Streams     `in_ready_o` follows `out_ready_i` in the same cycle; `out_*` come from
//             registers. A frame is a multiple of both N_IN and N_OUT elements, so that
//             it leaves nothing behind.
// Form        The unit is a chunk of gcd(N_IN, N_OUT) elements. A beat in brings I of
//             them, a beat out takes O. They wait in I + O - 1 slots, the oldest in slot
//             0. A beat is accepted while less than a whole output beat stays.
module hwgq_width_converter #(
    parameter int unsigned N_IN = 2,   // elements of an input beat
    parameter int unsigned N_OUT = 4,  // elements of an output beat
    parameter int unsigned B = 1       // bits of an element
) (
    input  logic               clk_i,
    input  logic               rst_i,
    input  logic [ N_IN*B-1:0] in_data_i,
    input  logic               in_valid_i,
    output logic               in_ready_o,
    output logic [N_OUT*B-1:0] out_data_o,
    output logic               out_valid_o,
    input  logic               out_ready_i
);
  if (N_IN < 1) begin : gen_bad_n_in
    $error("N_IN must be at least 1.");
  end
  if (N_OUT < 1) begin : gen_bad_n_out
    $error("N_OUT must be at least 1.");
  end
  if (B < 1) begin : gen_bad_b
    $error("B must be at least 1.");
  end

  function automatic int unsigned greatest_common_divisor(input int unsigned a,
                                                          input int unsigned b);
    greatest_common_divisor = 1;
    for (int unsigned d = 2; d <= a; d++)
      if (a % d == 0 && b % d == 0) greatest_common_divisor = d;
  endfunction

  localparam int unsigned G = greatest_common_divisor(N_IN, N_OUT);
  localparam int unsigned I = N_IN / G;
  localparam int unsigned O = N_OUT / G;
  localparam int unsigned Slots = I + O - 1;
  localparam int unsigned CountBits = $clog2(Slots + 1);
  localparam int unsigned ChunkBits = G * B;

  logic push, pop;
  logic [CountBits-1:0] count_q, rest;  // chunks, before and after this cycle's pop

  assign out_valid_o = count_q >= CountBits'(O);
  assign pop = out_valid_o && out_ready_i;
  assign rest = pop ? count_q - CountBits'(O) : count_q;
  // That is, rest < O; written so that a late `out_ready_i` passes one gate.
  assign in_ready_o = !out_valid_o || (out_ready_i && 32'(count_q) < 2 * O);
  assign push = in_valid_i && in_ready_o;

  always_ff @(posedge clk_i) begin
    if (rst_i) count_q <= '0;
    else count_q <= push ? rest + CountBits'(I) : rest;
  end

  logic [I*ChunkBits-1:0] chunks;  // of the input beat, the first one lowest
  for (genvar j = 0; j < I; j++) begin : gen_chunk
    for (genvar b = 0; b < B; b++) begin : gen_plane
      assign chunks[j*ChunkBits+b*G+:G] = in_data_i[b*N_IN+j*G+:G];
    end
  end

  logic [Slots*ChunkBits-1:0] slots;  // the oldest chunk lowest
  for (genvar i = 0; i < Slots; i++) begin : gen_slot
    logic [ChunkBits-1:0] slot_q;
    // Slots beyond the rest follow the input: only the count says what was a beat.
    always_ff @(posedge clk_i) begin
      if (pop && i + O < Slots) slot_q <= slots[(i+O)%Slots*ChunkBits+:ChunkBits];
      // That is, rest == i - j, which is below O where a beat is accepted; compared
      // twice, so that a late `pop` only selects.
      for (int unsigned j = i < O ? 0 : i - O + 1; j < I && j <= i; j++)
        if (pop ? 32'(count_q) == i - j + O : 32'(count_q) == i - j)
          slot_q <= chunks[j*ChunkBits+:ChunkBits];
    end
    assign slots[i*ChunkBits+:ChunkBits] = slot_q;
  end

  for (genvar i = 0; i < O; i++) begin : gen_out
    for (genvar b = 0; b < B; b++) begin : gen_plane
      assign out_data_o[b*N_OUT+i*G+:G] = slots[i*ChunkBits+b*G+:G];
    end
  end

`ifdef FORMAL
  // Elements are numbered; `watched` is any one number, `position` its place in line.
  localparam int unsigned NumberBits = $clog2((Slots + 1) * G) + 1;
  (* anyconst *) logic [NumberBits-1:0] watched;
  logic [NumberBits-1:0] written_q, taken_q, held, position, arriving;
  logic [B-1:0] watched_q;
  logic started_q = 1'b0;
  assign held = written_q - taken_q;
  assign position = watched - taken_q;
  assign arriving = watched - written_q;

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (rst_i) begin
      written_q <= '0;
      taken_q   <= '0;
    end else begin
      if (push) written_q <= written_q + N_IN;
      if (pop) taken_q <= taken_q + N_OUT;
    end
    for (int unsigned b = 0; b < B; b++)
      if (push && arriving < N_IN) watched_q[b] <= in_data_i[b*N_IN+arriving];
  end

  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      assert (held == count_q * G);
      assert (count_q <= Slots);
      assert (out_valid_o == (held >= N_OUT));
      assert (in_ready_o == (held - (pop ? N_OUT : 0) < N_OUT));
    end
  end
  for (genvar b = 0; b < B; b++) begin : gen_watched_bit
    always_comb
      if (started_q) begin
        if (position < held)
          assert (slots[position/G*ChunkBits+b*G+position%G] == watched_q[b]);
        if (out_valid_o && position < N_OUT)
          assert (out_data_o[b*N_OUT+position] == watched_q[b]);
      end
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i) && $past(out_valid_o && !out_ready_i)) begin
      assert (out_valid_o);
      assert ($stable(out_data_o));
    end
`endif
endmodule
