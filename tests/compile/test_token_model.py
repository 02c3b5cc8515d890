# SPDX-License-Identifier: Apache-2.0
"""The model of beats against one that steps every cycle, on chains drawn at random.

The latter was found equal to the RTL for whole networks; `test_schedule` compares the
former with the RTL again.
"""

from math import gcd
from typing import NamedTuple

from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from hwgq.compile import token_model, token_steps
from hwgq.compile.modules import Module
from hwgq.compile.token_layout import lay_out
from tests.compile.stepped import stepped

FRAMES = 24


class Chain(NamedTuple):
    modules: list[Module]
    beats: list[int]


def divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


@st.composite
def fifos(draw: st.DrawFn, beats: int) -> tuple[Module, int]:
    depth = draw(st.sampled_from([1, 2, 3, 4, 7, 20, 90, token_steps.UNBOUNDED]))
    width = draw(st.sampled_from([1, 64]))
    return Module(token_steps.FIFO, (depth,), width=width), beats


@st.composite
def converters(draw: st.DrawFn, beats: int) -> tuple[Module, int]:
    narrow = draw(st.sampled_from([n for n in divisors(beats) if n < 10]))
    wide = draw(st.sampled_from([n for n in range(1, 10) if gcd(n, narrow) == 1]))
    return Module(token_steps.CONVERTER, (wide, narrow)), beats * wide // narrow


@st.composite
def calculations(draw: st.DrawFn, beats: int) -> tuple[Module, int]:
    period = draw(st.sampled_from(divisors(beats)))
    if draw(st.booleans()):
        kind, results = token_steps.MATRIX, draw(st.integers(2, 5))
    else:
        kind, results = token_steps.REDUCE, draw(st.integers(1, period))
    delay, places = draw(st.integers(0, 9)), draw(st.integers(1, 9))
    width = draw(st.sampled_from([1, 64]))
    module = Module(kind, (period, results), delay, places, width=width)
    return module, beats // period * results


@st.composite
def windows(draw: st.DrawFn, beats: int) -> tuple[Module, int]:
    height = draw(st.sampled_from(divisors(beats)))
    out, stride = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    extent, pad = draw(st.integers(1, 4)), draw(st.integers(0, 3))

    def above(row: int) -> int:
        return min(height, max(0, row - pad))

    rows = [(above(n * stride + extent), above((n + 1) * stride)) for n in range(out)]
    # Not even the last row lies in nothing but padding.
    rows[-1] = (max(1, rows[-1][0]), height)
    per_row = draw(st.integers(1, 8))
    # Fewer rows than lie under a window, and it gets stuck.
    depth = draw(st.integers(max(1, min(extent, height) - 1), extent + height + 1))
    values = (beats // height, per_row, height, depth)
    return Module(token_steps.WINDOW, values, rows=tuple(rows)), out * per_row


@st.composite
def chains(draw: st.DrawFn) -> Chain:
    beats = [draw(st.sampled_from([1, 2, 6, 12, 24, 30, 36]))]
    modules = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from([fifos, converters, calculations, windows]))
        module, number = draw(kind(beats[-1]))
        if number <= 300:
            modules.append(module)
            beats.append(number)
    return Chain(modules, beats)


paces = st.one_of(st.just(0), st.integers(1, 400))


#: Calculations with too few places, and a FIFO of many frames: what comes next depends
#: on more than the last beat of each stream.
SCARCE = Module(token_steps.REDUCE, (1, 1), 5, 5, width=64)
LONG = Module(token_steps.FIFO, (90,), width=1)
SINGLE = Module(token_steps.FIFO, (1,))
SPLIT = Module(token_steps.CONVERTER, (7, 1))


@settings(max_examples=400, deadline=None)
@given(chain=chains(), pace=paces)
@example(chain=Chain([SCARCE, SCARCE._replace(delay=0)], [36, 36, 36]), pace=0)
@example(chain=Chain([LONG, SINGLE, SPLIT], [1, 1, 1, 7]), pace=0)
def test_beats_move_as_in_every_cycle(chain: Chain, pace: int) -> None:
    slow = stepped(*chain, frames=FRAMES, pace=pace)
    fast = token_model.run(lay_out(*chain, FRAMES), frames=FRAMES, pace=pace)
    assert fast.first == slow.first
    assert fast.ends.tolist() == slow.ends
    assert fast.stuck == slow.stuck
    if not fast.stuck:
        assert fast.peaks.tolist() == slow.peaks
    if fast.period is not None:
        j, k = fast.period
        assert not slow.stuck
        note(f"{fast.period} {slow.ends}")
        later = {slow.ends[n] - slow.ends[n - k + j] for n in range(k, FRAMES)}
        assert later == {slow.ends[k] - slow.ends[j]}


@settings(deadline=None)
@given(chain=chains(), pace=paces)
def test_a_run_that_stops_early_has_found_what_a_longer_one_finds(
    chain: Chain, pace: int
) -> None:
    whole = token_model.run(lay_out(*chain, FRAMES), frames=FRAMES, pace=pace)
    early = token_model.run(
        lay_out(*chain, FRAMES), frames=FRAMES, pace=pace, stop=True
    )
    seen = len(early.ends)
    assert early.ends.tolist() == whole.ends[:seen].tolist()
    if early.period is not None:
        assert early.period == whole.period
    elif seen < len(whole.ends):
        # It fell behind, and so it stays.
        frames = len(whole.ends) - seen
        assert whole.ends[-1] - early.ends[-1] > frames * pace
