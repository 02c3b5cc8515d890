# SPDX-License-Identifier: Apache-2.0
"""What `verify` leaves where a board answers wrong: its frames, and a waveform."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwgq.cli
from hwgq import boards
from hwgq.boards.flows.flow import GATES, ROUTED
from hwgq.compile import compile_network
from hwgq.compile.beats import unpack
from hwgq.compile.board_trace import trace_board, with_short_names
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.errors import MismatchError
from hwgq.storage import read_json
from tests.compile.fst import beats, read
from tests.end_to_end.hand_made import make_network, save
from tests.sabotage.cells import stamp

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


def spoil_netlist(build: Path) -> None:
    """Turn the first words of all memories over."""
    text = (build / GATES).read_text()
    turn = str.maketrans("0123456789abcdef", "fedcba9876543210")
    changed = re.sub(
        r"(?<=\.INIT_0\(256'h)[0-9a-fx]+", lambda word: word[0].translate(turn), text
    )
    assert changed != text
    (build / GATES).write_text(changed)


def spoil_routed(build: Path) -> None:
    """Turn the first words of all memories over."""
    netlist = json.loads((build / ROUTED).read_text())
    (module,) = netlist["modules"].values()
    cells = module["cells"].values()
    memories = [cell["parameters"] for cell in cells if "RAM" in cell["type"]]
    assert memories
    turn = str.maketrans("01", "10")
    for parameters in memories:
        parameters["INIT_0"] = parameters["INIT_0"].translate(turn)
    (build / ROUTED).write_text(json.dumps(netlist))


@pytest.mark.parametrize(
    ("rung", "spoil"), [("netlist", spoil_netlist), ("routed", spoil_routed)]
)
def test_a_wrong_answer_is_shown(
    rung: str, spoil: Callable[[Path], None], built: Path, tmp_path: Path
) -> None:
    build = Path(shutil.copytree(built, tmp_path / "build"))
    spoil(build)
    for stage in ("synthesize", "place and route", "pack"):
        stamp(build, stage)
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
        width = -(-stream.width // 8)
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


def test_long_names_stay_different_and_short_ones_stay() -> None:
    long = "\\" + "u_core." * 20
    text = (
        f"wire {long}a ;\nwire [1:0] {long}b ;\nassign \\x.y  = {long}a ^ {long}b [1];"
    )
    short = with_short_names(text)
    names = re.findall(r"\\\S+ ", short)
    assert max(map(len, names)) < 50
    assert [names.index(name) for name in names] == [0, 1, 2, 0, 1]
    back = dict(zip(names, re.findall(r"\\\S+ ", text), strict=True))
    assert re.sub(r"\\\S+ ", lambda name: back[name[0]], short) == text
