# SPDX-License-Identifier: Apache-2.0
"""The verbs of the command line that run frames through a build.

What a verb needs is imported when it runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from hwgq.arguments import Build, Engine
from hwgq.inquire import Json
from hwgq.show import show


def simulate(
    build: Build,
    inputs: Annotated[Path, typer.Option(help="Frames, as .npy.")],
    outputs: Annotated[Path, typer.Option(help="The network's outputs, as .npy.")],
    engine: Annotated[Engine, typer.Option(help="What runs it.")] = Engine.EMULATE,
    trace: Annotated[
        Path | None, typer.Option(help="Waveform to write, an .fst (engine rtl).")
    ] = None,
    stalls: Annotated[
        int | None, typer.Option(help="Seed of stalls at both ends (engine rtl).")
    ] = None,
    json: Json = False,
) -> None:
    """Run a compiled network on frames of yours, in software or clock by clock.

    Example: `hwgq simulate builds/digits-icebreaker --engine rtl --inputs x.npy
    --outputs y.npy`
    """
    import hwgq.compile

    report = hwgq.compile.simulate(
        build,
        engine=engine.value,
        inputs=inputs,
        outputs=outputs,
        trace=trace,
        stalls=stalls,
    )
    show(report, json=json)


def infer(
    build: Build,
    port: Annotated[
        str, typer.Option(help='Serial port, or "sim" for a simulated board.')
    ],
    inputs: Annotated[Path, typer.Option(help="Frames, as .npy.")],
    outputs: Annotated[Path, typer.Option(help="The network's outputs, as .npy.")],
    retries: Annotated[
        int, typer.Option(help="How often a frame is sent again.", min=0)
    ] = 3,
    json: Json = False,
) -> None:
    """Run frames on a board that is programmed with a build, or on a simulated one.

    The simulation runs every clock cycle of the whole board, its serial port included,
    behind a pseudo-terminal; it needs no bitstream.

    Examples: `hwgq infer builds/digits-icebreaker --port /dev/ttyUSB1 --inputs x.npy
    --outputs y.npy`, the same with `--port sim`
    """
    import hwgq.compile

    report = hwgq.compile.infer(
        build, port=port, inputs=inputs, outputs=outputs, retries=retries
    )
    show(report, json=json)
