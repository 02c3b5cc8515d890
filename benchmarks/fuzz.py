# SPDX-License-Identifier: Apache-2.0
"""Hold every rung of thousands of random networks equal, and say what they cover.

In the project's root:

    python -m benchmarks.fuzz --cases 2000 --seed 0 --through rtl

The networks of one seed are always the same ones. Of each batch of 25, `--simulated`
are checked up to RTL, without and with pauses; `--through emulate` leaves that out.
The summary is kept in benchmarks/results/, with a smallest plan for each failure; its
text is Python that makes the plan again (`tests.random_networks.build.build` makes the
network).
"""

import math
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.provenance import commit, machine, versions
from hwgq.compile.verify import THROUGH
from hwgq.errors import OptionError
from hwgq.progress import tell, track
from hwgq.storage import write_json, write_text
from tests.random_networks.campaign import Tally, run_batch
from tests.random_networks.hardware import ALL_BINS

RESULTS = Path(__file__).parent / "results"
BATCH = 25
"""Networks of a batch, which has a seed of its own."""
SEEDS = 1_000_000
"""Batches that a seed has before those of the next begin."""
COMMAND = "python -m benchmarks.fuzz"
HEAD = "| feature | networks |\n|---|--:|"


def checked(batches: int, seed: int, simulated: int, workers: int) -> Iterator[Tally]:
    """Check networks batch by batch."""
    numbers = range(seed * SEEDS, seed * SEEDS + batches)
    # No simulator is used again: the user's cache is spared them.
    with (
        tempfile.TemporaryDirectory() as cache,
        ProcessPoolExecutor(workers, initializer=_keep_in, initargs=(cache,)) as pool,
    ):
        sizes = [BATCH] * batches, [simulated] * batches
        yield from pool.map(run_batch, numbers, *sizes)


def _keep_in(cache: str) -> None:
    os.environ["HWGQ_CACHE_DIR"] = cache


def summary(tally: Tally, command: str, seconds: float) -> dict[str, Any]:
    """Write down what was run, where, and what came of it."""
    return {
        "command": command,
        "commit": commit(),
        "machine": machine(),
        "tools": versions("verilator", "g++"),
        "seconds": round(seconds),
        **asdict(tally),
        "bins": {name: tally.bins[name] for name in sorted(_names(tally))},
    }


def _names(tally: Tally) -> frozenset[str]:
    """Name the bins that can be covered."""
    if tally.simulated:
        return ALL_BINS
    return frozenset(name for name in ALL_BINS if not name.startswith("RTL: "))


def report(found: dict[str, Any]) -> str:
    """Write a summary in Markdown."""
    failures, bins = found["failures"], found["bins"]
    empty = [name for name, count in bins.items() if not count]
    lines = [
        "# Random networks",
        "",
        f"    {found['command']}",
        "",
        f"{found['cases']} networks, {len(failures)} failures, on {found['machine']}, "
        f"{found['tools']}, commit {found['commit']}, {found['seconds']} s.",
        f"{found['values']} codes are equal from the file, evaluated node by node in "
        "float64, to emulation,",
        f"but for {found['ties']} no farther than {found['bound']:.1e} from a "
        "threshold, where float64 rounds.",
        f"float32 executors differ in {found['excused']} codes, all within their bound "
        "of a threshold.",
        f"Boundary vectors met {found['sides']} sides of thresholds: all that can be "
        "reached.",
        *_of_rtl(found),
        f"Empty bins: {', '.join(empty) or 'none'}.",
        "",
        HEAD,
        *(f"| {name} | {count} |" for name, count in bins.items()),
    ]
    for failure in failures:
        lines += ["", f"    {failure['plan']}", "", failure["error"]]
    return "\n".join(lines) + "\n"


def _of_rtl(found: dict[str, Any]) -> list[str]:
    if not found["simulated"]:
        return ["None of them went to RTL."]
    return [
        f"{found['simulated']} of them went to RTL: {found['rtl_values']} codes are "
        f"equal to emulation, in {found['cycles']} clock cycles",
        "without pauses and with, and of each layer alone on its boundary vectors.",
        "Without pauses every frame ends in the cycle that the schedule model says; "
        f"the least rate is {found['pace']:.2f} of the slowest layer's.",
    ]


def main(  # noqa: PLR0917 - Typer makes options of arguments
    cases: Annotated[int, typer.Option(help="Networks to check.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.")] = 0,
    through: Annotated[str, typer.Option(help="Last rung: emulate or rtl.")] = "rtl",
    simulated: Annotated[
        int, typer.Option(help=f"Networks of {BATCH} that go to RTL.", min=1, max=BATCH)
    ] = 3,
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    write: Annotated[bool, typer.Option(help="Keep the summary.")] = False,
) -> None:
    """Check random networks, and print what they cover."""
    if through not in THROUGH:
        raise OptionError("--through", f"there is no {through!r}", "Use emulate or rtl")
    begin, total = time.monotonic(), Tally()
    batches = math.ceil(cases / BATCH)
    share = simulated if through == "rtl" else 0
    tallies = checked(batches, seed, share, workers)
    for tally in track(tallies, f"random networks, {BATCH} at a time", batches):
        total.add(tally)
        for failure in tally.failures:
            tell(f"{failure.error}\n    {failure.plan}")
    command = f"{COMMAND} --cases {cases} --seed {seed} --through {through}"
    if share:
        command += f" --simulated {share}"
    found = summary(total, command, time.monotonic() - begin)
    text = report(found)
    print(text)
    if write:
        write_json(RESULTS / "fuzz.json", found)
        write_text(RESULTS / "fuzz.md", text)
    if total.failures:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
