# SPDX-License-Identifier: Apache-2.0
"""When the beats of each kind of module move, compiled by Numba.

When a beat moves follows from when some others did: those before it in the same
streams, and a few that left the module, since places are free only from then on. So a
beat costs a few operations, and cycles in which nothing moves cost nothing.

A module is a row of numbers that say what it is, and a row that counts what it did. It
says from when on it takes its next beats, and offers those that it makes; a beat moves
at the later of what a stream's two ends say. Beats are counted through all frames. A
module goes on until it lacks a time that the module before or behind it has to say.
"""

import numba
import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
#: Times, parameters, states and the rows of windows.
Chain = tuple[Numbers, Numbers, Numbers, Numbers]

#: Kinds of modules, and what A … C of their parameters are.
FIFO = 0  #: A: beats that it holds.
CONVERTER = 1  #: A, B: elements of a beat in and out, without their common divisor.
MATRIX = 2  #: A, B: beats of a vector, and rounds in which each is used (SF, NF > 1).
REDUCE = 3  #: A, B: beats of a period, and results at its last beats.
WINDOW = 4  #: A, B: beats of a row in and out; C: rows of a frame.
SOURCE = 5  #: Offers all beats of a frame at once.
SINK = 6  #: Takes what it gets.

#: Beats of a FIFO that never fills.
UNBOUNDED = 1 << 40

START = 1 << 40  #: Cycle 0, as a time.
NEVER = 0  #: Before all times; what cells have at first.

#: Columns of the parameters: the kind; cycles from a beat to the first in which its
#: result may leave; places of the output FIFO, and whether it is a block RAM; the cells
#: of the first beats in and out, and beats of a frame in; the cell of the first mark,
#: which says when a row of a window or a frame of a matrix was done; a window's rows.
KIND, LATE, PLACES, BLOCK, A, B, C, IN, BEATS, OUT, MARKS, ROWS, ROWS_OUT = range(13)
PARAMETERS = 13

#: Columns of the rows of windows, for row N: the last beat that must have been taken
#: before it is written; the row that is written before it may be taken; in their frame.
NEED, GATE = range(2)

#: Columns of the states. READY and MADE count beats for which is known from when on
#: they may be taken, and when they are offered; FRAME is the frame that is looked at;
#: LAST is when a beat was read or calculated; S0 … S3 count whatever a kind counts.
READY, MADE, FRAME, LAST, S0, S1, S2, S3 = range(8)
STATES = 8


def _put(times: Numbers, cell: int, time: int, known: bool) -> None:
    """Say from when on a beat is offered, or may be taken.

    Who says it last of the two knows when the beat moves.
    """
    if known:
        time = max(time, times[cell], times[cell - 1] + 1)
    times[cell] = time


_put = numba.njit()(_put)


def _fifo(chain: Chain, i: int) -> None:
    """Take beats while there is a place.

    A block RAM has a word less than beats, since one is in its read register. The beat
    of which a word must have been free was fetched when the one before it was taken.
    """
    times, param, state, _ = chain
    at, out, depth, block = param[i, IN], param[i, OUT], param[i, A], param[i, BLOCK]
    goal = (state[i, FRAME] + 1) * param[i, BEATS]
    # One register takes a beat in the cycle in which it loses one.
    more = int(depth > 1)
    offered, ready = state[i - 1, MADE], state[i + 1, READY]
    n, made = state[i, READY], state[i, MADE]
    while True:
        most = min(goal, min(made, ready) + depth)
        if block:
            most = min(most, offered + depth - 1)
        taken = min(max(n, most), offered)
        if most <= n and taken <= made:
            break
        for k in range(n, most):
            time = NEVER
            if depth < UNBOUNDED:
                time = times[out + k - depth] + more
                if block:
                    time = max(time, times[at + k - depth + 1] + 2)
            _put(times, at + k, time, k < offered)
        for k in range(made, taken):
            _put(times, out + k, times[at + k] + param[i, LATE], k < ready)
        n, made = max(n, most), taken
    state[i, READY], state[i, MADE] = n, made


_fifo = numba.njit()(_fifo)


def _converter(chain: Chain, i: int) -> None:
    """Take beats while fewer elements than a beat out are left.

    S0 counts those behind the beats that may be taken, which make S1 beats out; S2
    counts beats that are taken, and S3 elements behind them.
    """
    times, param, state, _ = chain
    at, out, wide, narrow = param[i, IN], param[i, OUT], param[i, A], param[i, B]
    goal = (state[i, FRAME] + 1) * param[i, BEATS]
    offered, ready = state[i - 1, MADE], state[i + 1, READY]
    n, made, rest, full = state[i, READY], state[i, MADE], state[i, S0], state[i, S1]
    taken, left = state[i, S2], state[i, S3]
    moved = True
    while moved:
        moved = False
        while n < goal and full <= min(made, ready):
            _put(times, at + n, times[out + full - 1], n < offered)
            n += 1
            rest += wide
            while rest >= narrow:
                rest -= narrow
                full += 1
            moved = True
        while taken < min(n, offered):
            left += wide
            while left >= narrow:
                left -= narrow
                _put(times, out + made, times[at + taken] + 1, made < ready)
                made += 1
            taken += 1
            moved = True
    state[i, READY], state[i, MADE], state[i, S0], state[i, S1] = n, made, rest, full
    state[i, S2], state[i, S3] = taken, left


_converter = numba.njit()(_converter)


