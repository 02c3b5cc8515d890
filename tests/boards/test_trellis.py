# SPDX-License-Identifier: Apache-2.0
"""An ECP5's bitstream configures the device as the router wanted, bit for bit."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from hwgq import boards, tools
from hwgq.boards.flows import flow_of
from hwgq.boards.flows.flow import pack
from hwgq.boards.trellis import read_configuration
from hwgq.boards.unpack import unpack
from hwgq.errors import StorageError, ToolFailedError, VerificationError
from tests.boards.designs import write_build

FLOW = flow_of(boards.load("ulx3s-85f"))
#: Frames of the device's configuration memory, and their bits.
FRAMES, BITS = 13294, 1136


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_build(tmp_path_factory.mktemp("trellis"), "ulx3s-85f")
    boards.build(folder)
    return folder


@pytest.fixture(scope="module")
def routed(built):
    return read_configuration((built / FLOW.routed_file).read_text())


@pytest.fixture
def build(built, tmp_path):
    """Copy the build, to be spoiled."""
    return Path(shutil.copytree(built, tmp_path / "build"))


def unpacked(build, tmp_path):
    (tmp_path / "work").mkdir()
    return unpack(build, FLOW, tmp_path / "work")


def frames_of(bitstream: bytes) -> np.ndarray:
    """Read the frames of a bitstream, last one first, as ecppack writes them."""
    begin = bitstream.index(bytes.fromhex("829133ee")) + 4
    frame = BITS // 8 + 3  # the check sum, and a byte between frames
    data = np.frombuffer(bitstream, np.uint8, FRAMES * frame, begin)
    bits = np.unpackbits(data.reshape(FRAMES, frame)[:, : BITS // 8], axis=1)
    return bits[::-1, ::-1].astype(np.bool_)


def test_the_words_of_router_and_bitstream_are_the_bits_of_the_file(
    built, routed, tmp_path
):
    again = read_configuration(unpacked(built, tmp_path))
    in_file = frames_of((built / FLOW.bitstream_file).read_bytes())
    assert routed.bits.shape == (FRAMES, BITS)
    np.testing.assert_array_equal(routed.bits, in_file)
    np.testing.assert_array_equal(again.bits, in_file)
    np.testing.assert_array_equal(again.memories, routed.memories)
    assert (routed.memories[:, 0] >= 0).any()


def test_a_bit_that_the_packer_turns_is_seen(build, routed, tmp_path):
    path = build / FLOW.routed_file
    text = path.read_text()
    word = re.search(r"word: SLICE\w\.K\d\.INIT (\d)", text)
    other = str(1 - int(word[1]))
    path.write_text(text[: word.start(1)] + other + text[word.end(1) :])
    command = pack(FLOW)
    tools.run(command.argv, cwd=build, log=build / command.log)
    spoiled = read_configuration(unpacked(build, tmp_path))
    assert (spoiled.bits != routed.bits).sum() == 1


def test_a_word_of_a_memory_that_is_another_is_seen(build, routed, tmp_path):
    path = build / FLOW.routed_file
    head, begin, rest = path.read_text().partition(".bram_init")
    number, _, words = rest.partition("\n")
    path.write_text(f"{head}{begin}{number}\n1{words[1:]}")
    command = pack(FLOW)
    tools.run(command.argv, cwd=build, log=build / command.log)
    spoiled = read_configuration(unpacked(build, tmp_path))
    assert (spoiled.memories != routed.memories).sum() == 1
    np.testing.assert_array_equal(spoiled.bits, routed.bits)


def test_a_damaged_bitstream_is_refused(build, tmp_path):
    path = build / FLOW.bitstream_file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ToolFailedError, match=r"(?i)crc"):
        unpacked(build, tmp_path)


def test_a_bitstream_that_is_missing_is_named(build, tmp_path):
    (build / FLOW.bitstream_file).unlink()
    with pytest.raises(StorageError, match=r"hwgq\.bit: is not there\. Run `hwgq"):
        unpacked(build, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".device LFE5U-1F\n",
        ".device LFE5U-85F\n.tile R1C1:NONE\nenum: A B\n",
        ".device LFE5U-85F\n.tile CIB_R10C14:CIB_DSP\nenum: NOTHING ON\n",
        ".device LFE5U-85F\n.tile_group MIB_R4C0:PLL0_UL\nenum: NOTHING ON\n",
        ".device LFE5U-85F\n.bram_init 3\n000 000\n",
        ".device LFE5U-85F\n.sysconfig CONFIG_MODE JTAG\n",
    ],
)
def test_what_the_database_does_not_know_is_refused(text):
    with pytest.raises(VerificationError, match="what the database does not know"):
        read_configuration(text)
