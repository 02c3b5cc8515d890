# SPDX-License-Identifier: Apache-2.0
"""The arrays in which :mod:`hwgq.compile.token_model` finds a chain of modules.

All times lie in one array: for each stream when its beats move, for each window when
the rows that it writes are read, for each matrix when its frames are done. Before the
first of such a series are as many cells as a frame looks back at those before it.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from hwgq.compile import token_steps as steps
from hwgq.compile.modules import Module


class Layout(NamedTuple):
    """A chain of modules before any beat has moved.

    Parameters
    ----------
    chain
        What a run changes; its first module is the source, its last the sink.
    series
        By series of times, the cell of its first one, how many a frame has, and how
        many of the last ones the next frames follow from.
    """

    chain: steps.Chain
    series: steps.Numbers


def lay_out(modules: Sequence[Module], beats: Sequence[int], frames: int) -> Layout:
    """Lay out modules.

    Parameters
    ----------
    modules
        Modules of a chain, in order.
    beats
        Beats of a frame of each stream, from the source to the sink.
    frames
        Frames that will be run through them.
    """
    chain = (Module(steps.SOURCE, ()), *modules, Module(steps.SINK, ()))
    params = np.zeros((len(chain), steps.PARAMETERS), dtype=np.int64)
    rows: list[tuple[int, int]] = []
    series: list[tuple[int, int, int]] = []
    cells = 0

    def reserve(number: int, past: int) -> int:
        nonlocal cells
        first = cells + past
        series.append((first, number, past))
        cells = first + frames * number
        return first

    for i, module in enumerate(chain):
        values = module.values[:3]
        late = module.delay + 1 + module.block
        params[i, : steps.A] = module.kind, late, module.places, module.block
        params[i, steps.A : steps.A + len(values)] = values
        if i:
            past = max(_past_out(chain[i - 1]), _past_in(module))
            params[i, steps.BEATS] = beats[i - 1]
            params[i, steps.IN] = reserve(beats[i - 1], past)
        if module.kind == steps.MATRIX:
            params[i, steps.MARKS] = reserve(1, 1)
        if module.kind == steps.WINDOW:
            table = _table(module)
            height = len(module.rows)
            params[i, steps.ROWS], params[i, steps.ROWS_OUT] = len(rows), height
            past = max(1, *(-gate for _, gate in table))
            params[i, steps.MARKS] = reserve(height, past)
            rows += table
    params[:-1, steps.OUT] = params[1:, steps.IN]
    state = np.zeros((len(chain), steps.STATES), dtype=np.int64)
    state[:, steps.LAST] = steps.START - 1
    table_of_all = np.array(rows, dtype=np.int64).reshape(-1, 2)
    # The system gives out empty cells one page at a time: frames that do not come cost
    # nothing.
    times = np.zeros(cells, dtype=np.int64)
    return Layout((times, params, state, table_of_all), np.array(series))


def _past_in(module: Module) -> int:
    """Count the beats before one that its way into a module depends on."""
    if module.kind == steps.FIFO and module.block and not module.endless:
        return module.values[0] - 1
    return 1


def _past_out(module: Module) -> int:
    """Count the beats that went out before one and that it depends on."""
    match module.kind:
        case steps.FIFO:
            return 1 if module.endless else module.values[0]
        case steps.MATRIX | steps.REDUCE:
            return module.places
        case steps.WINDOW:
            return 2
    return 1


def _table(module: Module) -> list[tuple[int, int]]:
    """Tell what a window waits for; see :data:`hwgq.compile.token_steps.NEED`."""
    beats, _, height, depth = module.values
    needs = [need * beats - 1 for need, _ in module.rows]
    gates = []
    for row in range(height):
        frame, above = divmod(row - depth, height)
        freed = next(k for k, (_, free) in enumerate(module.rows) if free > above)
        gates.append(frame * len(module.rows) + freed)
    return list(zip_longest(needs, gates, fillvalue=0))
