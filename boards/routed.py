# SPDX-License-Identifier: Apache-2.0
"""The placed and routed netlist as Verilog, for simulators.

nextpnr writes it as JSON. It leaves out what it has no choice about: pins that nothing
is routed to, and wires that always are there. The family's flow adds these.
"""

import json
from pathlib import Path
from typing import Any

from hwgq import tools
from hwgq.boards.flows.flow import ROUTED, TOP, Flow
from hwgq.errors import StorageError
from hwgq.storage import read_bytes

_READ = f"read_json routed.json; hierarchy -top {TOP}; write_verilog -noattr routed.v"


def routed_verilog(build: Path, flow: Flow, folder: Path) -> Path:
    """Turn the routed netlist of a build into Verilog.

    Parameters
    ----------
    build
        The build folder, routed.
    flow
        The family's flow.
    folder
        An empty folder to work in.

    Returns
    -------
    Path
        A file in it: the module ``hwgq_board_top``, made of the family's cells.

    Raises
    ------
    StorageError
        If the build is not routed, or its netlist is damaged.
    ToolNotFoundError, ToolFailedError
        If yosys is missing, or does not read the netlist.
    """
    path = build / ROUTED
    try:
        (module,) = json.loads(read_bytes(path))["modules"].values()
        whole = {"modules": {TOP: _bare(flow.complete(module))}}
    except (ValueError, KeyError, TypeError) as error:
        problem = f"is no routed netlist ({error!r})"
        raise StorageError(path, problem, "Build it again") from error
    (folder / "routed.json").write_text(json.dumps(whole))
    argv = (flow.synthesizer, "-p", _READ)
    tools.run(argv, cwd=folder, log=folder / "routed.log")
    return folder / "routed.v"


def _bare(module: dict[str, Any]) -> dict[str, Any]:
    """Keep what is simulated: ports and cells, with the pins that are connected.

    Simulators let no input go to a pin of both directions, as pads have. Such a pin
    gets an `_i` or `_o` behind its name, by the direction of its port.
    """
    ends = {
        bit: "_i" if port["direction"] == "input" else "_o"
        for port in module["ports"].values()
        for bit in port["bits"]
    }
    cells = {}
    for name, cell in module["cells"].items():
        directions = cell["port_directions"]
        pins = {
            pin + (ends[bits[0]] if directions.get(pin) == "inout" else ""): bits
            for pin, bits in cell["connections"].items()
            if bits
        }
        cells[name] = {
            "type": cell["type"],
            "parameters": cell["parameters"],
            "port_directions": {pin: directions.get(pin, "input") for pin in pins},
            "connections": pins,
        }
    return {"ports": module["ports"], "cells": cells}
