# SPDX-License-Identifier: Apache-2.0
"""Every cycle of a chain of modules, without their data, compiled by Numba.

A module is a row of numbers that say what it is, and a row of numbers that say what it
is at. Every cycle goes through the modules once, from the last to the first: whether
one takes a beat may depend on whether its successor does, never the other way round.
All modules but FIFOs and width converters end alike: results are on their way for some
cycles and then wait in an output FIFO, of whose places there is one for each.
"""

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
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
        everything repeats. (-1, -1) if there are none.
    """

    first: int
    ends: Numbers
    peaks: Numbers
    period: tuple[int, int]


def _store(state: Numbers, i: int, push: bool, taken: bool, block: int) -> None:
    """Step a FIFO: of registers, or of a block RAM with a register behind it."""
    if block:
        fetch = state[i, COUNT] > 0 and (state[i, VALID] == 0 or taken)
        state[i, COUNT] += np.int64(push) - np.int64(fetch)
        state[i, VALID] = fetch or (state[i, VALID] != 0 and not taken)
    else:
        state[i, COUNT] += np.int64(push) - np.int64(taken)
        state[i, VALID] = state[i, COUNT] > 0


_store = numba.njit(cache=True)(_store)


def _tail(chain: Chain, i: int, taken: bool, launch: bool) -> None:
    """Step what is on its way, the output FIFO and its free places."""
    state, param, _ = chain
    arrives = state[i, PIPE] & 1
    sent = np.int64(launch)
    state[i, PIPE] = (state[i, PIPE] >> 1) | (sent << (param[i, DELAY] - 1))
    state[i, FREE] += np.int64(taken) - sent
    _store(state, i, arrives != 0, taken, param[i, BLOCK])


_tail = numba.njit(cache=True)(_tail)


def _fifo(chain: Chain, i: int, before: bool, ready: bool) -> bool:
    state, param, _ = chain
    block = param[i, BLOCK]
    # A block RAM takes beats while a word of it is free, its read register apart.
    takes = state[i, COUNT] < param[i, A] - block
    if param[i, A] == 1:
        takes = state[i, VALID] == 0 or ready
    taken = ready and state[i, VALID] != 0
    if before and takes:
        state[i, PEAK] = max(state[i, PEAK], state[i, COUNT] + block + 1)
    _store(state, i, before and takes, taken, block)
    return bool(takes)


_fifo = numba.njit(cache=True)(_fifo)


def _converter(chain: Chain, i: int, before: bool, taken: bool) -> bool:
    state, param, _ = chain
    rest = state[i, COUNT] - param[i, B] * np.int64(taken)
    takes = rest < param[i, B]
    if before and takes:
        rest += param[i, A]
    state[i, COUNT] = rest
    state[i, VALID] = rest >= param[i, B]
    return bool(takes)


_converter = numba.njit(cache=True)(_converter)


def _matrix(chain: Chain, i: int, before: bool, taken: bool) -> bool:
    """Step an MVAU: S0 counts beats, S1 rounds; it reads in the first."""
    state, param, _ = chain
    last = state[i, S0] == param[i, A] - 1
    room = not last or state[i, FREE] > 0
    reads = state[i, S1] == 0
    go = room and (before or not reads)
    if go:
        state[i, S0] += 1
        if last:
            state[i, S0] = 0
            state[i, S1] = 0 if state[i, S1] == param[i, B] - 1 else state[i, S1] + 1
    _tail(chain, i, taken, go and last)
    return reads and room


_matrix = numba.njit(cache=True)(_matrix)


def _reduce(chain: Chain, i: int, before: bool, taken: bool) -> bool:
    """Step what reads all the time: S0 counts beats."""
    state, param, _ = chain
    emits = state[i, S0] >= param[i, A] - param[i, B]
    takes = not emits or state[i, FREE] > 0
    go = before and takes
    if go:
        state[i, S0] = 0 if state[i, S0] == param[i, A] - 1 else state[i, S0] + 1
    _tail(chain, i, taken, go and emits)
    return bool(takes)


_reduce = numba.njit(cache=True)(_reduce)


def _window(chain: Chain, i: int, before: bool, taken: bool) -> bool:
    """Step a sliding window.

    S0 counts beats of the row that comes in, S1 rows that are there and S2 rows that
    are freed, both of the frame that goes out; S3 and S4 count its rows and their
    beats.
    """
    state, param, tables = chain
    rows = param[i, E] + state[i, S3]
    takes = state[i, S1] - state[i, S2] < param[i, D]
    go = state[i, S1] >= tables[rows, 0] and state[i, FREE] > 0
    if before and takes:
        state[i, S0] += 1
        if state[i, S0] == param[i, A]:
            state[i, S0] = 0
            state[i, S1] += 1
    if go:
        state[i, S4] += 1
        if state[i, S4] == param[i, B]:
            state[i, S4] = 0
            state[i, S2] = tables[rows, 1]
            state[i, S3] += 1
            if state[i, S3] == param[i, F]:
                state[i, S3] = 0
                state[i, S1] -= param[i, C]
                state[i, S2] -= param[i, C]
    _tail(chain, i, taken, go)
    return bool(takes)


_window = numba.njit(cache=True)(_window)


def _step(chain: Chain, i: int, before: bool, ready: bool) -> bool:
    """Step module i by a cycle; say whether it takes the beat before it."""
    state, param, _ = chain
    taken = ready and state[i, VALID] != 0
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


_step = numba.njit(cache=True)(_step)


def _cycle(chain: Chain, offered: bool) -> bool:
    """Step all modules by a cycle; say whether the first takes what is offered."""
    state, ready = chain[0], True
    for i in range(len(state) - 1, 0, -1):
        ready = _step(chain, i, state[i - 1, VALID] != 0, ready)
    return _step(chain, 0, offered, ready)


_cycle = numba.njit(cache=True)(_cycle)


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


def _run(
    param: Numbers,
    tables: Numbers,
    beats: tuple[int, int],
    limits: tuple[int, int, int],
    stop: bool,
) -> tuple[int, Numbers, Numbers, int, int]:
    frames, limit, pace = limits
    modules = len(param)
    state = np.zeros((modules, STATES), dtype=np.int64)
    state[:, FREE] = param[:, PLACES]
    ends = np.full(frames, -1, dtype=np.int64)
    states = np.zeros((frames, 3 + modules * PEAK), dtype=np.int64)
    sent, received, waits, cycle, first, done = 0, 0, 0, 0, -1, 0
    j, k = -1, -1
    while done < frames and cycle < limit:
        due = sent // beats[0] * pace
        offered = cycle >= due
        if not offered:
            waits += 1
        leaves = state[modules - 1, VALID] != 0
        if _cycle((state, param, tables), offered) and offered:
            sent += 1
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
                if k >= 0 and stop:
                    break
        cycle += 1
    return first, ends[:done], state[:, PEAK].copy(), j, k


_compiled: Callable[..., tuple[int, Numbers, Numbers, int, int]]
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
        Whether to stop as soon as everything repeats.
    """
    first, ends, peaks, j, k = _compiled(
        param, tables, beats, (frames, limit, pace), stop
    )
    return Trace(first, ends, peaks, (j, k))
