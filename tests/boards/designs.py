# SPDX-License-Identifier: Apache-2.0
"""Build folders with tiny cores, for tests of the flow."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hwgq import hw_templates
from hwgq.storage import write_json, write_text, write_toml

#: Adds one to every byte.
CORE = """\
module hwgq_core (
    input  logic       clk_i,
    input  logic       rst_i,
    input  logic [7:0] in_data_i,
    input  logic       in_valid_i,
    output logic       in_ready_o,
    output logic [7:0] out_data_o,
    output logic       out_valid_o,
    input  logic       out_ready_i
);
  always_ff @(posedge clk_i) begin
    if (rst_i) out_valid_o <= 1'b0;
    else if (in_ready_o) out_valid_o <= in_valid_i;
    if (in_ready_o) out_data_o <= in_data_i + 8'd1;
  end
  assign in_ready_o = !out_valid_o || out_ready_i;
endmodule
"""

#: Has 32 block RAMs of an iCE40.
BIG_CORE = CORE.replace(
    "  always_ff @(posedge clk_i) begin",
    """\
  (* ram_style = "block", no_rw_check *) logic [15:0] memory[32 * 256];
  logic [15:0] word_q;
  logic [12:0] address_q;
  always_ff @(posedge clk_i) begin
    address_q <= address_q + in_data_i[0];
    word_q <= memory[address_q];
    memory[address_q] <= {in_data_i, word_q[7:0]};
  end
  always_ff @(posedge clk_i) begin""",
    1,
).replace("in_data_i + 8'd1", "word_q[15:8] + word_q[7:0]")


#: Adds what a memory holds to every byte, with a delay.
ROM_CORE = CORE.replace(
    "  always_ff @(posedge clk_i) begin",
    """\
  logic [7:0] word;
  hwgq_rom #(
      .WIDTH(8),
      .DEPTH(256),
      .FILE("w0.hex"),
      .STYLE("block")
  ) u_rom (
      .clk_i,
      .addr_i(in_data_i),
      .data_o(word)
  );
  always_ff @(posedge clk_i) begin""",
    1,
).replace("in_data_i + 8'd1", "in_data_i + word")


def write_build(
    folder: Path,
    board: str,
    *,
    core: str = CORE,
    memories: Mapping[str, str] = MappingProxyType({}),
    **settings: object,
) -> Path:
    """Write a build folder as the compiler does.

    Parameters
    ----------
    folder
        Made if it does not exist.
    board
        Name of the board.
    core
        Text of `hwgq_core`, with streams of four bytes.
    memories
        Text of its memory images, by file name.
    settings
        Further keys of ``build.toml``.
    """
    templates = {path.name: path.read_text() for path in hw_templates.sources()}
    sources = {**templates, "hwgq_core.sv": core}
    for name, text in sources.items():
        write_text(folder / "rtl" / name, text)
    for name, text in memories.items():
        write_text(folder / "rtl" / name, text)
    write_text(folder / "rtl" / "files.txt", "\n".join(sources))
    write_toml(folder / "build.toml", {"name": "tiny", "board": board, **settings})
    stream = {"shape": [4], "beat": 1, "type": {"bits": 8}}
    streams = [{"name": "in", **stream}, {"name": "out", **stream}]
    graph = {"input": "in", "output": "out", "streams": streams}
    write_json(folder / "dataflow.json", graph)
    return folder
