// SPDX-License-Identifier: Apache-2.0
//
// A core behind a serial port: one request, one answer. hwgq.boards.protocol is the
// other end, and names the same constants.
//
// Request   Sync, command, sequence number, for Infer IN_BEATS beats, CRC-32.
// Answer    Sync, kind, sequence number, cycles (4 bytes), for Infer OUT_BEATS beats, for
//           Info the words of BUILD_ID_FILE, CRC-32. The kind is the command's number, or
//           an error: then no body follows.
// Bytes     A beat is sent in whole bytes, a number too, lowest byte first. The CRC
//           covers all but Sync.
// Safety    A frame waits in a memory until its CRC is known to be right; one that is
//           wrong never reaches the core. A pause of TIMEOUT_BITS bits inside a request
//           ends it, without an answer. Bytes that come during an answer are ignored.
// Cycles    From the first beat that the core took of this frame to the last that it
//           gave. Each byte of a beat takes a cycle to come out of the memory, so a core
//           that wants beats faster waits for them. Of no meaning in other answers.
module hwgq_uart_shell #(
    parameter int unsigned CLKS_PER_BIT = 8,      // cycles of a bit, at least 4
    parameter int unsigned IN_BEATS = 1,          // beats of a frame into the core
    parameter int unsigned IN_WIDTH = 8,          // bits of one of them
    parameter int unsigned OUT_BEATS = 1,         // beats of a frame out of the core
    parameter int unsigned OUT_WIDTH = 8,         // bits of one of them
    parameter int unsigned TIMEOUT_BITS = 65536,  // longest pause inside a request
    parameter BUILD_ID_FILE = ""                  // memory image: Info's answer, 17 bytes
) (
    input  logic                 clk_i,
    input  logic                 rst_i,
    input  logic                 rx_i,
    output logic                 tx_o,
    output logic [ IN_WIDTH-1:0] core_in_data_o,
    output logic                 core_in_valid_o,
    input  logic                 core_in_ready_i,
    input  logic [OUT_WIDTH-1:0] core_out_data_i,
    input  logic                 core_out_valid_i,
    output logic                 core_out_ready_o
);
  if (IN_BEATS < 1 || OUT_BEATS < 1) begin : gen_bad_frame
    $error("IN_BEATS and OUT_BEATS must be at least 1.");
  end

  localparam logic [7:0] Sync = 8'hA5;
  localparam logic [7:0] Info = 8'h01, Infer = 8'h02;
  localparam logic [7:0] BadCrc = 8'h80, BadCommand = 8'h81;  // bit 7: no body
  localparam logic [31:0] Residue = 32'hDEBB20E3;  // of a frame with its right CRC

  localparam int unsigned InBytes = (IN_WIDTH + 7) / 8;
  localparam int unsigned OutBytes = (OUT_WIDTH + 7) / 8;
  localparam int unsigned HeadBytes = 7;
  localparam int unsigned InfoBytes = 17;
  localparam int unsigned CrcBytes = 4;
  localparam int unsigned Longest = 32 + IN_BEATS * InBytes + OUT_BEATS * OutBytes;
  localparam int unsigned IndexBits = $clog2(Longest);
  localparam int unsigned TimerBits = $clog2(CLKS_PER_BIT * TIMEOUT_BITS);

  typedef enum logic [3:0] {
    Idle,
    Command,
    Sequence,
    Payload,
    Crc,
    Check,
    Run,
    Head,
    Body,
    Tail
  } state_e;

  state_e state_q;
  logic [IndexBits-1:0] index_q;  // bytes of this part, or beats of the core, so far
  logic [7:0] command_q, sequence_q, kind_q;
  logic info_q;  // the answer is to Info
  logic receiving, fresh;

  assign receiving = state_q == Command || state_q == Sequence || state_q == Payload
      || state_q == Crc;
  assign fresh = rst_i || state_q == Idle;  // nothing is left of the last frame

  // --- The wire.
  logic [7:0] rx_data, tx_data;
  logic rx_valid, tx_valid, tx_ready, sent;

  hwgq_uart_rx #(
      .CLKS_PER_BIT(CLKS_PER_BIT)
  ) u_rx (
      .clk_i,
      .rst_i,
      .rx_i,
      .data_o (rx_data),
      .valid_o(rx_valid)
  );

  hwgq_uart_tx #(
      .CLKS_PER_BIT(CLKS_PER_BIT)
  ) u_tx (
      .clk_i,
      .rst_i,
      .data_i (tx_data),
      .valid_i(tx_valid),
      .ready_o(tx_ready),
      .tx_o
  );
  assign sent = tx_valid && tx_ready;

  // --- The CRC, of what comes and then of what goes. It is ready long before the next
  // byte, which takes ten bits.
  logic crc_busy;
  logic [31:0] crc;

  hwgq_crc32 u_crc (
      .clk_i,
      .clear_i(fresh || (state_q == Head && index_q == '0)),
      .data_i (receiving ? rx_data : tx_data),
      .valid_i(receiving ? rx_valid : sent && state_q != Tail),
      .busy_o (crc_busy),
      .crc_o  (crc)
  );

  // --- The frame: bytes wait for their check, then become the core's beats.
  logic [7:0] stored;
  logic stored_valid, stored_ready, packer_ready;
  logic [8*InBytes-1:0] in_beat;
  logic unused_ready, unused_bits;  // the memory is as deep as a frame; padding

  assign unused_bits = &in_beat;

  hwgq_fifo #(
      .WIDTH(8),
      .DEPTH(IN_BEATS * InBytes)
  ) u_payload (
      .clk_i,
      .rst_i(fresh),
      .in_data_i(rx_data),
      .in_valid_i(rx_valid && state_q == Payload),
      .in_ready_o(unused_ready),
      .out_data_o(stored),
      .out_valid_o(stored_valid),
      .out_ready_i(stored_ready)
  );
  assign stored_ready = packer_ready && state_q == Run;

  hwgq_width_converter #(
      .N_IN (8),
      .N_OUT(8 * InBytes)
  ) u_packer (
      .clk_i,
      .rst_i(fresh),
      .in_data_i(stored),
      .in_valid_i(stored_valid && state_q == Run),
      .in_ready_o(packer_ready),
      .out_data_o(in_beat),
      .out_valid_o(core_in_valid_o),
      .out_ready_i(core_in_ready_i)
  );
  assign core_in_data_o = in_beat[IN_WIDTH-1:0];

  // --- The result: whole before the answer begins, so that the wire never stops the core.
  logic [OUT_WIDTH-1:0] result;
  logic result_valid, unpacker_ready, out_valid;
  logic [7:0] out_byte;

  hwgq_fifo #(
      .WIDTH(OUT_WIDTH),
      .DEPTH(OUT_BEATS),
      .REGISTER_BITS(32)
  ) u_result (
      .clk_i,
      .rst_i(fresh),
      .in_data_i(core_out_data_i),
      .in_valid_i(core_out_valid_i),
      .in_ready_o(core_out_ready_o),
      .out_data_o(result),
      .out_valid_o(result_valid),
      .out_ready_i(unpacker_ready && state_q == Body)
  );

  hwgq_width_converter #(
      .N_IN (8 * OutBytes),
      .N_OUT(8)
  ) u_unpacker (
      .clk_i,
      .rst_i(fresh),
      .in_data_i((8 * OutBytes)'(result)),
      .in_valid_i(result_valid && state_q == Body),
      .in_ready_o(unpacker_ready),
      .out_data_o(out_byte),
      .out_valid_o(out_valid),
      .out_ready_i(sent && state_q == Body)
  );

  // --- How long the core took.
  logic [31:0] cycles_q;
  logic begun_q, taken;

  assign taken = core_in_valid_o && core_in_ready_i;

  always_ff @(posedge clk_i) begin
    if (state_q == Check) begin
      cycles_q <= '0;
      begun_q  <= 1'b0;
    end else if (state_q == Run) begin
      cycles_q <= cycles_q + 32'(begun_q || taken);
      begun_q  <= begun_q || taken;
    end
  end

  // --- The answer, byte by byte.
  logic [7:0] info_byte;
  logic [1:0] cycles_byte;

  hwgq_rom #(
      .WIDTH(8),
      .DEPTH(InfoBytes),
      .FILE (BUILD_ID_FILE)
  ) u_info (
      .clk_i,
      .addr_i(index_q[$clog2(InfoBytes)-1:0]),
      .data_o(info_byte)
  );

  assign cycles_byte = index_q[1:0] + 2'd1;  // 3 ... 6 become 0 ... 3

  always_comb begin
    tx_valid = state_q == Head || state_q == Tail;
    tx_data  = ~crc[8*index_q[1:0]+:8];
    if (state_q == Head) begin
      case (index_q[2:0])
        3'd0: tx_data = Sync;
        3'd1: tx_data = kind_q;
        3'd2: tx_data = sequence_q;
        default: tx_data = cycles_q[8*cycles_byte+:8];
      endcase
    end else if (state_q == Body) begin
      tx_valid = info_q || out_valid;
      tx_data  = info_q ? info_byte : out_byte;
    end
  end

  // --- The order of it all: parts of several bytes, or beats in Run, one after the other.
  logic [TimerBits:0] timer_q;
  logic [IndexBits-1:0] final_index;
  logic moved, last;

  always_comb begin
    case (state_q)
      Command, Sequence: final_index = '0;
      Payload: final_index = IndexBits'(IN_BEATS * InBytes - 1);
      Run: final_index = IndexBits'(OUT_BEATS - 1);
      Head: final_index = IndexBits'(HeadBytes - 1);
      Body: final_index = IndexBits'((info_q ? InfoBytes : OUT_BEATS * OutBytes) - 1);
      default: final_index = IndexBits'(CrcBytes - 1);
    endcase
    if (receiving) moved = rx_valid;
    else if (state_q == Run) moved = core_out_valid_i && core_out_ready_o;
    else moved = sent;
    last = moved && index_q == final_index;
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Command && rx_valid) command_q <= rx_data;
    if (state_q == Sequence && rx_valid) sequence_q <= rx_data;
    if (state_q == Check) begin
      info_q <= command_q == Info;
      if (crc != Residue) kind_q <= BadCrc;
      else if (command_q == Info || command_q == Infer) kind_q <= command_q;
      else kind_q <= BadCommand;
    end
  end

  always_ff @(posedge clk_i) begin
    if (fresh || last) index_q <= '0;
    else if (moved) index_q <= index_q + 1'b1;
    timer_q <= receiving && !rx_valid ? timer_q + 1'b1 : '0;
    if (rst_i) state_q <= Idle;
    else if (receiving && timer_q[TimerBits]) state_q <= Idle;
    else begin
      case (state_q)
        Idle: if (rx_valid && rx_data == Sync) state_q <= Command;
        Command: if (last) state_q <= Sequence;
        Sequence: if (last) state_q <= command_q == Infer ? Payload : Crc;
        Payload: if (last) state_q <= Crc;
        Crc: if (last) state_q <= Check;
        Check: if (!crc_busy) state_q <= crc == Residue && command_q == Infer ? Run : Head;
        Run: if (last) state_q <= Head;
        Head: if (last) state_q <= kind_q[7] ? Tail : Body;
        Body: if (last) state_q <= Tail;
        Tail: if (last) state_q <= Idle;
        default: state_q <= Idle;
      endcase
    end
  end
endmodule
