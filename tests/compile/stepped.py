# SPDX-License-Identifier: Apache-2.0
"""Every cycle of a chain of modules, without their data: slow, but as in the RTL.

A module is a row of numbers that say what it is, and a row of numbers that say what it
is at. Every cycle goes through the modules once, from the last to the first: whether
one takes a beat may depend on whether its successor does, never the other way round.
Most of them end alike: results are on their way for some cycles and then wait in an
output FIFO, of whose places there is one for each.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from hwgq.compile.modules import Module
from hwgq.compile.token_steps import CONVERTER, FIFO, MATRIX, WINDOW

Numbers = npt.NDArray[np.int64]
#: States, parameters and the tables of windows.
Chain = tuple[Numbers, Numbers, Numbers]

#: Columns of the parameters. A … D are a module's values, E and F the row of the tables
#: at which those of a window begin, and how many there are.
KIND, DELAY, PLACES, BLOCK, A, B, C, D, E, F = range(10)
PARAMETERS = 10
#: Columns of the state.
VALID, COUNT, FREE, PIPE, S0, S1, S2, S3, S4, PEAK = range(10)
STATES = 10


class Stepped(NamedTuple):
    """What a run gave, as :class:`hwgq.compile.token_model.Trace` has it."""

    first: int
    ends: list[int]
    peaks: list[int]
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


_store = numba.njit()(_store)


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


_tail = numba.njit()(_tail)


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


_fifo = numba.njit()(_fifo)


def _converter(chain: Chain, i: int, before: int, taken: int) -> int:
    state, param, _ = chain
    rest = state[i, COUNT] - param[i, B] * taken
    takes = int(rest < param[i, B])
    push = before & takes
    rest += param[i, A] * push
    state[i, COUNT] = rest
    state[i, VALID] = rest >= param[i, B]
    return takes | (push | taken) << 1


_converter = numba.njit()(_converter)


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


_matrix = numba.njit()(_matrix)


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


_reduce = numba.njit()(_reduce)


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


_next_place = numba.njit()(_next_place)


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


_window = numba.njit()(_window)


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


_step = numba.njit()(_step)


def _run(
    param: Numbers, tables: Numbers, goals: Numbers, pace: int, patience: int
) -> tuple[Numbers, Numbers]:
    """Step until as many beats as asked for have moved in each stream, or none moves.

    Returns
    -------
    Cycles in which beats have left, and by module the peak.
    """
    modules = len(param)
    state = np.zeros((modules, STATES), dtype=np.int64)
    state[:, FREE] = param[:, PLACES]
    moved, peaks = np.zeros_like(goals[0]), np.zeros(modules, dtype=np.int64)
    times = np.full(goals[0, modules], -1, dtype=np.int64)
    cycle, last = 0, 0
    while (moved < goals[0]).any() and cycle - last < patience:
        ready = 1
        for i in range(modules, -1, -1):
            offered = state[i - 1, VALID]
            if i == 0:
                offered = int(cycle >= moved[0] // goals[1, 0] * pace)
            takes = 1
            if i < modules:
                takes = _step((state, param, tables), i, offered, ready) & 1
            if offered & takes and moved[i] < goals[0, i]:
                if i == modules:
                    times[moved[i]] = cycle
                else:
                    peaks[i] = state[i, PEAK]
                moved[i] += 1
                last = cycle
            elif offered & takes:
                # Of a later frame: counted where the source looks, but not waited for.
                moved[i] += 1
            ready = takes
        cycle += 1
    return times, peaks


_run = numba.njit(cache=True)(_run)


def stepped(
    modules: Sequence[Module], beats: Sequence[int], *, frames: int, pace: int = 0
) -> Stepped:
    """Run frames through a chain of modules until all their beats have moved.

    Parameters
    ----------
    modules, beats, frames, pace
        As of :mod:`hwgq.compile.token_layout` and :mod:`hwgq.compile.token_model`.
    """
    param = np.zeros((len(modules), PARAMETERS), dtype=np.int64)
    rows: list[tuple[int, int]] = []
    for row, module in zip(param, modules, strict=True):
        row[:A] = module.kind, module.delay, module.places, module.block
        row[A : A + len(module.values)] = module.values
        if module.kind == WINDOW:
            row[E:] = len(rows), len(module.rows)
            rows += module.rows
    goals = np.array([[frames * n for n in beats], beats], dtype=np.int64)
    tables = np.array(rows, dtype=np.int64).reshape(-1, 2)
    # No beat waits for longer than all modules take for one, one after the other.
    each = [m.delay + 10 + prod(m.values[:2]) for m in modules if m.kind != FIFO]
    patience = pace + 10 * (len(modules) + 1) + sum(each)
    times, peaks = _run(param, tables, goals, pace, patience)
    ends = times[beats[-1] - 1 :: beats[-1]]
    return Stepped(
        int(times[0]), [int(e) for e in ends if e >= 0], peaks.tolist(), -1 in times
    )
