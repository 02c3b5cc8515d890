# SPDX-License-Identifier: Apache-2.0
"""Faults beyond RTL: each changes one file of a built board, and says what it did.

Faults of logic lie in the adders of the dot products: there, whatever a frame can bring
changes a sum. Control and queues are left out: what an empty place of a FIFO holds
matters to nobody, and to show that takes a proof for each fault, of all that keeps the
place empty. The shell is left out, for it counts to what no simulation reaches.
"""

import json
import re
import shutil
from pathlib import Path

from hwgq import tools
from hwgq.boards.design import read_design
from hwgq.boards.flows.flow import GATES, NETLIST, ROUTED, TOP
from hwgq.boards.unpack import unpack
from hwgq.storage import read_json, sha256_file, write_json, write_text

ADDERS = re.compile(r"u_core\..*\.u_dot_products\..*\.gen_tree\b")


def lut_bit_of_an_adder(rng, build, folder):
    """Flip a bit of a LUT in GATES, of those that its constant inputs leave."""
    del folder
    luts = [
        (name, entry)
        for name, cell in _cells(build / NETLIST).items()
        if cell["type"] == "SB_LUT4" and ADDERS.search(name)
        for entry in range(16)
        if all(
            cell["connections"][f"I{i}"][0] != str(1 - (entry >> i & 1))
            for i in range(4)
        )
    ]
    name, entry = luts[rng.integers(len(luts))]
    text = (build / GATES).read_text()
    head = rf"LUT_INIT\(16'h([0-9a-f]{{4}})\)\s+\) \\{re.escape(name)} "
    (found,) = re.finditer(head, text)
    table = f"{int(found[1], 16) ^ 1 << entry:04x}"
    write_text(build / GATES, text[: found.start(1)] + table + text[found.end(1) :])
    stamp(build, "synthesize")
    return f"{name}, entry {entry}"


def connection_of_an_adder(rng, build, folder):
    """Move a pin of a cell in ROUTED to the output of a register."""
    del folder
    whole = json.loads((build / ROUTED).read_text())
    cells = whole["modules"]["top"]["cells"]
    pins = [
        (name, pin)
        for name, cell in cells.items()
        if ADDERS.search(name)
        for pin, bits in cell["connections"].items()
        if cell["port_directions"][pin] == "input" and bits
    ]
    nets = [
        cell["connections"]["O"][0]
        for cell in cells.values()
        if cell["type"] == "ICESTORM_LC" and int(cell["parameters"]["DFF_ENABLE"], 2)
    ]
    name, pin = pins[rng.integers(len(pins))]
    (old,) = cells[name]["connections"][pin]
    others = [net for net in nets if net != old]
    new = others[rng.integers(len(others))]
    cells[name]["connections"][pin] = [new]
    write_text(build / ROUTED, json.dumps(whole))
    stamp(build, "place and route")
    return f"{name}, {pin}: net {new} instead of {old}"


def bit_of_an_image(rng, build, folder):
    """Flip a bit of a block RAM in the bitstream, of those that an image fills."""
    return _memory_bit(rng, build, folder, "01")


def bit_beside_the_images(rng, build, folder):
    """Flip a bit of a block RAM in the bitstream, of those that no image fills."""
    return _memory_bit(rng, build, folder, "x")


def read_only(build):
    """Read the rows of the core's read-only block RAMs; `x` is what no image fills."""
    memories = {
        name: [cell["parameters"][f"INIT_{row:X}"] for row in range(16)]
        for name, cell in _cells(build / NETLIST).items()
        if "u_core." in name and "RAM" in cell["type"]
    }
    return {n: rows for n, rows in memories.items() if set("".join(rows)) != {"x"}}


def _memory_bit(rng, build, folder, values):
    """Flip a bit that the synthesized netlist has one of some values for."""
    bits = [
        (name, row, bit)
        for name, rows in read_only(build).items()
        for row, text in enumerate(rows)
        for bit, value in enumerate(reversed(text))
        if value in values
    ]
    name, row, bit = bits[rng.integers(len(bits))]
    packed = name + read_design(build).flow.contents.packed
    cell = _cells(build / ROUTED, "top")[packed]
    place = re.fullmatch(r"X(\d+)/Y(\d+)/ram", cell["attributes"]["NEXTPNR_BEL"])

    def flip(lines):
        line = lines.index(f".ram_data {place[1]} {place[2]}") + 1 + row
        lines[line] = f"{int(lines[line], 16) ^ 1 << bit:064x}"

    _repack(build, folder, flip)
    return f"{name}, row {row}, bit {bit}"


def bit_of_a_word_on_an_ecp5(rng, build, folder):
    """Flip a bit of any word of any block RAM in the bitstream."""
    memory, word, bit = (int(rng.integers(n)) for n in (1 << 20, 2048, 9))
    line, column = divmod(word, 8)

    def flip(lines):
        memories = [i for i, text in enumerate(lines) if text.startswith(".bram_init")]
        place = memories[memory % len(memories)] + 1 + line
        words = lines[place].split()
        words[column] = f"{int(words[column], 16) ^ 1 << bit:03x}"
        lines[place] = " ".join(words)

    _repack(build, folder, flip)
    return f"memory {memory}, word {word}, bit {bit}"


def _repack(build, folder, change):
    """Unpack a bitstream, change its lines, and pack it again."""
    flow = read_design(build).flow
    (folder / "unpacked").mkdir()
    lines = unpack(build, flow, folder / "unpacked").split("\n")
    change(lines)
    (folder / "damaged").write_text("\n".join(lines))
    argv = (flow.packer, "damaged", "packed")
    tools.run(argv, cwd=folder, log=folder / "pack.log")
    shutil.copy(folder / "packed", build / flow.bitstream_file)
    stamp(build, "pack")


def stamp(build: Path, stage: str) -> None:
    """Make a build with spoiled outputs of a stage look like a whole one."""
    path = build / ".stages" / f"{stage}.json"
    record = read_json(path)
    hashes = {file: sha256_file(build / file) for file in record["outputs"]}
    write_json(path, record | {"outputs": hashes})


def _cells(path, module=TOP):
    """Read the cells of a netlist in yosys' JSON; nextpnr calls the module `top`."""
    return json.loads(path.read_text())["modules"][module]["cells"]
