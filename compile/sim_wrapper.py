# SPDX-License-Identifier: Apache-2.0
"""The module around a design, with ports that one driver knows for every design."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

import numpy as np


@dataclass(frozen=True, slots=True)
class SimPorts:
    """Widths of the design's two streams, in bits.

    The ports are `clk_i`, `rst_i`, and `in_`/`out_` with `data`, `valid`, `ready`.
    """

    in_width: int
    out_width: int


@dataclass(frozen=True, slots=True)
class Tap:
    """A stream inside the design that is watched.

    Parameters
    ----------
    name
        Key of the stream in the results.
    data, valid, ready
        The signals, as SystemVerilog names them inside the design.
    width
        Bits of a beat that are recorded; 0 if beats and stalls are only counted.
    """

    name: str
    data: str
    valid: str
    ready: str
    width: int

    @classmethod
    def of(cls, name: str, prefix: str, width: int) -> Self:
        """Tap the stream of the signals `prefix` and _data, _valid, _ready."""
        return cls(name, f"{prefix}_data", f"{prefix}_valid", f"{prefix}_ready", width)


def _words(width: int) -> int:
    """Round up to words of 32 bits."""
    return -(-width // 32) * 32


def _padded(width: int) -> int:
    """Round up to more than two words: such ports are arrays in C++."""
    return max(96, _words(width))


def offsets(taps: Sequence[Tap]) -> list[int]:
    """Place the taps one after the other, each on a whole word; in bits."""
    ends = np.cumsum([0, *(_words(tap.width) for tap in taps)])
    return [int(end) for end in ends[:-1]]


def wrapper(
    top: str,
    ports: SimPorts,
    taps: Sequence[Tap] = (),
    parameters: Mapping[str, int | str] = MappingProxyType({}),
) -> str:
    """Write the module that gives every design the ports that the drivers know.

    The parameters are those of :func:`build_simulator`.
    """
    values = ", ".join(
        f'.{name}("{value}")' if isinstance(value, str) else f".{name}({value})"
        for name, value in parameters.items()
    )
    brought_out = "".join(
        f"    tap_valid_o[{index}] = u_top.{tap.valid};\n"
        f"    tap_ready_o[{index}] = u_top.{tap.ready};\n"
        for index, tap in enumerate(taps)
    ) + "".join(
        f"    tap_data_o[{offset} +: {tap.width}] = u_top.{tap.data};\n"
        for tap, offset in zip(taps, offsets(taps), strict=True)
        if tap.width > 0
    )
    tap_width = _padded(sum(_words(tap.width) for tap in taps))
    flags = _padded(len(taps)) - 1
    return f"""\
module hwgq_sim (
  input logic clk_i, rst_i,
  input logic [{_padded(ports.in_width) - 1}:0] in_data_i,
  input logic in_valid_i, output logic in_ready_o,
  output logic [{_padded(ports.out_width) - 1}:0] out_data_o,
  output logic out_valid_o, input logic out_ready_i,
  output logic [{tap_width - 1}:0] tap_data_o,
  output logic [{flags}:0] tap_valid_o, tap_ready_o
);
  logic [{ports.out_width - 1}:0] out_data;
  {top} #({values}) u_top (
    .clk_i, .rst_i,
    .in_data_i(in_data_i[{ports.in_width - 1}:0]), .in_valid_i, .in_ready_o,
    .out_data_o(out_data), .out_valid_o, .out_ready_i
  );
  assign out_data_o = {_padded(ports.out_width)}'(out_data);
  always_comb begin
    tap_data_o = '0;
    tap_valid_o = '0;
    tap_ready_o = '0;
{brought_out}  end
endmodule
"""
