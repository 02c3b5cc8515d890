# SPDX-License-Identifier: Apache-2.0
import json
import re
import shutil

import numpy as np
import pytest

from hwgq import boards
from hwgq.boards.design import read_design
from hwgq.boards.flows import flow_of
from hwgq.boards.flows.flow import ROUTED, TIMING
from hwgq.boards.reuse import check_sources, reuse
from hwgq.errors import BuildError
from hwgq.storage import read_json
from tests.boards.designs import CORE, ROM_CORE, write_build
from tests.end_to_end.command import refused

#: The lines of the router's text that hold the contents of memories.
MEMORY = re.compile(r"^\.(?:ram_data|bram_init) .*\n(?:[0-9a-f ]+\n)+", re.MULTILINE)
FILES = {"icebreaker": "routed.asc", "ulx3s-85f": "routed.config"}
RANDOM = "".join(f"{i:02x}\n" for i in np.random.default_rng(0).integers(0, 256, 256))
#: Bits that are the same in all words, and equal memories: yosys would remove both.
ZEROS = "00\n" * 256


def write(folder, board, image, *, exchangeable=True, core=ROM_CORE, **settings):
    return write_build(
        folder,
        board,
        core=core,
        memories={"w0.hex": image},
        exchangeable=exchangeable,
        **settings,
    )


@pytest.fixture(scope="module", params=boards.names())
def routed(request, tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("old"), request.param, RANDOM)
    return boards.build(folder)


def test_new_contents_in_an_old_routing_are_what_routing_anew_gives(routed, tmp_path):
    old = routed.bitstream.parents[1]
    reused, anew = (
        boards.build(write(tmp_path / name, routed.board, ZEROS), reuse_routing=donor)
        for name, donor in (("reused", old), ("anew", None))
    )
    assert reused.build_id == anew.build_id != routed.build_id
    name = FILES[routed.board]
    before, after, wanted = (
        (result.bitstream.parent / name).read_text()
        for result in (routed, reused, anew)
    )
    assert after == wanted
    assert MEMORY.sub("", after) == MEMORY.sub("", before)
    assert len(MEMORY.findall(before)) >= 2  # the core's, and what the board says
    assert MEMORY.findall(after) != MEMORY.findall(before)
    assert reused.bitstream.read_bytes() == anew.bitstream.read_bytes()
    assert reused.bitstream.read_bytes() != routed.bitstream.read_bytes()
    files = [result.bitstream.parents[1] for result in (reused, anew)]
    one, other = (json.loads((folder / ROUTED).read_text()) for folder in files)
    assert one == other
    one, other = ((folder / TIMING).read_bytes() for folder in files)
    assert one == other


def test_a_reused_routing_says_whose_it_is_and_is_up_to_date(routed, tmp_path, capsys):
    old = routed.bitstream.parents[1]
    folder = write(tmp_path / "new", routed.board, ZEROS)
    result = boards.build(folder, reuse_routing=old)
    summary = read_json(folder / "bitstream" / "summary.json")
    assert summary["routing_of"] == routed.build_id
    capsys.readouterr()
    assert boards.build(folder) == result
    assert capsys.readouterr().err.count("up to date") == 3


def test_a_network_of_another_shape_is_refused(routed, tmp_path):
    folder = write(tmp_path / "new", routed.board, ZEROS, core=CORE)
    message = (
        r'hwgq_core\.sv differs from .*"always_ff .*" beside "logic \[7:0\] word;"'
    )
    with pytest.raises(BuildError, match=message):
        boards.build(folder, reuse_routing=routed.bitstream.parents[1])


def test_another_clock_is_refused(routed, tmp_path):
    folder = write(tmp_path / "new", routed.board, ZEROS, clock_mhz=40)
    message = f"is routed for {routed.board} at {routed.clock_mhz:g} MHz. Compile both"
    with pytest.raises(BuildError, match=message):
        boards.build(folder, reuse_routing=routed.bitstream.parents[1])


def test_a_folder_without_a_bitstream_is_no_donor(tmp_path):
    old, new = (write(tmp_path / name, "icebreaker", ZEROS) for name in "ab")
    message = refused(tmp_path, "build", new, "--reuse-routing", old)
    assert message.startswith(f"{old}: has no bitstream of its sources: synthesize is")
    assert message.endswith(f"Run `hwgq build {old}` first.")


def spoilt(routed, folder, name, change):
    """Copy a routed build, and change a file of its bitstream's folder."""
    shutil.copytree(routed.bitstream.parents[1], folder)
    path = folder / "bitstream" / name
    path.write_text(change(path.read_text()))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        lambda text: MEMORY.sub(lambda m: m[0].replace("1", "2"), text),
        lambda text: MEMORY.sub("", text),
        lambda text: text + MEMORY.findall(text)[0],
    ],
)
def test_router_text_that_holds_other_contents_than_the_netlist_is_refused(
    routed, tmp_path, change
):
    donor = spoilt(routed, tmp_path / "donor", FILES[routed.board], change)
    flow = flow_of(boards.load(routed.board))
    with pytest.raises(BuildError, match=r"does not hold .*netlist\.json's contents"):
        reuse(flow, routed.bitstream.parents[1], donor)


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("u_rom.", r"its cell \S+ is not as .*donor's"),
        ("netnames", "its netlist is not wired as .*donor's"),
    ],
)
def test_another_netlist_is_refused(routed, tmp_path, word, problem):
    donor = spoilt(
        routed, tmp_path / "donor", "netlist.json", lambda t: t.replace(word, "other.")
    )
    flow = flow_of(boards.load(routed.board))
    with pytest.raises(BuildError, match=problem):
        reuse(flow, routed.bitstream.parents[1], donor)


def test_other_contents_of_a_memory_in_logic_are_refused_by_its_name(tmp_path):
    core = ROM_CORE.replace(
        '.FILE("w0.hex"),\n      .STYLE("block")',
        '.WEIGHT_FILE("w0.hex"),\n      .WEIGHT_STYLE("lut")',
    )
    new, old = (
        write(tmp_path / name, "icebreaker", image, core=core)
        for name, image in (("new", ZEROS), ("old", RANDOM))
    )
    check_sources(read_design(old), old, read_design(old), old)
    message = r"rtl/w0\.hex of look-up tables differ from .*old's\. Compile both"
    with pytest.raises(BuildError, match=message):
        check_sources(read_design(new), new, read_design(old), old)
