# SPDX-License-Identifier: Apache-2.0
"""When the beats of a chain of modules move, frame by frame, without their data.

What each kind of module does is in :mod:`hwgq.compile.token_steps`. Each time is the
largest of some earlier ones, each with cycles added. So the times of a frame follow
from the last few of those before it, and where these are what they were at another
frame but for the cycles between, everything repeats.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np

from hwgq.compile.token_layout import Layout
from hwgq.compile.token_steps import (
    BEATS,
    BLOCK,
    FIFO,
    FRAME,
    IN,
    KIND,
    MADE,
    NEVER,
    OUT,
    READY,
    START,
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
        Cycle of the first beat at the sink; -1 if there is none.
    ends
        Cycle of the last beat of each frame at the sink.
    peaks
        By module, the beats that a FIFO must hold to refuse none of those that came.
    period
        Numbers of two frames behind which everything goes on alike, and so repeats for
        ever; None if there are none.
    stuck
        Whether no beat could move any more.
    """

    first: int
    ends: Numbers
    peaks: Numbers
    period: tuple[int, int] | None
    stuck: bool


def _begin(chain: Chain, frame: int, time: int) -> None:
    """Let the source offer all beats of a frame, and the sink take them."""
    times, param, state, _ = chain
    state[:, FRAME] = frame
    beats, sink = param[1, BEATS], len(param) - 1
    first = param[1, IN] + frame * beats
    times[first : first + beats] = time
    state[0, MADE] += beats
    state[sink, READY] += param[sink, BEATS]


_begin = numba.njit()(_begin)


def _go_on(chain: Chain) -> bool:
    """Find all times of a frame; say whether there are some for which others wait.

    A module that moved may have given room to the one before it, whose turn it then is
    where it has not offered enough. Once none moves on the way to the last, none ever
    will.
    """
    _, param, state, _ = chain
    sink, moved = len(param) - 1, True
    while moved:
        moved, before = False, 0
        while before + 1 < sink:
            i = before + 1  # Numba would compile `step` once more for a constant.
            moves = step(chain, i)
            moved |= moves
            lacks = moves and before > 0 and state[i, READY] > state[before, MADE]
            before += -1 if lacks else 1
    for i in range(1, sink + 1):
        known = min(state[i, READY], state[i - 1, MADE])
        if known < (state[i, FRAME] + 1) * param[i, BEATS]:
            return True
    return False


_go_on = numba.njit()(_go_on)


def _count_waiting(chain: Chain, i: int, popped: int, peak: int) -> tuple[int, int]:
    """Count the beats that have left a FIFO in a frame, and the most that it held."""
    times, param, state, _ = chain
    at, out, block = param[i, IN], param[i, OUT], param[i, BLOCK]
    first = state[i, FRAME] * param[i, BEATS]
    for n in range(first, first + param[i, BEATS]):
        time = times[at + n]
        while popped < n:
            pop = times[out + popped]
            if block:
                # What counts is when it was fetched into the register of the output.
                pop = max(times[at + popped] + 1, times[out + popped - 1])
            if pop >= time:
                break
            popped += 1
        peak = max(peak, n - popped + 1 + block)
    return popped, peak


_count_waiting = numba.njit()(_count_waiting)


def _alike(times: Numbers, series: Numbers, frames: tuple[int, int], pace: int) -> bool:
    """Say whether all goes on behind frame k as behind frame j, only later."""
    j, k = frames
    first, beats, _ = series[-1]
    later = times[first + (k + 1) * beats - 1] - times[first + (j + 1) * beats - 1]
    for s in range(len(series) - 1, -1, -1):
        first, number, past = series[s]
        for n in range(first - past, first):
            difference = times[n + (k + 1) * number] - times[n + (j + 1) * number]
            if difference != later:
                return False
    # The source must be as much later, or not matter: it never made a frame wait, and
    # will matter the less the longer it goes on.
    if later == (k - j) * pace:
        return True
    first, beats, _ = series[0]
    for frame in range(j + 1, k + 1):
        if times[first + frame * beats] == START + frame * pace:
            return False
    return bool(later > (k - j) * pace)


_alike = numba.njit()(_alike)


def _falls_behind(ends: Numbers, pace: int) -> bool:
    """Say whether three frames in a row took equally long, and longer than they may.

    Nothing that is still to happen then makes them faster: FIFOs that fill up do not.
    """
    if len(ends) < 4:
        return False
    last = ends[-1] - ends[-2]
    equal = last == ends[-2] - ends[-3] and last == ends[-3] - ends[-4]
    return bool(equal and last > pace)


_falls_behind = numba.njit()(_falls_behind)


def _run(chain: Chain, series: Numbers, limits: tuple[int, int], stop: bool) -> Result:
    times, param, state, _ = chain
    frames, pace = limits
    ends = np.full(frames, -1, dtype=np.int64)
    popped = np.zeros(len(param), dtype=np.int64)
    peaks = np.zeros(len(param), dtype=np.int64)
    sink = len(param) - 1
    last = param[sink, IN] - 1
    j, k, done, stuck = -1, -1, 0, False
    while done < frames:
        _begin(chain, done, START + done * pace)
        stuck = _go_on(chain)
        last += param[sink, BEATS]
        if times[last] > NEVER:
            # Of a frame that is stuck, the sink may not need the rest.
            ends[done] = times[last] - START
            done += 1
        if stuck:
            break
        for i in range(1, sink):
            if param[i, KIND] == FIFO:
                popped[i], peaks[i] = _count_waiting(chain, i, popped[i], peaks[i])
        for frame in range(done - 2, -1, -1):
            if k < 0 and _alike(times, series, (frame, done - 1), pace):
                j, k = frame, done - 1
        if stop and (k >= 0 or _falls_behind(ends[:done], pace)):
            break
    first = times[param[sink, IN]] - START if state[sink - 1, MADE] else -1
    return first, ends[:done], peaks[1:sink], (j, k), stuck


_compiled: Callable[..., Result]
_compiled = numba.njit(cache=True)(_run)


def run(layout: Layout, *, frames: int, pace: int = 0, stop: bool = False) -> Trace:
    """Run frames through a chain of modules.

    Parameters
    ----------
    layout
        The chain, laid out for as many frames; no other run can have it.
    frames
        Frames to wait for.
    pace
        Cycles from one frame of the source to the next, at least.
    stop
        Whether to stop as soon as everything repeats, or cannot keep the pace.
    """
    first, ends, peaks, period, stuck = _compiled(*layout, (frames, pace), stop)
    return Trace(first, ends, peaks, None if period[0] < 0 else period, stuck)
