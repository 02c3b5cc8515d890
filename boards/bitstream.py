# SPDX-License-Identifier: Apache-2.0
"""The stage that turns a compiled network into a bitstream."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwgq import tools
from hwgq.boards.design import Design, read_design
from hwgq.boards.flows.flow import (
    GATES,
    NETLIST,
    PROVENANCE,
    ROUTED,
    SUMMARY,
    TIMING,
    Command,
    pack,
    route,
    synthesize,
)
from hwgq.boards.report import (
    BuildResult,
    Use,
    cells_crowded,
    cells_over,
    fmax_mhz,
    missed_clock,
    read_report,
    too_big,
    used_cells,
)
from hwgq.boards.reuse import check_sources, reuse
from hwgq.errors import StorageError, ToolFailedError
from hwgq.stages import is_up_to_date, recorded, run_stage
from hwgq.storage import locked, read_json, sha256_path, write_json, write_text

#: Seeds that are tried in order until one reaches the clock.
SEEDS = 3


def build(folder: Path, *, reuse_routing: Path | None = None) -> BuildResult:
    """Synthesize, place and route a compiled network, and write its bitstream.

    Parameters
    ----------
    folder
        The build folder that `compile_network` made. Everything is written into its
        folder ``bitstream``; what is there already and has the same inputs is kept.
    reuse_routing
        A build folder that has a bitstream, of a network that differs in nothing but
        the contents of block RAMs: its routed design is taken, instead of a new one.

    Returns
    -------
    BuildResult
        Where the bitstream is, what it takes and how fast it is.

    Raises
    ------
    BuildError
        If the design does not fit, or misses its clock with three seeds; or if it is
        not `reuse_routing`'s.
    BoardError
        If the board cannot make the clock.
    ToolNotFoundError, ToolFailedError
        If a program of the flow is missing or fails.
    StorageError
        If the folder is not compiled, cannot be written, or is being written; or if
        `reuse_routing` has no bitstream of its sources.
    """
    design = read_design(folder)  # first: a lock would make a folder that is not there
    if reuse_routing is not None:
        check_sources(design, folder, read_built(reuse_routing), reuse_routing)
    record = {}
    with locked(folder):
        for stage in _stages(design, folder, reuse_routing):
            run_stage(
                folder,
                stage.name,
                inputs=stage.inputs,
                outputs=stage.outputs,
                work=stage.work,
            )
            record[stage.name] = recorded(folder, stage.name)
        write_json(folder / PROVENANCE, record)
        return _result(design, folder)


def read_built(folder: Path) -> Design:
    """Read a build folder whose bitstream is there and belongs to its sources.

    Parameters
    ----------
    folder
        The build folder, compiled.

    Raises
    ------
    StorageError
        If the bitstream is missing or stale.
    BoardError
        If the board cannot make the clock.
    """
    design = read_design(folder)
    for stage in _stages(design, folder):
        if not is_up_to_date(
            folder, stage.name, inputs=stage.inputs, outputs=stage.outputs
        ):
            problem = f"has no bitstream of its sources: {stage.name} is to do"
            raise StorageError(folder, problem, f"Run `hwgq build {folder}` first")
    return design


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """What :func:`hwgq.stages.run_stage` takes."""

    name: str
    inputs: Mapping[str, str]
    outputs: Sequence[Path]
    work: Callable[[], None]


def _stages(
    design: Design, folder: Path, reuse_routing: Path | None = None
) -> Iterator[_Stage]:
    """List the stages; each one's inputs are what the one before it wrote."""
    flow = design.flow
    yield _Stage(
        name="synthesize",
        inputs={"build_id": design.info.build_id, **_version(flow.synthesizer)},
        outputs=[folder / name for name in (*design.files, NETLIST, GATES)],
        work=lambda: _synthesize(design, folder),
    )
    routed = (flow.routed_file, ROUTED, TIMING, SUMMARY)

    def place() -> None:
        (folder / flow.bitstream_file).unlink(missing_ok=True)
        if reuse_routing is None:
            _try_seeds(design, folder)
        else:
            reuse(flow, folder, reuse_routing)

    yield _Stage(
        name="place and route",
        inputs={
            "netlist": sha256_path(folder / NETLIST),
            "constraints": sha256_path(folder / flow.constraints_file),
            "clock_mhz": f"{design.mhz:g}",
            "seed": str(design.seed),
            **_version(flow.router),
        },
        outputs=[folder / name for name in routed],
        work=place,
    )
    yield _Stage(
        name="pack",
        inputs={"routed": sha256_path(folder / flow.routed_file)}
        | _version(flow.packer),
        outputs=[folder / flow.bitstream_file],
        work=lambda: _call(pack(flow), folder),
    )


def _synthesize(design: Design, folder: Path) -> None:
    # A bitstream of an older design must not outlive a build that fails.
    (folder / design.flow.bitstream_file).unlink(missing_ok=True)
    for name, text in design.files.items():
        write_text(folder / name, text)
    _call(synthesize(design.flow), folder)


def _try_seeds(design: Design, folder: Path) -> None:
    """Place and route until a seed finds room for all cells and reaches the clock."""
    reached: dict[int, float] = {}
    crowded: list[str] = []
    for seed in range(design.seed, design.seed + SEEDS):
        if crowded := _place(design, seed, folder):
            continue
        report = read_report(folder / TIMING)
        reached[seed] = fmax_mhz(report)
        if reached[seed] >= design.mhz:
            cells = used_cells(report, design.flow)
            summary = {"seed": seed, "fmax_mhz": reached[seed], "cells": cells}
            write_json(folder / SUMMARY, summary)
            return
    if not reached:
        raise too_big(design.board, crowded)
    raise missed_clock(design.board, design.mhz, reached)


def _place(design: Design, seed: int, folder: Path) -> list[str]:
    """Place and route with one seed; return what it found no room for."""
    try:
        _call(route(design.flow, design.board, seed=seed), folder)
    except ToolFailedError as error:
        printed = error.log.read_text(errors="replace")
        if over := cells_over(printed, design.flow):
            raise too_big(design.board, over) from error
        if crowded := cells_crowded(printed, design.flow):
            return crowded
        raise
    return []


def _call(command: Command, folder: Path) -> None:
    tools.run(command.argv, cwd=folder, log=folder / command.log)


def _version(tool: str) -> dict[str, str]:
    return {tool: tools.version(tool)}


def _result(design: Design, folder: Path) -> BuildResult:
    summary = read_json(folder / SUMMARY)
    cells = {name: Use(**use) for name, use in summary["cells"].items()}
    return BuildResult(
        board=design.board.name,
        bitstream=folder / design.flow.bitstream_file,
        clock_mhz=design.mhz,
        fmax_mhz=summary["fmax_mhz"],
        seed=summary["seed"],
        build_id=design.info.build_id,
        **cells,
    )
