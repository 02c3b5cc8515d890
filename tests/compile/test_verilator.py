# SPDX-License-Identifier: Apache-2.0
"""The simulation harness, on small designs of which all is known."""

import re
from pathlib import Path

import numpy as np
import pytest

from hwgq.compile.sim_wrapper import SimPorts, Tap
from hwgq.compile.verilator import Bytes, Simulator, Stalls
from hwgq.compile.verilator import build_simulator as build
from hwgq.compile.verilator_run import Trace
from hwgq.errors import (
    SimulationError,
    StorageError,
    ToolFailedError,
    ToolNotFoundError,
)

# Adds the first word of a memory image to what it takes; one beat at a time.
ADDER = """
module adder #(parameter int unsigned WIDTH = 80, parameter FILE = "image.hex") (
  input logic clk_i, rst_i,
  input logic [WIDTH-1:0] in_data_i, input logic in_valid_i, output logic in_ready_o,
  output logic [WIDTH-1:0] out_data_o, output logic out_valid_o, input logic out_ready_i
);
  logic [7:0] rom [1];
  initial $readmemh(FILE, rom);
  logic full_q;
  logic [WIDTH-1:0] data_q;
  assign in_ready_o = !full_q || out_ready_i;
  assign out_valid_o = full_q;
  assign out_data_o = data_q + WIDTH'(rom[0]);
  wire s0_valid = in_valid_i;
  wire s0_ready = in_ready_o;
  wire [12:0] s0_data = in_data_i[12:0];
  always_ff @(posedge clk_i) begin
    if (in_ready_o) full_q <= in_valid_i;
    if (in_ready_o && in_valid_i) data_q <= in_data_i;
    if (rst_i) full_q <= 1'b0;
  end
endmodule
"""
TAPS = (Tap.of("first", "s0", 13), Tap("again", "data_q", "full_q", "out_ready_i", 80))


