# SPDX-License-Identifier: Apache-2.0
"""Contents of an ECP5's block RAMs: 2048 words of 9 bits, as nextpnr writes them."""

import re
from collections.abc import Iterable, Iterator

from hwgq.boards.flows.contents import Cell, Contents, number

_MEMORY = re.compile(
    r"^(\.bram_init (\d+)\n)(?:[0-9a-f]{3}(?: [0-9a-f]{3}){7}\n){256}", re.MULTILINE
)


def _write(text: str, cells: Iterable[Cell]) -> str:
    memories = {}
    for cell in cells:
        words = [f"{word:03x}" for word in _words(cell)]
        lines = [" ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
        memories[number(cell["attributes"]["WID"])] = "\n".join(lines) + "\n"
    written = _MEMORY.sub(lambda m: m[1] + memories.pop(int(m[2])), text)
    if memories:
        raise KeyError(next(iter(memories)))
    return written


def _words(cell: Cell) -> Iterator[int]:
    """Take a cell's words out of 64 parameters, of 16 pairs in 20 bits each."""
    for i in range(64):
        row = number(cell["parameters"][f"INITVAL_{i:02X}"])
        for pair in range(16):
            yield row >> (20 * pair) & 0x1FF
            yield row >> (20 * pair + 9) & 0x1FF


ECP5_CONTENTS = Contents(parameter="INITVAL_", packed="", write=_write)
