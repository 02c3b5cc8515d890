# SPDX-License-Identifier: Apache-2.0
"""The verbs of the command line that change nothing: they look, and say what is there.

What a verb needs is imported when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from hwgq.show import show

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def lint(
    network: Annotated[Path, typer.Argument(help="QONNX file.")],
    input_type: Annotated[
        str | None, typer.Option(help="Integers that the network gets, as UINT8.")
    ] = None,
    input_scale: Annotated[
        str | None, typer.Option(help="Value of the input integer 1, as 1/255.")
    ] = None,
    json: Json = False,
) -> None:
    """Say where each node is computed, or which cannot map, why, and what to change.

    Example: `hwgq lint network.onnx --input-type UINT8 --input-scale 1/255`
    """
    import hwgq.compile

    report = hwgq.compile.lint(network, input_type=input_type, input_scale=input_scale)
    show(report, json=json)
    if report.findings:
        raise typer.Exit(1)


def boards(json: Json = False) -> None:
    """List the boards."""
    import hwgq.boards

    rows = [
        {
            "name": board.name,
            "title": board.title,
            "device": board.device,
            "luts": board.resources.luts,
            "block_rams": board.resources.block_rams,
            "core_mhz": board.clock.core_mhz,
        }
        for board in map(hwgq.boards.load, hwgq.boards.names())
    ]
    show({"boards": rows}, json=json)


def passes(json: Json = False) -> None:
    """List the compiler's passes, in their order, with what each ensures."""
    from hwgq.compile.pipeline import PASSES

    rows = [{"name": step.name, "ensures": step.ensures} for step in PASSES]
    show({"passes": rows}, json=json)


def doctor(json: Json = False) -> None:
    """Check what hwgq needs from this machine, and say how to mend it."""
    from hwgq.doctor import checks

    found = checks()
    show({"checks": found}, json=json)
    if not all(check.ok for check in found):
        raise typer.Exit(1)