def beats(count: int, width: int) -> Bytes:
    values = np.random.default_rng(1).integers(0, 256, (count, -(-width // 8)))
    return values.astype(np.uint8)


def plus(data: Bytes, addend: int) -> list[int]:
    bits = 8 * data.shape[1]
    return [(int.from_bytes(row, "little") + addend) % 2**bits for row in data]


def integers(data: Bytes) -> list[int]:
    return [int.from_bytes(row, "little") for row in data]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adder")
    (path / "adder.sv").write_text(ADDER)
    (path / "image.hex").write_text("2a\n")
    return path


@pytest.fixture(scope="module")
def adder(folder: Path) -> Simulator:
    return build([folder / "adder.sv"], "adder", SimPorts(80, 80), TAPS, {"WIDTH": 80})


def test_full_rate_and_taps(adder: Simulator, folder: Path) -> None:
    data = beats(500, 80)
    run = adder.run(data, outputs=500, cwd=folder)
    assert integers(run.outputs) == plus(data, 0x2A)
    assert integers(run.taps["first"]) == [v % 2**13 for v in integers(data)]
    assert run.first_output_cycle == 1
    np.testing.assert_array_equal(np.diff(run.output_cycles), 1)
    assert (run.cycles, run.input_stalls, run.output_stalls) == (501, 0, 0)
    assert run.streams["out"].starved == 1
    assert run.streams["out"].blocked == run.streams["in"].blocked == 0


def test_another_image_needs_no_other_simulator(
    adder: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "image.hex").write_text("07\n")
    data = beats(3, 80)
    run = adder.run(data, outputs=3, cwd=tmp_path)
    assert integers(run.outputs) == plus(data, 7)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_stalls_reach_their_share(adder: Simulator, folder: Path, seed: int) -> None:
    data = beats(5000, 80)
    run = adder.run(data, outputs=5000, cwd=folder, stalls=Stalls(seed))
    assert integers(run.outputs) == plus(data, 0x2A)
    assert 0.3 < run.input_stalls / run.cycles < 0.5
    assert 0.3 < run.output_stalls / run.cycles < 0.5
    gaps = np.diff(run.output_cycles)
    assert np.any(gaps == 2), "no single cycle was withheld"
    assert np.any(gaps > 50), "there was no burst"
    assert run.streams["in"].blocked > 0


def test_one_end_alone_may_pause(adder: Simulator, folder: Path) -> None:
    stalls = Stalls(1, 0.0, sink_share=0.5)
    run = adder.run(beats(5000, 80), outputs=5000, cwd=folder, stalls=stalls)
    assert run.input_stalls == 0
    assert 0.4 < run.output_stalls / run.cycles < 0.6


def test_taps_are_waited_for(adder: Simulator, folder: Path) -> None:
    run = adder.run(beats(9, 80), outputs=5, cwd=folder, tapped={"first": 8})
    assert len(run.taps["first"]) >= 8
    assert len(run.outputs) == len(run.output_cycles) == 5
    with pytest.raises(SimulationError, match="first 9"):
        adder.run(
            beats(9, 80), outputs=5, cwd=folder, tapped={"first": 10}, max_idle=50
        )


def test_stalls_depend_on_the_seed_alone(adder: Simulator, folder: Path) -> None:
    runs = [
        adder.run(beats(300, 80), outputs=300, cwd=folder, stalls=Stalls(seed))
        for seed in (4, 4, 5)
    ]
    np.testing.assert_array_equal(runs[0].output_cycles, runs[1].output_cycles)
    assert runs[0].cycles != runs[2].cycles


@pytest.mark.parametrize("width", [1, 64, 97])
def test_widths(folder: Path, width: int) -> None:
    ports, parameters = SimPorts(width, width), {"WIDTH": width}
    sources = [folder / "wire.sv"]
    sources[0].write_text(
        "module through #(parameter int unsigned WIDTH = 1) (input logic clk_i, rst_i,"
        " input logic [WIDTH-1:0] in_data_i, input logic in_valid_i,"
        " output logic in_ready_o, output logic [WIDTH-1:0] out_data_o,"
        " output logic out_valid_o, input logic out_ready_i);"
        " assign out_data_o = in_data_i; assign out_valid_o = in_valid_i;"
        " assign in_ready_o = out_ready_i; endmodule"
    )
    data = beats(100, width)
    data[:, -1] &= (1 << ((width - 1) % 8 + 1)) - 1
    run = build(sources, "through", ports, parameters=parameters).run(
        data, outputs=100, cwd=folder, stalls=Stalls(3)
    )
    np.testing.assert_array_equal(run.outputs, data)


def test_deadlock_says_how_far_it_came(adder: Simulator, folder: Path) -> None:
    with pytest.raises(SimulationError, match=r"adder: .* 5 of 5 .*5 of 6 given"):
        adder.run(beats(5, 80), outputs=6, cwd=folder, max_idle=50)


def test_missing_image_is_named(adder: Simulator, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"image\.hex"):
        adder.run(beats(1, 80), outputs=1, cwd=tmp_path)


def test_wrong_beats_are_refused(adder: Simulator, folder: Path) -> None:
    with pytest.raises(ValueError, match="not uint8"):
        adder.run(beats(5, 72), outputs=5, cwd=folder)


def test_trace_is_written(folder: Path, tmp_path: Path) -> None:
    ports = SimPorts(80, 80)
    simulator = build([folder / "adder.sv"], "adder", ports, trace=True)
    wave = tmp_path / "wave.vcd"
    simulator.run(beats(5, 80), outputs=5, cwd=folder, trace=Trace(path=wave))
    assert "full_q" in wave.read_text()
    assert times(wave) == list(range(12))
    window = Trace(path=wave, first=2, last=3)
    simulator.run(beats(5, 80), outputs=5, cwd=folder, trace=window)
    assert times(wave) == [4, 5, 6, 7]


def times(wave: Path) -> list[int]:
    return [int(time) for time in re.findall(r"^#(\d+)$", wave.read_text(), re.M)]


def test_taps_note_their_cycles_on_demand(adder: Simulator, folder: Path) -> None:
    data = beats(50, 80)
    run = adder.run(data, outputs=50, cwd=folder, stalls=Stalls(1), timed=True)
    np.testing.assert_array_equal(run.tap_cycles["again"], run.output_cycles)
    assert len(run.tap_cycles["first"]) == 50
    assert np.all(run.tap_cycles["first"] < run.output_cycles)
    assert not adder.run(data, outputs=50, cwd=folder).tap_cycles


def test_the_cache_knows_contents_not_paths(
    adder: Simulator, folder: Path, tmp_path: Path
) -> None:
    ports, parameters = SimPorts(80, 80), {"WIDTH": 80}
    copy = tmp_path / "adder.sv"
    copy.write_text(ADDER)
    assert build([copy], "adder", ports, TAPS, parameters) == adder
    copy.write_text(ADDER.replace("data_q +", "data_q -"))
    assert build([copy], "adder", ports, TAPS, parameters) != adder


def test_wrong_source_says_where(tmp_path: Path) -> None:
    source = tmp_path / "bad.sv"
    source.write_text("module bad;\n  assign a = ;\nendmodule\n")
    with pytest.raises(ToolFailedError, match=r"bad\.sv:2") as caught:
        build([source], "bad", SimPorts(8, 8))
    assert caught.value.log.is_file()


def test_an_elaboration_error_stops_the_build(tmp_path: Path) -> None:
    source = tmp_path / "odd.sv"
    check = 'if (WIDTH % 2 != 0) $error("WIDTH is odd.");\nendmodule'
    source.write_text(ADDER.replace("endmodule", check))
    with pytest.raises(ToolFailedError, match="WIDTH is odd"):
        build([source], "adder", SimPorts(81, 81), parameters={"WIDTH": 81})


def test_no_compiler(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolNotFoundError, match=r"g\+\+"):
        build([folder / "adder.sv"], "adder", SimPorts(80, 80))


def test_unwritable_cache(
    monkeypatch: pytest.MonkeyPatch, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWGQ_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="HWGQ_CACHE_DIR"):
        build([folder / "adder.sv"], "adder", SimPorts(80, 80))
