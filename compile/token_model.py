# SPDX-License-Identifier: Apache-2.0
"""Every cycle of a chain of modules, without their data, compiled by Numba.

Every cycle goes through the modules once, from the last to the first: whether one takes
a beat may depend on whether its successor does, never the other way round. What each
kind of module does is in :mod:`hwgq.compile.token_steps`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from hwgq.compile.token_steps import (
    FREE,
    PEAK,
    PLACES,
    STATES,
    VALID,
    Chain,
    Numbers,
    step,
)

#: First cycle, ends of frames, peaks, period, whether it got stuck; see :class:`Trace`.
Result = tuple[int, Numbers, Numbers, tuple[int, int], bool]


class Trace(NamedTuple):
    """What a run gave.

    Parameters
    ----------
    first
        Cycle of the first beat at the sink.
    ends
        Cycle of the last beat of each frame at the sink.
    peaks
        By module, the beats that a FIFO must hold to refuse none of those that came.
    period
        Numbers of two frames at whose ends all modules are at the same; from there on
        everything repeats; None if there are none.
    stuck
        Whether it took more cycles than it might.
    """

    first: int
    ends: Numbers
    peaks: Numbers
    period: tuple[int, int] | None
    stuck: bool


def _cycle(chain: Chain, quiet: Numbers, offered: int) -> int:
    """Step all modules by a cycle; say whether the first takes what is offered.

    A module in which nothing moved stays as it is while its neighbours do: `quiet` has
    what they were at and whether it takes a beat, or -1.
    """
    state, ready = chain[0], 1
    for i in range(len(state) - 1, -1, -1):
        before = state[i - 1, VALID] if i else offered
        around = before << 2 | ready << 1
        if quiet[i] | 1 == around | 1:
            ready = quiet[i] & 1
            continue
        said = step(chain, i, before, ready)
        ready = said & 1
        quiet[i] = -1 if said & 2 else around | ready
    return ready


_cycle = numba.njit(cache=True, inline="always")(_cycle)


def _same(states: Numbers, k: int) -> int:
    """Find a frame before frame k at whose end all was at the same, or -1.

    The first three numbers of a frame are the source's: its place in a frame, how late
    it is, and the cycles in which it had nothing to send. If it never waited between,
    how late it is makes no difference as long as it only grows.
    """
    for j in range(k - 1, -1, -1):
        late = states[k, 1] == states[j, 1]
        late |= states[k, 1] > states[j, 1] and states[k, 2] == states[j, 2]
        alike = late and states[k, 0] == states[j, 0]
        if alike and np.array_equal(states[k, 3:], states[j, 3:]):
            return j
    return -1


_same = numba.njit(cache=True)(_same)


def _falls_behind(ends: Numbers, pace: int) -> bool:
    """Say whether three frames in a row took equally long, and longer than they may.

    Nothing that is still to happen then makes them faster: FIFOs that fill up do not.
    """
    if len(ends) < 4:
        return False
    last = ends[-1] - ends[-2]
    equal = last == ends[-2] - ends[-3] and last == ends[-3] - ends[-4]
    return bool(equal and last > pace)


_falls_behind = numba.njit(cache=True)(_falls_behind)


def _run(
    param: Numbers,
    tables: Numbers,
    beats: tuple[int, int],
    limits: tuple[int, int, int],
    stop: bool,
) -> Result:
    frames, limit, pace = limits
    modules = len(param)
    state = np.zeros((modules, STATES), dtype=np.int64)
    state[:, FREE] = param[:, PLACES]
    quiet = np.full(modules, -1, dtype=np.int64)
    ends = np.full(frames, -1, dtype=np.int64)
    states = np.zeros((frames, 3 + modules * PEAK), dtype=np.int64)
    sent, received, waits, cycle, first, done = 0, 0, 0, 0, -1, 0
    j, k = -1, -1
    while done < frames and cycle < limit:
        due = sent // beats[0] * pace
        offered = int(cycle >= due)
        waits += 1 - offered
        leaves = state[modules - 1, VALID]
        sent += offered & _cycle((state, param, tables), quiet, offered)
        if leaves:
            first = cycle if first < 0 else first
            received += 1
            if received % beats[1] == 0:
                ends[done] = cycle
                states[done, 0] = sent % beats[0]
                # Where nothing sets the pace, it makes no difference.
                states[done, 1] = (cycle - sent // beats[0] * pace) * min(pace, 1)
                states[done, 2] = waits
                states[done, 3:] = state[:, :PEAK].copy().reshape(modules * PEAK)
                if k < 0:
                    j = _same(states, done)
                    k = done if j >= 0 else -1
                done += 1
                if stop and (k >= 0 or _falls_behind(ends[:done], pace)):
                    break
        cycle += 1
    return first, ends[:done], state[:, PEAK].copy(), (j, k), cycle >= limit


_compiled: Callable[..., Result]
_compiled = numba.njit(cache=True)(_run)


def run(
    param: Numbers,
    tables: Numbers,
    beats: tuple[int, int],
    *,
    frames: int,
    limit: int,
    pace: int = 0,
    stop: bool = False,
) -> Trace:
    """Run frames through a chain of modules.

    Parameters
    ----------
    param
        A row a module, in order.
    tables
        For each row that a window writes, the rows of a frame that must be there, and
        those that are freed behind it.
    beats
        Beats of a frame at the source and at the sink, which takes them all at once.
    frames
        Frames to wait for. More may enter: the source always has another one.
    limit
        Cycles after which to stop in any case.
    pace
        Cycles from one frame of the source to the next, at least.
    stop
        Whether to stop as soon as everything repeats, or cannot keep the pace.
    """
    first, ends, peaks, period, stuck = _compiled(
        param, tables, beats, (frames, limit, pace), stop
    )
    return Trace(first, ends, peaks, None if period[0] < 0 else period, stuck)
