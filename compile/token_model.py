# SPDX-License-Identifier: Apache-2.0
"""Every cycle of a chain of modules, without their data, compiled by Numba.

A module is a row of numbers that say what it is, and a row of numbers that say what it
is at. Every cycle goes through the modules once, from the last to the first: whether
one takes a beat may depend on whether its successor does, never the other way round.
Most of them end alike: results are on their way for some cycles and then wait in an
output FIFO, of whose places there is one for each.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
#: First cycle, ends of frames, peaks, period, whether it got stuck; see :class:`Trace`.
Result = tuple[int, Numbers, Numbers, tuple[int, int], bool]
#: States, parameters and the tables of windows.
Chain = tuple[Numbers, Numbers, Numbers]

#: Kinds of modules, and what A … F of their parameters are.
FIFO = 0  #: A: beats that it holds.
CONVERTER = 1  #: A, B: elements of a beat in and out, without their common divisor.
MATRIX = 2  #: A, B: beats of a vector, and rounds in which each is used (SF, NF).
REDUCE = 3  #: A, B: beats of a period, and results at its last beats.
WINDOW = 4  #: A, B: beats of a row in and out; C: rows of a frame; D: rows held; E, F:
#: the row of the tables at which those of this window begin, and its rows out.

#: Columns of the parameters.
KIND, DELAY, PLACES, BLOCK, A, B, C, D, E, F = range(10)
PARAMETERS = 10
#: Columns of the state. Those from PEAK on do not say how the module goes on.
VALID, COUNT, FREE, PIPE, S0, S1, S2, S3, S4, PEAK = range(10)
STATES = 10


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


def _store(state: Numbers, i: int, push: int, taken: int, block: int) -> int:
    """Step a FIFO: of registers, or of a block RAM with a register behind it."""
    if block:
        fetch = int(state[i, COUNT] > 0 and (state[i, VALID] == 0 or taken > 0))
        state[i, COUNT] += push - fetch
        state[i, VALID] = fetch or (state[i, VALID] and not taken)
        return push | taken | fetch
    state[i, COUNT] += push - taken
    state[i, VALID] = state[i, COUNT] > 0
    return push | taken


_store = numba.njit(cache=True, inline="always")(_store)


def _tail(chain: Chain, i: int, taken: int, launch: int) -> int:
    """Step what is on its way, the output FIFO and its free places."""
    state, param, _ = chain
    pipe = state[i, PIPE]
    arrives = launch
    if param[i, DELAY] > 0:
        arrives = pipe & 1
        state[i, PIPE] = (pipe >> 1) | (launch << (param[i, DELAY] - 1))
    state[i, FREE] += taken - launch
    if not (arrives or taken or param[i, BLOCK]):
        return launch | int(pipe != 0)
    moved = _store(state, i, arrives, taken, param[i, BLOCK])
    return moved | launch | int(pipe != 0)


_tail = numba.njit(cache=True, inline="always")(_tail)


def _fifo(chain: Chain, i: int, before: int, ready: int) -> int:
    state, param, _ = chain
    block = param[i, BLOCK]
    # A block RAM takes beats while a word of it is free, its read register apart.
    takes = int(state[i, COUNT] < param[i, A] - block)
    taken = ready & state[i, VALID]
    if param[i, A] == 1:
        takes = int(state[i, VALID] == 0 or ready > 0)
    if before & takes:
        state[i, PEAK] = max(state[i, PEAK], state[i, COUNT] + block + 1)
    moved = _store(state, i, before & takes, taken, block)
    return takes | moved << 1


_fifo = numba.njit(cache=True, inline="always")(_fifo)


def _converter(chain: Chain, i: int, before: int, taken: int) -> int:
    state, param, _ = chain
    rest = state[i, COUNT] - param[i, B] * taken
    takes = int(rest < param[i, B])
    push = before & takes
    rest += param[i, A] * push
    state[i, COUNT] = rest
    state[i, VALID] = rest >= param[i, B]
    return takes | (push | taken) << 1


_converter = numba.njit(cache=True, inline="always")(_converter)


def _matrix(chain: Chain, i: int, before: int, taken: int) -> int:
    """Step an MVAU: S0 counts beats, S1 rounds; it reads in the first."""
    state, param, _ = chain
    last = int(state[i, S0] == param[i, A] - 1)
    room = int(last == 0 or state[i, FREE] > 0)
    reads = int(state[i, S1] == 0)
    go = room & (before | (reads ^ 1))
    if go:
        state[i, S0] += 1
        if last:
            state[i, S0] = 0
            state[i, S1] = 0 if state[i, S1] == param[i, B] - 1 else state[i, S1] + 1
    moved = _tail(chain, i, taken, go & last)
    return reads & room | (moved | go) << 1


_matrix = numba.njit(cache=True, inline="always")(_matrix)


def _reduce(chain: Chain, i: int, before: int, taken: int) -> int:
    """Step what reads all the time: S0 counts beats."""
    state, param, _ = chain
    emits = int(state[i, S0] >= param[i, A] - param[i, B])
    takes = int(emits == 0 or state[i, FREE] > 0)
    go = before & takes
    if go:
        state[i, S0] = 0 if state[i, S0] == param[i, A] - 1 else state[i, S0] + 1
    moved = _tail(chain, i, taken, go & emits)
    return takes | (moved | go) << 1


_reduce = numba.njit(cache=True, inline="always")(_reduce)


def _next_place(chain: Chain, i: int) -> None:
    """Count a beat that a sliding window has read; free rows at the end of one."""
    state, param, tables = chain
    state[i, S4] += 1
    if state[i, S4] == param[i, B]:
        state[i, S4] = 0
        state[i, S2] = tables[param[i, E] + state[i, S3], 1]
        state[i, S3] += 1
        if state[i, S3] == param[i, F]:
            state[i, S3] = 0
            state[i, S1] -= param[i, C]
            state[i, S2] -= param[i, C]


_next_place = numba.njit(cache=True, inline="always")(_next_place)


def _window(chain: Chain, i: int, before: int, taken: int) -> int:
    """Step a sliding window.

    S0 counts beats of the row that comes in, S1 rows that are there and S2 rows that
    are freed, both of the frame that goes out; S3 and S4 count its rows and their
    beats. PIPE says whether there is a beat in the register before that of the output.
    """
    state, param, tables = chain
    takes = int(state[i, S1] - state[i, S2] < param[i, D])
    there = int(state[i, S1] >= tables[param[i, E] + state[i, S3], 0])
    moves = (state[i, VALID] ^ 1) | taken
    reads = moves | (state[i, PIPE] ^ 1)
    push = before & takes
    moved = push | taken | (moves & state[i, PIPE]) | (reads & there)
    if push:
        state[i, S0] += 1
        if state[i, S0] == param[i, A]:
            state[i, S0] = 0
            state[i, S1] += 1
    if moves:
        state[i, VALID] = state[i, PIPE]
    if reads:
        state[i, PIPE] = there
        if there:
            _next_place(chain, i)
    return int(takes | moved << 1)


_window = numba.njit(cache=True, inline="always")(_window)


def _step(chain: Chain, i: int, before: int, ready: int) -> int:
    """Step module i by a cycle.

    Returns
    -------
    Bit 0 says whether it takes the beat before it, bit 1 whether anything in it moved.
    """
    state, param, _ = chain
    taken = ready & state[i, VALID]
    kind = param[i, KIND]
    if kind == CONVERTER:
        return _converter(chain, i, before, taken)
    if kind == FIFO:
        return _fifo(chain, i, before, ready)
    if kind == MATRIX:
        return _matrix(chain, i, before, taken)
    if kind == WINDOW:
        return _window(chain, i, before, taken)
    return _reduce(chain, i, before, taken)


_step = numba.njit(cache=True, inline="always")(_step)


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
        said = _step(chain, i, before, ready)
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
