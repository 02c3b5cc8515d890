# SPDX-License-Identifier: Apache-2.0
"""What `verify` leaves where a board answers wrong: its frames, and a waveform."""

import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import hwgq.cli
from hwgq import boards
from hwgq.compile import compile_network
from hwgq.compile.beats import beat_bytes, unpack
from hwgq.compile.board_trace import trace_board
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.errors import MismatchError
from hwgq.storage import read_json
from tests.compile.fst import beats, read
from tests.end_to_end.hand_made import make_network, save
from tests.end_to_end.spoiled import SPOILED, spoil, stamp_all

VERIFY = sys.modules["hwgq.compile.verify"]  # the package has a function so named


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a network whose weights all lie in block RAM; not to be written to."""
    folder = tmp_path_factory.mktemp("built")
    network = save(make_network((16, 8, 4)), folder / "hand_made.onnx")
    options = {"exchangeable": True, "fps": 20_000, "out": folder / "build"}
    build = compile_network(network, "icebreaker", **options)
    boards.build(build)
    return build


@pytest.mark.parametrize("rung", SPOILED)
def test_a_wrong_answer_is_shown(rung: str, built: Path, tmp_path: Path) -> None:
    build = Path(shutil.copytree(built, tmp_path / "build"))
    spoil(rung, build)
    stamp_all(build)
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(["verify", str(build), "--through", rung, "--samples", "2"])
    message, folder = str(left.value.code), build / "mismatch"
    report = read_json(folder / "report.json")
    found = report["found"]
    where = f"board, {rung}, output, frame and index ({found['frame']}, "
    assert message.startswith(where)
    assert message.endswith(f"; {folder} holds what shows it.")
    assert report["rung"] == f"board, {rung}"
    assert report["frames"] == found["frame"] + 1
    assert len(np.load(folder / "input.npy")) == report["frames"]
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(shlex.split(report["command"])[1:])
    assert str(left.value.code) == message
    # In that cycle a byte is taken from the board that it should not have said.
    wave, cycle = read(folder / "trace.fst"), report["cycle"]
    assert report["time"] == 2 * cycle
    assert value(wave.changes["TOP.out_valid_o"], 2 * cycle) == 1
    said = value(wave.changes["TOP.out_data_o"], 2 * cycle) & 0xFF
    compiled = load_build(build)
    stream = compiled.graph.streams[compiled.graph.output]
    codes = compiled.codes(np.load(folder / "input.npy"), "input")
    right = emulate(compiled.graph, codes)[stream.name].reshape(len(codes), -1)
    assert right[found["frame"], found["index"][0]] == found["expected"]
    assert said not in right[found["frame"]].astype(np.uint8)
    assert wave.changes["TOP.clk_i"][0][0] < 2 * cycle - 100


def value(changes: list[tuple[int, str]], time: int) -> int:
    """Read a signal of a waveform at a time."""
    return int([text for at, text in changes if at <= time][-1], 2)


def test_streams_of_a_board_in_its_sources_have_the_layers_names(
    built: Path, tmp_path: Path
) -> None:
    build = load_build(built)
    graph = build.graph
    codes = build.codes(np.random.default_rng(1).integers(0, 16, (2, 16)), "frames")
    expected = emulate(graph, codes)
    wrong = expected[graph.output].copy()
    wrong[1, 2] ^= 1
    error = MismatchError("board, rtl", "output", (1, 2), 0, 1)
    cycle = trace_board(build, error, codes, wrong, tmp_path / "trace.fst")
    wave = read(tmp_path / "trace.fst")
    for name in (graph.output, graph.layers[0].outputs[0]):
        stream = graph.streams[name]
        moved = [data for at, data in beats(wave, name) if at <= cycle]
        width = beat_bytes(stream)
        rows = b"".join(data.to_bytes(width, "little") for data in moved)
        shown = unpack(np.frombuffer(rows, np.uint8).reshape(-1, width), stream)
        np.testing.assert_array_equal(shown[-1], expected[name][1])


def test_a_wrong_bit_of_a_configuration_is_named_without_a_frame(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, place = "configuration memory", (812, 3)
    error = MismatchError("board, bitstream", layer, place, 0, 1)
    monkeypatch.setattr(
        VERIFY, "_emulation", lambda ladder, *_: setattr(ladder, "mismatch", error)
    )
    with pytest.raises(SystemExit):
        hwgq.cli.main(["verify", str(build), "--through", "emulate"])
    report = read_json(build / "mismatch" / "report.json")
    assert report["found"] == {
        "layer": layer,
        "frame": None,
        "index": list(place),
        "expected": 0,
        "got": 1,
    }
    assert (report["frames"], report["cycle"]) == (0, None)
    assert len(np.load(build / "mismatch" / "input.npy")) == 0
