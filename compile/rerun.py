# SPDX-License-Identifier: Apache-2.0
"""Run hardware again that went wrong: on as few frames as show it, and with a trace."""

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hwgq.compile.graph import Graph, IntArray
from hwgq.compile.ladder import Climb
from hwgq.compile.simulate_rtl import Watch, simulate_rtl
from hwgq.compile.verilator import Stalls
from hwgq.compile.verilator_run import Trace
from hwgq.errors import DeadlockError, MismatchError

CYCLES_BEFORE = 200
CYCLES_BEHIND = 20
LONG = 20_000
"""Cycles from which on it pays to compile for speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """How hardware goes wrong.

    Parameters
    ----------
    cycle
        Clock cycle, since the reset ended, in which the first wrong beat moves; after
        a deadlock, the first in which none does.
    mismatch
        The first wrong number; None after a deadlock.
    """

    cycle: int
    mismatch: MismatchError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A core that goes wrong, and frames on which it does.

    Parameters
    ----------
    graph
        Its graph.
    rtl
        Folder that :func:`hwgq.compile.netlist.write_rtl` wrote of it.
    codes
        Codes of its input, shape (frames, *input shape).
    expected
        What streams shall carry, by name, shape (frames, *stream shape).
    stalls
        Pauses at both ends.
    watch
        What is looked at: the output alone, or the beats of every stream.
    """

    graph: Graph
    rtl: Path
    codes: IntArray
    expected: Mapping[str, IntArray]
    stalls: Stalls | None = None
    watch: Watch = Watch.BEATS

    def symptom(self, frames: range) -> Symptom | None:
        """Run some of the frames alone; None if nothing is wrong with them."""
        part = slice(frames.start, frames.stop)
        climb = Climb("rtl", len(frames))
        try:
            found = simulate_rtl(
                self.graph,
                self.rtl,
                self.codes[part],
                stalls=self.stalls,
                watch=self.watch,
                timed=True,
            )
        except DeadlockError as stuck:
            return Symptom(cycle=stuck.cycle, mismatch=None)
        climb.compare_all({n: c[part] for n, c in self.expected.items()}, found.codes)
        if climb.mismatch is None:
            return None
        stream = self.graph.streams[climb.mismatch.layer]
        frame, element = climb.mismatch.index
        beat = frame * stream.beats + element // stream.beat
        cycle = int(found.cycles[stream.name][beat])
        return Symptom(cycle=cycle, mismatch=climb.mismatch)

    def trace(self, frames: range, cycle: int, path: Path) -> None:
        """Run some of the frames alone and write the cycles around one as FST."""
        first, last = max(0, cycle - CYCLES_BEFORE), cycle + CYCLES_BEHIND
        with suppress(DeadlockError):
            simulate_rtl(
                self.graph,
                self.rtl,
                self.codes[frames.start : frames.stop],
                stalls=self.stalls,
                watch=self.watch,
                trace=Trace(path=path, first=first, last=last),
                optimize=cycle > LONG,
            )

    def reduced(self, frame: int) -> tuple[range, Symptom]:
        """Find few frames that go wrong, as :func:`fewest` does, and how they do."""
        symptom = functools.cache(self.symptom)
        frames = fewest(frame, len(self.codes), lambda some: symptom(some) is not None)
        found = symptom(frames)
        assert found is not None, "a simulation went otherwise than before"
        return frames, found


def fewest(frame: int, total: int, wrong: Callable[[range], bool]) -> range:
    """Find few frames that go wrong, of many that do.

    These are one frame alone, if that is enough; else the frames from the last start
    that bisection finds to the first end that it finds. What is returned was tried.

    Parameters
    ----------
    frame
        The first frame that is wrong among all.
    total
        Number of frames; all of them together go wrong.
    wrong
        Tells whether some of them, run alone, go wrong.
    """
    alone = range(frame, frame + 1)
    if wrong(alone):
        return alone
    stop = _least(frame + 1, total, lambda stop: wrong(range(stop)))
    back = _least(0, frame, lambda back: wrong(range(frame - back, stop)))
    return range(frame - back, stop)


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Bisect for the least number for which something holds, as it does for `high`."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return high
