# SPDX-License-Identifier: Apache-2.0
"""What the folder of a mismatch says of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwgq.errors import MismatchError
from hwgq.storage import write_json

INPUT, TRACE, REPORT = "input.npy", "trace.fst", "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What `report.json` says.

    Parameters
    ----------
    rung
        The representation that is wrong.
    found
        The first wrong number as `verify` found it: layer, frame, index in the frame,
        what was expected, what came instead; None after a deadlock.
    input_of
        What `input.npy` is for: the network, or one layer alone.
    first_frame, frames
        The first frame that `input.npy` holds of those that `verify` ran, and how many
        it holds.
    again
        As `found`, but of a run of `input.npy` alone; None where the core was not run.
    cycle, time
        Clock cycle of that run in which the wrong number moves, or from which on
        nothing moves, and the time at which it stands in the trace.
    files
        What else is in the folder.
    command
        Does that run again; None where no command runs this rung.
    """

    rung: str
    found: dict[str, Any] | None
    input_of: str
    first_frame: int
    frames: int
    again: dict[str, Any] | None = None
    cycle: int | None = None
    time: int | None = None
    files: tuple[str, ...] = (INPUT,)
    command: str | None = None


def write_report(made: Path, frames: npt.NDArray[Any], report: Report) -> None:
    """Write the frames and the report into a folder."""
    np.save(made / INPUT, frames, allow_pickle=False)
    write_json(made / REPORT, asdict(report))


def facts_of(error: MismatchError) -> dict[str, Any]:
    """Give a mismatch as a report has it."""
    return {
        "layer": error.layer,
        "frame": error.index[0],
        "index": error.index[1:],
        "expected": error.expected,
        "got": error.got,
    }
