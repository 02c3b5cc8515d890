# SPDX-License-Identifier: Apache-2.0
"""The command `hwgq`: each verb is a thin call of one public function.

What a verb needs is imported when it runs, so that `hwgq --help` is quick and a build
never waits for torch.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import hwgq
from hwgq.arguments import (
    BoardName,
    Build,
    Data,
    Out,
    Recipe,
    Rung,
    Seed,
    count,
)
from hwgq.errors import HwgqError
from hwgq.inquire import Json, boards, doctor, lint, passes
from hwgq.operate import infer, simulate
from hwgq.show import show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback(invoke_without_command=True)
def _hwgq(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    """Train networks with 1-bit weights and compile them to verified FPGA bitstreams.

    `hwgq run digits --board icebreaker` goes the whole way; the verbs below are its
    steps. A step whose inputs did not change is not run again.
    """
    if version:
        typer.echo(hwgq.__version__)
        raise typer.Exit


@app.command()
def train(
    recipe: Recipe,
    out: Out = None,
    seed: Seed = None,
    data: Data = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    devices: Annotated[int, typer.Option(help="How many share a batch.")] = 1,
    json: Json = False,
) -> None:
    """Train a recipe's network, test it and export it to a run folder.

    An interrupted training goes on after its last whole epoch. Examples:
    `hwgq train digits --seed 1`, `hwgq train fashion-lenet --data fashion/`
    """
    import hwgq.train

    run = hwgq.train.train(
        recipe,
        out=out,
        seed=seed,
        data=data,
        accelerator=accelerator,
        devices=devices,
    )
    show({"run": run}, json=json)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder that `hwgq train` wrote.")],
    json: Json = False,
) -> None:
    """Write a trained network as QONNX, with samples to verify it by.

    Example: `hwgq export runs/digits`
    """
    import hwgq.train

    show({"network": hwgq.train.export_run(run)}, json=json)


@app.command("compile")
def compile_(
    network: Annotated[Path, typer.Argument(help="QONNX file.")],
    board: BoardName,
    out: Out = None,
    input_type: Annotated[
        str | None, typer.Option(help="Integers that the network gets, as UINT8.")
    ] = None,
    input_scale: Annotated[
        str | None, typer.Option(help="Value of the input integer 1, as 1/255.")
    ] = None,
    folding: Annotated[
        Path | None, typer.Option(help="TOML file that pins PE and SIMD of layers.")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames/s to reach with as few lanes as may be."),
    ] = None,
    clock_mhz: Annotated[
        float | None, typer.Option(help="Clock instead of the board's, in MHz.")
    ] = None,
    keep_stages: Annotated[
        bool, typer.Option("--keep-stages", help="Keep the graph after every pass.")
    ] = False,
    exchangeable: Annotated[
        bool,
        typer.Option(
            "--exchangeable",
            help="Let a retrained network reuse the routing; takes more block RAM.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Compile a QONNX network to SystemVerilog for a board.

    Examples: `hwgq compile runs/digits/network.onnx --board icebreaker`,
    `hwgq compile mine.onnx --board ulx3s-85f --input-type UINT8 --input-scale 1/255`
    """
    import hwgq.compile

    build = hwgq.compile.compile_network(
        network,
        board,
        out=out,
        input_type=input_type,
        input_scale=input_scale,
        folding=folding,
        fps=fps,
        clock_mhz=clock_mhz,
        keep_stages=keep_stages,
        exchangeable=exchangeable,
    )
    show({"build": build}, json=json)


app.command()(simulate)


@app.command()
def verify(
    build: Build,
    through: Annotated[
        Rung, typer.Option(help="The last rung; beyond rtl they need `hwgq build`.")
    ] = Rung.RTL,
    samples: Annotated[
        str,
        typer.Option(
            metavar="N|all",
            help="Samples that go through the whole board, whose wire is slow.",
        ),
    ] = "4",
    samples_file: Annotated[
        Path | None, typer.Option(help="The samples.npz of a run.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="A verify.json: tell what changed since.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Prove the network, its integers and its hardware equal, layer by layer.

    Up to RTL every layer is compared; beyond, what the board answers. Examples:
    `hwgq verify builds/digits-icebreaker`,
    `hwgq verify builds/digits-icebreaker --through bitstream --samples all`; to see
    what is not as it was, `hwgq verify builds/digits-icebreaker --against old.json`
    """
    import hwgq.compile

    report = hwgq.compile.verify(
        build,
        samples=samples_file,
        through=through.value,
        frames=count(samples),
        against=against,
    )
    show(report, json=json)


app.command()(infer)


@app.command("build")
def build_(
    build: Build,
    reuse_routing: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a build that has a bitstream, of a network of the same"
            " shape: exchange what its memories hold, and do not place anew.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Synthesize, place and route a compiled network, and write its bitstream.

    Examples: `hwgq build builds/digits-icebreaker`, and of networks that were compiled
    with `--exchangeable`, `hwgq build builds/new --reuse-routing builds/old`
    """
    import hwgq.boards

    show(hwgq.boards.build(build, reuse_routing=reuse_routing), json=json)


@app.command()
def run(
    recipe: Recipe,
    board: Annotated[
        str | None, typer.Option(help="A board; without one, it ends at QONNX.")
    ] = None,
    out: Out = None,
    seed: Seed = None,
    data: Data = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Take what comes trained with hwgq.")
    ] = False,
    json: Json = False,
) -> None:
    """Go the whole way: train, export, compile, verify, build, summary.

    Examples: `hwgq run digits --board icebreaker`,
    `hwgq run fashion-sfc --pretrained --board ulx3s-85f`
    """
    import hwgq.run

    report = hwgq.run.run(
        recipe, board, out=out, seed=seed, data=data, pretrained=pretrained
    )
    show(report, json=json)


for verb in (lint, boards, passes, doctor):
    app.command()(verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    arguments
        What comes after `hwgq`; by default what the user wrote there.
    """
    try:
        app(arguments, prog_name="hwgq")
    except HwgqError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:  # where Typer does not catch it itself
        sys.exit(130)
