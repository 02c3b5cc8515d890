# SPDX-License-Identifier: Apache-2.0
"""Walk from the output pins back through the cells that they depend on."""

from collections.abc import Iterable, Mapping

from hwgq.boards.icestorm import cells
from hwgq.boards.icestorm.cells import refusal
from hwgq.boards.icestorm.chip import Cell
from hwgq.boards.icestorm.netlist import Netlist, Part
from hwgq.boards.icestorm.parts import makers
from hwgq.boards.icestorm.signals import Signals
from hwgq.boards.icestorm.sources import Sources


def extract(sources: Sources, ports: Mapping[int, str]) -> Netlist:
    """Find the circuit between a design's pins.

    Parameters
    ----------
    sources
        The configured device, traced.
    ports
        Name of the port at each pad in use, by the pad's cell.

    Raises
    ------
    VerificationError
        If it depends on something that is not read back, or drives another pin.
    """
    signals = Signals(sources=sources, ports=ports, plls=_running_plls(sources))
    outputs = _outputs(signals)
    return Netlist(
        inputs=tuple(name for name in ports.values() if name not in outputs),
        outputs=outputs,
        parts=_reached(signals, outputs.values()),
    )


def _outputs(signals: Signals) -> dict[str, str]:
    chip, bitmap = signals.sources.bitmap.chip, signals.sources.bitmap
    driving = {
        number: cell
        for number, cell in enumerate(chip.cells)
        if cell.kind == "io" and cells.pad(bitmap, number).drives
    }
    for number, cell in driving.items():
        if number not in signals.ports:
            raise refusal(cell, "drives a pin that the design has no port for")
    return {
        name: signals.on(driving[number].inputs["D_OUT_0"])
        for number, name in signals.ports.items()
        if number in driving
    }


def _reached(signals: Signals, wanted: Iterable[str]) -> tuple[Part, ...]:
    """Make the parts that signals come from, and those that these depend on."""
    make = makers(signals)
    parts: dict[str, Part] = {}
    pending, seen = list(wanted), set()
    while pending:
        name = pending.pop().partition("[")[0]
        if name in make and name not in seen:
            seen.add(name)
            part = make[name]()
            parts[part.name] = part
            pending += part.reads()
    return tuple(parts[name] for name in sorted(parts))


def _running_plls(sources: Sources) -> dict[int, Cell]:
    chip = sources.bitmap.chip
    pads = {
        cell.outputs["D_IN_0"]: number
        for number, cell in enumerate(chip.cells)
        if cell.kind == "io"
    }
    return {
        pads[cell.outputs["PLLOUT_A"]]: cell
        for cell in chip.cells
        if cell.kind == "pll" and cells.pll(sources.bitmap, cell) is not None
    }
