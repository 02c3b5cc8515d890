# SPDX-License-Identifier: Apache-2.0
"""What a simulation gave, and how it is read from the driver's files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from hwgq.compile.beats import bytes_of

Bytes = npt.NDArray[np.uint8]
Cycles = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What happened on one stream.

    Parameters
    ----------
    beats
        Transfers.
    blocked
        Cycles in which a beat waited for its receiver.
    starved
        Cycles in which the receiver waited for a beat.
    """

    beats: int
    blocked: int
    starved: int


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What a queue held.

    Parameters
    ----------
    most
        The most beats at a time.
    mean
        Beats, over all cycles.
    """

    most: int
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A waveform to write.

    Parameters
    ----------
    path
        The file.
    first, last
        Cycles that it shows, counted from the end of the reset; by default all.
    """

    path: Path
    first: int = 0
    last: int = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a simulation gave.

    Parameters
    ----------
    outputs
        Beats of the output, uint8 of shape (beats, bytes), little-endian.
    taps
        Accepted beats of every tap that records them, by name, in the same form.
    cycles
        Clock cycles since the reset ended.
    output_cycles
        Cycle of every output beat, int64.
    tap_cycles
        Cycle of every beat of every tap, by name, if they were asked for.
    input_stalls, output_stalls
        Cycles in which the source withheld a beat that it had, and the sink its ready.
    streams
        Traffic on "in", "out" and every tap.
    queues
        What every queue held, by name.
    """

    outputs: Bytes
    taps: Mapping[str, Bytes]
    cycles: int
    output_cycles: Cycles
    tap_cycles: Mapping[str, Cycles]
    input_stalls: int
    output_stalls: int
    streams: Mapping[str, Traffic]
    queues: Mapping[str, Occupancy]

    @property
    def first_output_cycle(self) -> int:
        """Cycle of the first output beat."""
        return int(self.output_cycles[0])


def read_run(
    folder: Path,
    out_width: int,
    tap_widths: Mapping[str, int],
    queues: Sequence[str] = (),
) -> Run:
    """Read the files that the driver left in `folder`.

    Parameters
    ----------
    folder
        The job's folder.
    out_width
        Bits of an output beat.
    tap_widths
        Bits of a recorded beat of every tap, by name, in the order of the job.
    queues
        Names of the queues, in the order of the job.
    """
    lines = (folder / "result.txt").read_text().splitlines()
    cycles, input_stalls, output_stalls = map(int, lines[0].split())
    names = ["in", "out", *tap_widths]
    traffic = [Traffic(*map(int, line.split())) for line in lines[1 : len(names) + 1]]
    held = [line.split() for line in lines[len(names) + 1 :]]
    taps = {
        name: _beats(folder / f"tap{index}.bin", width)
        for index, (name, width) in enumerate(tap_widths.items())
        if width > 0
    }
    cycles_of_taps = {
        name: np.fromfile(path, np.int64)
        for index, name in enumerate(tap_widths)
        if (path := folder / f"tap{index}_cycles.bin").exists()
    }
    return Run(
        outputs=_beats(folder / "out.bin", out_width),
        taps=MappingProxyType(taps),
        cycles=cycles,
        output_cycles=np.fromfile(folder / "out_cycles.bin", np.int64),
        tap_cycles=MappingProxyType(cycles_of_taps),
        input_stalls=input_stalls,
        output_stalls=output_stalls,
        streams=MappingProxyType(dict(zip(names, traffic, strict=True))),
        queues=MappingProxyType(
            {
                name: Occupancy(int(most), int(area) / cycles)
                for name, (most, area) in zip(queues, held, strict=True)
            }
        ),
    )


def _beats(path: Path, width: int) -> Bytes:
    return np.fromfile(path, np.uint8).reshape(-1, bytes_of(width))
