# SPDX-License-Identifier: Apache-2.0
"""What is read back from a bitstream behaves as what was put into it, cycle by cycle."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hwgq.boards.icestorm import verilog_of
from hwgq.compile.verilator import SimPorts, build_simulator
from tests.boards.circuits import PINS, WIDTH, everything, implement, models

CYCLES = 20_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Implement a circuit of everything."""
    folder = tmp_path_factory.mktemp("everything")
    implement(folder, everything(seed=0), PINS)
    return folder


def run_both(folder: Path, back: str, pins: Mapping[str, str]) -> npt.NDArray[np.uint8]:
    """Simulate the source and what was read back, shape (2, cycles, outputs)."""
    (folder / "back.v").write_text(back)
    ports = list(pins.values())
    inputs = [name for name in ports if name.startswith("d")]
    outputs = [name for name in ports if name.startswith("q")]
    wires = [f".{name}(in_data_i[{i}])" for i, name in enumerate(inputs)]
    sides = [
        f"  {module} u_{module} (.clk(clk_i), {', '.join(wires)}, "
        + ", ".join(f".{q}(out_data_o[{32 * k + i}])" for i, q in enumerate(outputs))
        + ");\n"
        for k, module in enumerate(("top", "read_back"))
    ]
    (folder / "bench.sv").write_text(f"""
module bench (
  input logic clk_i, rst_i, input logic [{len(inputs) - 1}:0] in_data_i,
  input logic in_valid_i, output logic in_ready_o,
  output logic [63:0] out_data_o, output logic out_valid_o, input logic out_ready_i
);
  assign in_ready_o = 1'b1;
  assign out_valid_o = in_valid_i;
{"".join(sides)}endmodule
""")
    sources = [models(), *(folder / name for name in ("top.v", "back.v", "bench.sv"))]
    simulator = build_simulator(
        sources, "bench", SimPorts(len(inputs), 64), optimize=False
    )
    bits = np.random.default_rng(1).integers(0, 2, (CYCLES, len(inputs)), np.uint8)
    beats = np.packbits(bits, axis=1, bitorder="little")
    run = simulator.run(beats, outputs=CYCLES, cwd=folder)
    wide = np.unpackbits(run.outputs, axis=1, bitorder="little").reshape(CYCLES, 2, 32)
    return wide[..., : len(outputs)].swapaxes(0, 1), bits


def test_a_circuit_of_everything_comes_back_equal(folder: Path) -> None:
    asc = (folder / "unpacked.asc").read_text()
    back = verilog_of(asc, package="sg48", pins=PINS, top="read_back")
    (source, read), bits = run_both(folder, back, PINS)
    np.testing.assert_array_equal(read, source)
    select = np.packbits(bits[:, 12:], axis=1, bitorder="little")[:, 0]
    print()
    for g in range(16):
        shown = source[1:][select[:-1] == g]
        print(g, len(shown), (shown != shown[0]).sum(0))
    assert 0
