# SPDX-License-Identifier: Apache-2.0
"""Put new contents into a routed design's block RAMs, instead of routing anew.

A retrained network of the same shape has the netlist of the old one, but for what its
memories hold. The router's text says this in full, memory by memory, so that the old
text with new contents is the new network's: nothing is placed, no timing changes.
"""

import json
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from hwgq.boards.design import Design, read_design
from hwgq.boards.flows.contents import Contents
from hwgq.boards.flows.flow import NETLIST, ROUTED, SUMMARY, TIMING, Flow
from hwgq.errors import BuildError
from hwgq.storage import read_bytes, read_json, write_bytes, write_json, write_text

#: A JSON object of yosys or nextpnr.
Cells = dict[str, Any]

_REMEDY = (
    "Compile both networks with --exchangeable and equal options, or build this one"
    " without --reuse-routing"
)
#: The file that each memory of an instance is filled from, and what it is made of.
_FILE = re.compile(r'\.(\w+)_FILE\("([^"]+)"\)')
_STYLE = re.compile(r'\.(\w+)_STYLE\("(\w+)"\)')


def check_sources(design: Design, folder: Path, old: Design, donor: Path) -> None:
    """Refuse a donor whose sources differ in more than contents of block RAMs.

    Parameters
    ----------
    design, folder
        What is to be built.
    old, donor
        What is routed.

    Raises
    ------
    BuildError
        If another board, clock, shape or folding is in the way, or a memory that lies
        in look-up tables.
    """
    if (design.board, design.mhz) != (old.board, old.mhz):
        found = f"{old.board.name} at {old.mhz:g} MHz"
        raise _refusal(folder, f"{donor} is routed for {found}")
    ours, theirs = _sources(design, folder), _sources(old, donor)
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            pair = _first_difference(ours.get(name, ""), theirs.get(name, ""))
            raise _refusal(folder, f"{name} differs from {donor}'s: {pair}")
    changed = [
        f"rtl/{name}"
        for name in _in_logic(folder / "rtl" / "hwgq_core.sv")
        if read_bytes(folder / "rtl" / name) != read_bytes(donor / "rtl" / name)
    ]
    if changed:
        problem = f"{', '.join(changed)} of look-up tables differ from {donor}'s"
        raise _refusal(folder, problem)


def reuse(flow: Flow, folder: Path, donor: Path) -> None:
    """Write the routed design of a synthesized build, from that of another.

    Parameters
    ----------
    flow
        The flow of both.
    folder
        Build folder with the netlist.
    donor
        Build folder with the routed design.

    Raises
    ------
    BuildError
        If the netlists differ in more than contents of block RAMs, or the router has
        written these in an unknown way.
    StorageError
        If something cannot be read or written.
    """
    contents = flow.contents
    memories = _memories(folder, donor, contents)
    routed = json.loads(read_bytes(donor / ROUTED))
    cells = {
        name.removesuffix(contents.packed): cell
        for name, cell in _top(routed)["cells"].items()
        if contents.of(cell)
    }
    text = read_bytes(donor / flow.routed_file).decode()
    try:
        whole = contents.write(text, cells.values()) == text
    except KeyError:
        whole = False
    if not whole or cells.keys() != memories.keys():
        problem = (
            f"{donor / flow.routed_file} does not hold {donor / NETLIST}'s contents"
        )
        raise _refusal(folder, problem)
    for name, cell in cells.items():
        cell["parameters"].update(memories[name])
    write_text(folder / flow.routed_file, contents.write(text, cells.values()))
    write_text(folder / ROUTED, json.dumps(routed))
    write_bytes(folder / TIMING, read_bytes(donor / TIMING))
    origin = {"routing_of": read_design(donor).info.build_id}
    write_json(folder / SUMMARY, read_json(donor / SUMMARY) | origin)


def _sources(design: Design, folder: Path) -> dict[str, str]:
    """Read everything that the flow's programs read, but for memory images."""
    core = {f"rtl/{path.name}": path.read_text() for path in folder.glob("rtl/*.sv")}
    return {
        name: text
        for name, text in {**core, **design.files}.items()
        if not name.endswith(".hex")
    }


def _first_difference(ours: str, theirs: str) -> str:
    """Quote the first lines that differ."""
    pairs = zip_longest(ours.splitlines(), theirs.splitlines(), fillvalue="")
    one, other = next((a, b) for a, b in pairs if a != b)
    return f'"{one.strip()}" beside "{other.strip()}"'


def _in_logic(core: Path) -> Iterator[str]:
    """Name the memory images that become look-up tables."""
    for instance in core.read_text().split(");\n"):
        files, styles = (dict(p.findall(instance)) for p in (_FILE, _STYLE))
        yield from (name for kind, name in files.items() if styles.get(kind) == "lut")


def _memories(
    folder: Path, donor: Path, contents: Contents
) -> dict[str, dict[str, str]]:
    """Compare two netlists but for contents; return those of the first, by cell."""
    ours, theirs = (
        _top(json.loads(read_bytes(path / NETLIST))) for path in (folder, donor)
    )
    memories = _take_contents(ours, contents)
    _take_contents(theirs, contents)
    for name in sorted(ours["cells"].keys() | theirs["cells"].keys()):
        if ours["cells"].get(name) != theirs["cells"].get(name):
            raise _refusal(folder, f"its cell {name} is not as {donor}'s")
    if ours != theirs:
        raise _refusal(folder, f"its netlist is not wired as {donor}'s")
    return memories


def _take_contents(top: Cells, contents: Contents) -> dict[str, dict[str, str]]:
    """Remove the contents from a module, and return them by cell."""
    found = {name: contents.of(cell) for name, cell in top["cells"].items()}
    memories = {name: values for name, values in found.items() if values}
    for name, values in memories.items():
        for key in values:
            del top["cells"][name]["parameters"][key]
    return memories


def _top(design: Cells) -> Cells:
    """Find the top module, whose name nextpnr changes."""
    modules: list[Cells] = list(design["modules"].values())
    return next(m for m in modules if int(m["attributes"].get("top", "0"), 2))


def _refusal(folder: Path, problem: str) -> BuildError:
    return BuildError(folder, problem, _REMEDY)
