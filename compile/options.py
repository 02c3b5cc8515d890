# SPDX-License-Identifier: Apache-2.0
"""What a user asks of the compiler, checked and in types of our own."""

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from hwgq.compile.cost import Lanes
from hwgq.compile.graph import BIPOLAR, ElementType
from hwgq.compile.network import Integers
from hwgq.errors import FoldingError, OptionError
from hwgq.storage import read_toml

MAX_INPUT_BITS = 8
_NAMED = {
    "BIPOLAR": BIPOLAR,
    "BINARY": ElementType.unsigned(1),
    "TERNARY": ElementType.unsigned(2, offset=-1),
}
_TYPE = re.compile(r"(U?)INT([1-9]\d?)")


def parse_input_type(text: str, scale: str | None, place: str) -> Integers:
    """Read the type of a network's input.

    Parameters
    ----------
    text
        ``UINT1`` … ``UINT8``, ``INT2`` … ``INT8``, or ``BIPOLAR``; QONNX's names
        ``BINARY`` and ``TERNARY`` are {0, 1} and {−1, 0, 1}.
    scale
        Real number of the integer 1, such as ``1/255`` or ``0.5``; None for 1.
    place
        The option or annotation that it comes from, for messages.

    Raises
    ------
    OptionError
        If it is none of these.
    """
    match = _TYPE.fullmatch(text)
    bits = int(match[2]) if match else 0
    if text in _NAMED:
        kind = _NAMED[text]
    elif match and match[1] and bits <= MAX_INPUT_BITS:
        kind = ElementType.unsigned(2**bits - 1)
    elif match and not match[1] and 2 <= bits <= MAX_INPUT_BITS:
        kind = ElementType.unsigned(2**bits - 1, offset=-(2 ** (bits - 1)))
    else:
        raise OptionError(
            place,
            f"{text[:40]!r} is no type of integers that a network can get",
            f"Use UINT1 to UINT{MAX_INPUT_BITS}, INT2 to INT{MAX_INPUT_BITS}, BIPOLAR",
        )
    return Integers(type=kind, step=_parse_scale(scale))


def _parse_scale(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError, OverflowError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise OptionError(
            "--input-scale",
            f"{text[:40]!r} is no positive number",
            "Use one such as 1/255 or 0.0039",
        )
    return value


def declared_input(
    annotation: str | None, input_type: str | None, input_scale: str | None
) -> Integers | None:
    """Decide what a network's input is, from the file and from the options.

    Raises
    ------
    OptionError
        If the two contradict each other, or a scale comes without a type.
    """
    if annotation is not None and annotation.startswith("FLOAT"):
        annotation = None
    if input_type and annotation and input_type != annotation:
        raise OptionError(
            "--input-type",
            f"is {input_type}, but the network says {annotation}",
            "Leave the option out, or export the network with another annotation",
        )
    text = input_type or annotation
    if text is None:
        if input_scale is not None:
            raise OptionError(
                "--input-scale", "comes without a type", "Give --input-type, as UINT8"
            )
        return None
    return parse_input_type(
        text, input_scale, "--input-type" if input_type else "input annotation"
    )


def read_pins(path: Path | None) -> Mapping[str, Lanes]:
    """Read a TOML file with ``[layers.NAME]`` tables of ``pe`` and ``simd``.

    Raises
    ------
    FoldingError
        If it holds anything else.
    StorageError
        If it cannot be read.
    """
    if path is None:
        return {}
    tables = read_toml(path)
    unknown = sorted(set(tables) - {"format", "layers"})
    layers = tables.get("layers", {})
    if unknown or not isinstance(layers, dict):
        raise FoldingError(
            path, f"has {unknown or 'layers'} beside [layers.NAME]", "Leave it out"
        )
    return {name: _lanes(path, name, table) for name, table in layers.items()}


def _lanes(path: Path, name: str, table: Any) -> Lanes:
    if not isinstance(table, dict) or set(table) != {"pe", "simd"}:
        raise FoldingError(
            f"{path}: {name}", "needs pe and simd alone", "Write pe = 4 and simd = 16"
        )
    if not all(type(v) is int and v > 0 for v in table.values()):  # True is an int
        raise FoldingError(
            f"{path}: {name}", "has a lane count below 1", "Use whole numbers from 1"
        )
    return Lanes(table["pe"], table["simd"])
