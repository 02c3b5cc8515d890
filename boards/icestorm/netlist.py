# SPDX-License-Identifier: Apache-2.0
"""A circuit of tables, carries, registers and cells with models of their own.

A signal is the Verilog for one bit: a name, an element of a vector, or a constant.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Lut:
    """A table: its bit i is the output where the inputs, lowest first, read i."""

    name: str
    table: int
    inputs: tuple[str, ...]

    def reads(self) -> tuple[str, ...]:
        """Give the signals that it depends on."""
        return self.inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """The majority of three signals."""

    name: str
    inputs: tuple[str, str, str]

    def reads(self) -> tuple[str, ...]:
        """Give the signals that it depends on."""
        return self.inputs


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Control:
    """What registers may share.

    Parameters
    ----------
    clock, falling
        Clock, and whether its falling edge counts.
    enable
        Whether the clock counts.
    reset
        Whether the register takes its reset value, and not its data.
    asynchronous
        Whether the reset needs neither clock nor enable.
    """

    clock: str
    falling: bool
    enable: str
    reset: str
    asynchronous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A bit that begins as 0, follows `data`, and is reset to `value`."""

    name: str
    data: str
    control: Control
    value: bool

    def reads(self) -> tuple[str, ...]:
        """Give the signals that it depends on."""
        shared = self.control
        return (self.data, shared.clock, shared.enable, shared.reset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A cell that has a simulation model.

    Parameters
    ----------
    model, name
        Module and instance.
    parameters
        Verilog of the values, by name.
    inputs, outputs
        Signals of the ports, by name, the highest bit of a vector first; an output is
        a wire of its own.
    width
        Bits of each output.
    """

    model: str
    name: str
    parameters: Mapping[str, str]
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, str]
    width: int

    def reads(self) -> tuple[str, ...]:
        """Give the signals that it depends on."""
        return tuple(signal for port in self.inputs.values() for signal in port)


Part = Lut | Carry | Register | Instance


@dataclass(frozen=True, slots=True, kw_only=True)
class Netlist:
    """A circuit.

    Parameters
    ----------
    inputs
        Names of the input ports.
    outputs
        Signals of the output ports, by name.
    parts
        What makes the signals.
    """

    inputs: tuple[str, ...]
    outputs: Mapping[str, str]
    parts: tuple[Part, ...]
