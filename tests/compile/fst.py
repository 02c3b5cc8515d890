# SPDX-License-Identifier: Apache-2.0
"""Read an FST file back."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pylibfst
from pylibfst import lib


class Wave(NamedTuple):
    """A waveform.

    Parameters
    ----------
    scopes
        Full names, in order.
    changes
        Times and values of each variable, by full name.
    count
        Changes in the file; those of variables that are one signal count once.
    """

    scopes: list[str]
    changes: dict[str, list[tuple[int, str]]]
    count: int


def read(path: Path) -> Wave:
    reader = lib.fstReaderOpen(bytes(path))
    assert reader, f"{path} is no FST file"
    scopes, signals = pylibfst.get_scopes_signals2(reader)
    by_handle: dict[int, list[tuple[int, str]]] = {}

    def note(_: object, time: int, handle: int, value: object) -> None:
        by_handle.setdefault(handle, []).append((time, pylibfst.string(value)))

    lib.fstReaderSetFacProcessMaskAll(reader)
    pylibfst.fstReaderIterBlocks(reader, note)
    lib.fstReaderClose(reader)
    changes = {
        name.split(" ")[0]: by_handle.get(signal.handle, [])
        for name, signal in signals.by_name.items()
    }
    return Wave(scopes, changes, sum(map(len, by_handle.values())))


def beats(wave: Wave, scope: str) -> Iterator[tuple[int, int]]:
    """Give the cycle and the data of each beat of a stream."""
    names = [f"TOP.streams.{scope}.{end}" for end in ("valid", "ready", "data")]
    events = sorted(
        (time, name, value) for name in names for time, value in wave.changes[name]
    )
    times = range(events[0][0], wave.changes["TOP.clk_i"][-1][0] + 1)
    now: dict[str, str] = {}
    for time in times:
        while events and events[0][0] == time:
            _, name, value = events.pop(0)
            now[name] = value
        if time % 2 == 0 and now[names[0]] == now[names[1]] == "1":
            yield time // 2, int(now[names[2]], 2)
