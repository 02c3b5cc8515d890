# SPDX-License-Identifier: Apache-2.0
"""Write a netlist as Verilog that simulates fast."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from hwgq.boards.icestorm.netlist import (
    Carry,
    Control,
    Instance,
    Lut,
    Netlist,
    Part,
    Register,
)
from hwgq.boards.icestorm.signals import HIGH, LOW


def write_verilog(netlist: Netlist, top: str) -> str:
    """Write a netlist as a module.

    Parameters
    ----------
    netlist
        The circuit.
    top
        Name of the module.
    """
    ports = [f"input  wire {name}" for name in netlist.inputs]
    ports += [f"output wire {name}" for name in netlist.outputs]
    declared = [line for part in netlist.parts for line in _declare(part)]
    made = [line for part in netlist.parts for line in _make(part)]
    driven = [f"assign {name} = {signal};" for name, signal in netlist.outputs.items()]
    blocks = _blocks([part for part in netlist.parts if isinstance(part, Register)])
    body = [*declared, *made, *blocks, *driven]
    head = f"module {top} (\n  " + ",\n  ".join(ports) + "\n);"
    return "\n".join([head, *(f"  {line}" for line in body), "endmodule", ""])


def _declare(part: Part) -> Iterator[str]:
    match part:
        case Lut() | Carry():
            yield f"wire {part.name};"
        case Register():
            yield f"reg {part.name} = {LOW};"
        case Instance():
            size = f"[{part.width - 1}:0] " if part.width > 1 else ""
            yield from (f"wire {size}{name};" for name in part.outputs.values())


def _make(part: Part) -> Iterator[str]:
    match part:
        case Lut():
            yield f"assign {part.name} = {_table(part)};"
        case Carry():
            yield f"assign {part.name} = {_majority(part.inputs)};"
        case Instance():
            yield from _instance(part)


def _table(lut: Lut) -> str:
    """Look up the output: a shift is what both Verilator and yosys take."""
    match lut.inputs:
        case ():
            return HIGH if lut.table else LOW
        case (signal,):
            return signal if lut.table == 0b10 else f"~{signal}"
    return f"1'({1 << len(lut.inputs)}'h{lut.table:x} >> {_joined(lut.inputs[::-1])})"


def _majority(inputs: tuple[str, str, str]) -> str:
    a, b, c = sorted(inputs)  # constants come first
    if a == LOW:
        return f"{b} & {c}"
    if a == HIGH:
        return f"{b} | {c}"
    return f"({a} & {b}) | (({a} | {b}) & {c})"


def _instance(part: Instance) -> Iterator[str]:
    parameters = [f".{name}({value})" for name, value in part.parameters.items()]
    ports = [f".{name}({_joined(bits)})" for name, bits in part.inputs.items()]
    ports += [f".{name}({signal})" for name, signal in part.outputs.items()]
    yield f"{part.model} #("
    yield from _listed(parameters)
    yield f") {part.name} ("
    yield from _listed(ports)
    yield ");"


def _joined(bits: tuple[str, ...]) -> str:
    return bits[0] if len(bits) == 1 else f"{{{', '.join(bits)}}}"


def _listed(items: Sequence[str]) -> Iterator[str]:
    for i, item in enumerate(items, 1):
        yield f"  {item}," if i < len(items) else f"  {item}"


def _blocks(registers: Iterable[Register]) -> Iterator[str]:
    """Write one block for all registers that share their control."""
    by_control = attrgetter("control")
    for control, group in groupby(sorted(registers, key=by_control), by_control):
        members = list(group)
        resets = [f"{register.name} <= 1'b{register.value:d};" for register in members]
        loads = [f"{register.name} <= {register.data};" for register in members]
        yield from _block(control, resets, loads)


def _block(control: Control, resets: list[str], loads: list[str]) -> Iterator[str]:
    edge = f"{'negedge' if control.falling else 'posedge'} {control.clock}"
    if control.asynchronous:
        yield f"always @({edge} or posedge {control.reset}) begin"
        body = _branch(control.reset, resets, _branch(control.enable, loads))
    else:
        yield f"always @({edge}) begin"
        body = _branch(control.enable, _branch(control.reset, resets, loads))
    yield from (f"  {line}" for line in body)
    yield "end"


def _branch(
    condition: str, then: Sequence[str], otherwise: Sequence[str] = ()
) -> Sequence[str]:
    """Choose between statements; a constant needs no choice."""
    if condition in {LOW, HIGH}:
        return then if condition == HIGH else otherwise
    lines = [f"if ({condition}) begin", *(f"  {line}" for line in then)]
    if otherwise:
        lines += ["end else begin", *(f"  {line}" for line in otherwise)]
    return [*lines, "end"]
