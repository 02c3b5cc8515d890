# SPDX-License-Identifier: Apache-2.0
"""Contents of an iCE40's block RAMs: 16 rows of 256 bits, as nextpnr writes them."""

import re
from collections.abc import Iterable

from hwgq.boards.flows.contents import Cell, Contents, number

_MEMORY = re.compile(r"^(\.ram_data (\d+) (\d+)\n)(?:[0-9a-f]{64}\n){16}", re.MULTILINE)
_BEL = re.compile(r"X(\d+)/Y(\d+)/ram")


def _write(text: str, cells: Iterable[Cell]) -> str:
    memories = {}
    for cell in cells:
        place = _BEL.fullmatch(cell["attributes"]["NEXTPNR_BEL"])
        assert place is not None
        rows = [number(cell["parameters"][f"INIT_{i:X}"]) for i in range(16)]
        memories[place.groups()] = "".join(f"{row:064x}\n" for row in rows)
    written = _MEMORY.sub(lambda m: m[1] + memories.pop((m[2], m[3])), text)
    if memories:
        raise KeyError(next(iter(memories)))
    return written


ICE40_CONTENTS = Contents(parameter="INIT_", packed="_RAM", write=_write)
