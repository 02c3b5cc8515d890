# SPDX-License-Identifier: Apache-2.0
import importlib.resources

import pytest

from hwgq.boards import board as boards
from hwgq.boards.pins import pads
from hwgq.errors import BoardError, StorageError

every_board = pytest.mark.parametrize("name", boards.names())


def text_of(name: str) -> str:
    resource = importlib.resources.files("hwgq.boards") / f"{name}.toml"
    return resource.read_text()


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


@every_board
def test_every_board_loads_and_carries_its_files_name(name):
    assert boards.load(name).name == name


@every_board
def test_every_boards_pins_are_known_and_differ(name):
    found = pads(boards.load(name))
    assert len({found.clock.site, found.rx.site, found.tx.site}) == 3


@every_board
def test_every_boards_oscillator_is_as_amaranth_boards_has_it(name):
    board = boards.load(name)
    module, _, platform = board.platform.partition(":")
    resources = getattr(importlib.import_module(module), platform).resources
    (clock,) = (item for item in resources if item.name == board.clock.resource)
    assert clock.clock.frequency == board.clock.mhz * 1e6


def test_the_icebreakers_pins_are_those_of_its_schematic():
    found = pads(boards.load("icebreaker"))
    assert (found.clock.site, found.rx.site, found.tx.site) == ("35", "6", "9")
    assert found.rx.attributes["PULLUP"] == "1"


def test_the_ulx3s_pins_are_those_of_its_schematic():
    found = pads(boards.load("ulx3s-85f"))
    assert (found.clock.site, found.rx.site, found.tx.site) == ("G2", "M1", "L4")
    assert found.tx.attributes == {"IO_TYPE": "LVCMOS33"}


def test_an_unknown_board_is_answered_with_the_nearest_and_all():
    message = r"^icebraker: no such board\. Did you mean icebreaker\? .*ulx3s-85f"
    with pytest.raises(BoardError, match=message):
        boards.load("icebraker")


def test_a_board_of_ones_own_is_read_from_its_path(write):
    path = write(text_of("icebreaker").replace("iCEBreaker 1.0", "Mine"))
    board = boards.load(str(path))
    assert (board.name, board.title) == ("mine", "Mine")


def test_pins_may_be_given_in_the_file(write):
    table = '[pins]\nclock = {site = "35"}\nrx = {site = "6"}\ntx = {site = "9"}\n'
    lines = text_of("icebreaker").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("platform"))
    assert pads(boards.read(write(f"{text}\n{table}"))).rx.site == "6"
    with pytest.raises(BoardError, match="either by 'platform' or by 'pins'"):
        boards.read(write(text))
    with pytest.raises(BoardError, match="either by 'platform' or by 'pins'"):
        boards.read(write(text_of("icebreaker") + table))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("package", "pakage", "key 'package' is missing; unknown key 'pakage'"),
        ("bauds", "baud", r"key 'uart\.bauds' is missing; unknown key 'uart\.baud'"),
        ('family = "ice40"', 'family = "ice41"', "family: .*'ice40' or 'ecp5'"),
        ("luts = 5280", "luts = -1", r"resources\.luts: .*greater than 0"),
        ("luts = 5280", 'luts = "5280"', r"resources\.luts: .*integer"),
        ('["iceprog"]', "[]", "programmer: .*at least 1"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(write, old, new, problem):
    path = write(text_of("icebreaker").replace(old, new))
    with pytest.raises(BoardError, match=rf"mine\.toml: {problem}"):
        boards.read(path)


def test_a_file_that_is_no_toml_is_refused(write):
    with pytest.raises(StorageError, match=r"mine\.toml"):
        boards.read(write("title = "))


def test_a_platform_that_does_not_exist_is_named(write):
    path = write(text_of("icebreaker").replace("ICEBreakerPlatform", "Nothing"))
    with pytest.raises(BoardError, match="Nothing is not in amaranth-boards"):
        pads(boards.read(path))


def test_a_resource_that_does_not_exist_is_named_with_the_others(write):
    path = write(text_of("icebreaker").replace('"clk12"', '"clk13"'))
    with pytest.raises(BoardError, match=r"no resource 'clk13'\. Choose .*clk12"):
        pads(boards.read(path))


def test_an_inverted_pin_is_refused(write):
    path = write(text_of("icebreaker").replace('"clk12"', '"led"'))
    with pytest.raises(BoardError, match="11 is inverted"):
        pads(boards.read(path))