def _matrix(chain: Chain, i: int) -> None:
    """Step an MVAU of several rounds: it reads in the first.

    S0 counts beats of a vector that may be taken, S1 rounds.
    """
    times, param, state, _ = chain
    at, out, beats, rounds = param[i, IN], param[i, OUT], param[i, A], param[i, B]
    places, late = param[i, PLACES], param[i, LATE]
    goal = (state[i, FRAME] + 1) * param[i, BEATS]
    offered, ready = state[i - 1, MADE], state[i + 1, READY]
    n, made, last = state[i, READY], state[i, MADE], state[i, LAST]
    beat, turn = state[i, S0], state[i, S1]
    while made - places < min(made, ready):
        if turn == 0:
            if n == goal and beat < beats:
                break
            for _ in range(beat, beats - 1):
                _put(times, at + n, last + 1, n < offered)
                n += 1
            if beat < beats:
                # The last beat of a vector makes a result, which must have a place.
                time = max(last, times[out + made - places]) + 1
                _put(times, at + n, time, n < offered)
                n += 1
                beat = beats
            if n > offered:
                break
            last = times[at + n - 1]
            beat = 0
        else:
            last = max(last + beats, times[out + made - places] + 1)
        _put(times, out + made, last + late, made < ready)
        made += 1
        turn = turn + 1 if turn + 1 < rounds else 0
    times[param[i, MARKS] + state[i, FRAME]] = last
    state[i, READY], state[i, MADE], state[i, LAST] = n, made, last
    state[i, S0], state[i, S1] = beat, turn


_matrix = numba.njit()(_matrix)


def _reduce(chain: Chain, i: int) -> None:
    """Step what reads all the time.

    S0 counts beats of a period that may be taken, S1 results of all of them; S2 counts
    beats that are taken, S3 those of a period.
    """
    times, param, state, _ = chain
    at, out, period, places = param[i, IN], param[i, OUT], param[i, A], param[i, PLACES]
    silent, late = period - param[i, B], param[i, LATE]
    goal = (state[i, FRAME] + 1) * param[i, BEATS]
    offered, ready = state[i - 1, MADE], state[i + 1, READY]
    n, made, beat, results = state[i, READY], state[i, MADE], state[i, S0], state[i, S1]
    taken, phase = state[i, S2], state[i, S3]
    moved = True
    while moved:
        moved = False
        while n < goal and (beat < silent or results - places < min(made, ready)):
            time = NEVER
            if beat >= silent:
                time = times[out + results - places] + 1
                results += 1
            _put(times, at + n, time, n < offered)
            n += 1
            beat = beat + 1 if beat + 1 < period else 0
            moved = True
        while taken < min(n, offered):
            if phase >= silent:
                _put(times, out + made, times[at + taken] + late, made < ready)
                made += 1
            taken += 1
            phase = phase + 1 if phase + 1 < period else 0
            moved = True
    state[i, READY], state[i, MADE], state[i, S0], state[i, S1] = n, made, beat, results
    state[i, S2], state[i, S3] = taken, phase


_reduce = numba.njit()(_reduce)


def _take_rows(chain: Chain, i: int) -> None:
    """Take rows while there is room for one; S0 counts those that may come."""
    times, param, state, rows = chain
    at, beats, offered = param[i, IN], param[i, A], state[i - 1, MADE]
    frame, height = state[i, FRAME], param[i, C]
    n, row = state[i, READY], state[i, S0]
    while row < (frame + 1) * height:
        gate = rows[param[i, ROWS] + row - frame * height, GATE]
        gate += frame * param[i, ROWS_OUT]
        if gate >= state[i, S1]:
            break
        _put(times, at + n, times[param[i, MARKS] + gate] + 1, n < offered)
        for k in range(n + 1, n + beats):
            _put(times, at + k, NEVER, k < offered)
        n += beats
        row += 1
    state[i, READY], state[i, S0] = n, row


_take_rows = numba.njit()(_take_rows)


def _write_rows(chain: Chain, i: int) -> None:
    """Write rows that are there; S1 counts them.

    LAST is the cycle in which the last beat was read from the memory. Two beats fit in
    registers behind it, so that the next one is read when the last but one is taken; so
    in a row each beat but the first is offered as soon as that before it is taken.
    """
    times, param, state, rows = chain
    at, out, beats = param[i, IN], param[i, OUT], param[i, B]
    frame, height = state[i, FRAME], param[i, ROWS_OUT]
    known, ready = min(state[i, READY], state[i - 1, MADE]), state[i + 1, READY]
    m, row, last = state[i, MADE], state[i, S1], state[i, LAST]
    while row < (frame + 1) * height:
        if m == row * beats:
            need = rows[param[i, ROWS] + row - frame * height, NEED]
            need += frame * param[i, BEATS]
            if need >= known or m - 2 >= ready:
                break
            last = max(last + 1, times[at + need] + 1, times[out + m - 2])
            _put(times, out + m, last + 2, m < ready)
            for k in range(m + 1, m + beats):
                _put(times, out + k, NEVER, k < ready)
            m += beats
        if m - 3 >= ready:
            break
        last = max(last + beats - 1, times[out + m - 3])
        times[param[i, MARKS] + row] = last
        row += 1
    state[i, MADE], state[i, S1], state[i, LAST] = m, row, last


_write_rows = numba.njit()(_write_rows)


def step(chain: Chain, i: int) -> bool:
    """Go on with module i while all is known that it depends on; say whether it did."""
    _, param, state, _ = chain
    before, kind = state[i, READY] + state[i, MADE], param[i, KIND]
    if kind == CONVERTER:
        _converter(chain, i)
    elif kind == MATRIX:
        _matrix(chain, i)
    elif kind == WINDOW:
        written = -1
        while written < state[i, S1]:
            written = state[i, S1]
            _take_rows(chain, i)
            _write_rows(chain, i)
    elif kind == REDUCE:
        _reduce(chain, i)
    elif kind == FIFO:
        _fifo(chain, i)
    return bool(state[i, READY] + state[i, MADE] > before)


step = numba.njit()(step)
