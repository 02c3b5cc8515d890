// SPDX-License-Identifier: Apache-2.0
//
// First in, first out: holds up to DEPTH beats between two streams.
//
// Latency     1 cycle made of registers, 2 made of block RAM.
// Rate        One beat in and one out in every cycle.
// Streams     `in_ready_o` is high exactly while fewer than DEPTH beats are held, so a
//             producer may count credits instead of looking at it. It comes from
//             registers alone and so cuts long chains of ready; only with DEPTH = 1
//             does it follow `out_ready_i`, for the full rate.
// Form        Registers while DEPTH * WIDTH is at most REGISTER_BITS (one LUT and
//             flip-flop a bit: each slot takes its neighbour's beat or the input), else
//             a block RAM whose read register is the output.
module hwgq_fifo #(
    parameter int unsigned WIDTH = 8,           // bits of a beat
    parameter int unsigned DEPTH = 2,           // beats held
    parameter int unsigned REGISTER_BITS = 128  // largest FIFO that is made of registers
) (
    input  logic             clk_i,
    input  logic             rst_i,
    input  logic [WIDTH-1:0] in_data_i,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    output logic [WIDTH-1:0] out_data_o,
    output logic             out_valid_o,
    input  logic             out_ready_i
);
  if (WIDTH < 1) begin : gen_bad_width
    $error("WIDTH must be at least 1.");
  end
  if (DEPTH < 1) begin : gen_bad_depth
    $error("DEPTH must be at least 1.");
  end

  // A block RAM needs two words beside its read register to run at the full rate.
  localparam bit BLOCK = DEPTH > 2 && DEPTH * WIDTH > REGISTER_BITS;
  localparam int unsigned CountBits = $clog2(DEPTH + 1);

  logic push;
  assign push = in_valid_i && in_ready_o;

`ifdef FORMAL
  // Beats are numbered; `watched` is any one number, `position` its place in the queue.
  (* anyconst *) logic [CountBits:0] watched;
  logic [CountBits:0] written_q, taken_q, held, position;
  logic [WIDTH-1:0] watched_q, found;  // what was put in, and what lies at its place
  logic started_q = 1'b0;
`endif

  if (!BLOCK) begin : gen_registers
    logic pop;
    logic [CountBits-1:0] count_q;
    logic [(DEPTH+1)*WIDTH-1:0] slots;  // oldest beat lowest, the input above the last

    assign pop = out_valid_o && out_ready_i;
    assign out_valid_o = count_q != '0;
    assign out_data_o = slots[WIDTH-1:0];
    if (DEPTH == 1) begin : gen_single
      assign in_ready_o = !out_valid_o || out_ready_i;
    end else begin : gen_several
      assign in_ready_o = count_q != CountBits'(DEPTH);
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) count_q <= '0;
      else count_q <= count_q + CountBits'(push) - CountBits'(pop);
    end

    assign slots[DEPTH*WIDTH+:WIDTH] = in_data_i;
    for (genvar i = 0; i < DEPTH; i++) begin : gen_slot
      logic [WIDTH-1:0] slot_q;
      logic next;  // the slot after the last beat, when the pop is done

      // Compared twice, so that a late `pop` only selects.
      assign next = pop ? count_q == CountBits'(i + 1) : count_q == CountBits'(i);
      // That slot always follows the input: only the count says whether what it took
      // was a beat.
      always_ff @(posedge clk_i) begin
        if (next) slot_q <= in_data_i;
        else if (pop) slot_q <= slots[(i+1)*WIDTH+:WIDTH];
      end
      assign slots[i*WIDTH+:WIDTH] = slot_q;
    end

`ifdef FORMAL
    assign found = slots[position*WIDTH+:WIDTH];
    always_comb if (started_q) assert (count_q == held);
`endif
  end else begin : gen_block
    localparam int unsigned AddressBits = $clog2(DEPTH - 1);
    // A word is never read in the cycle that writes it: no bypass is needed.
    (* ram_style = "block", no_rw_check *)
    logic [WIDTH-1:0] memory[2**AddressBits];
    logic [AddressBits-1:0] write_q, read_q;
    logic [CountBits-1:0] stored_q;  // words in the memory, the output register apart
    logic [WIDTH-1:0] data_q;
    logic valid_q, fetch;

    assign fetch = stored_q != '0 && (!valid_q || out_ready_i);
    assign in_ready_o = stored_q != CountBits'(DEPTH - 1);
    assign out_valid_o = valid_q;
    assign out_data_o = data_q;

    always_ff @(posedge clk_i) begin
      if (push) memory[write_q] <= in_data_i;
      if (fetch) data_q <= memory[read_q];
    end

    always_ff @(posedge clk_i) begin
      if (rst_i) begin
        write_q  <= '0;
        read_q   <= '0;
        stored_q <= '0;
        valid_q  <= 1'b0;
      end else begin
        write_q  <= write_q + AddressBits'(push);
        read_q   <= read_q + AddressBits'(fetch);
        stored_q <= stored_q + CountBits'(push) - CountBits'(fetch);
        valid_q  <= fetch || (valid_q && !out_ready_i);
      end
    end

`ifdef FORMAL
    logic [AddressBits-1:0] address;
    assign address = read_q + AddressBits'(position - valid_q);
    assign found = valid_q && position == '0 ? data_q : memory[address];
    always_comb
      if (started_q) begin
        assert (held == stored_q + valid_q);
        assert (write_q == AddressBits'(read_q + stored_q));
        assert (valid_q || stored_q <= 1);  // so that it is never full too early
      end
`endif
  end

`ifdef FORMAL
  assign held = written_q - taken_q;
  assign position = watched - taken_q;

  always_ff @(posedge clk_i) begin
    started_q <= 1'b1;
    if (rst_i) begin
      written_q <= '0;
      taken_q   <= '0;
    end else begin
      written_q <= written_q + push;
      taken_q   <= taken_q + (out_valid_o && out_ready_i);
    end
    if (push && written_q == watched) watched_q <= in_data_i;
  end

  always_comb begin
    if (!started_q) assume (rst_i);
    else begin
      assert (held <= DEPTH);
      assert (in_ready_o == (held < DEPTH || (DEPTH == 1 && out_ready_i)));
      assert (!out_valid_o || held != '0);
      if (position < held) assert (found == watched_q);
      if (out_valid_o && position == '0) assert (out_data_o == watched_q);
    end
  end

  always_ff @(posedge clk_i)
    if (started_q && !$past(rst_i)) begin
      if ($past(out_valid_o && !out_ready_i)) begin
        assert (out_valid_o);
        assert ($stable(out_data_o));
      end
      if ($past(held != '0 && !out_valid_o)) assert (out_valid_o);
    end
`endif
endmodule
