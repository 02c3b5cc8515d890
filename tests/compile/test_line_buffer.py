# SPDX-License-Identifier: Apache-2.0
"""The rows that a sliding-window generator holds, against a clock that ticks."""

from dataclasses import dataclass

import numpy as np
import pytest

from hwgq.compile.line_buffer import rows_held
from hwgq.compile.window import Window

FRAMES = 24
SETTLED = 12


@dataclass
class Generator:
    """What `hwgq_swg` does in each cycle, as its header says, without the data."""

    window: Window
    depth: int
    per_row: int  # beats in
    per_position_row: int  # beats out
    words: int = 0
    beats: int = 0

    def freed(self) -> int:
        frame, position = divmod(
            self.beats // self.per_position_row, self.window.output[0]
        )
        top = position * self.window.stride[0] - self.window.pad[0]
        return frame * self.window.input[0] + min(max(top, 0), self.window.input[0])

    def needed(self) -> int:
        frame, position = divmod(
            self.beats // self.per_position_row, self.window.output[0]
        )
        bottom = position * self.window.stride[0] - self.window.pad[0]
        bottom += self.window.extent[0]
        return frame * self.window.input[0] + min(max(bottom, 0), self.window.input[0])

    def tick(self, *, offered: bool) -> None:
        rows = self.words // self.per_row
        taken, given = rows < self.freed() + self.depth, rows >= self.needed()
        self.words += offered and taken
        self.beats += given


def beats(window: Window, channels: int, simd: int) -> tuple[int, int]:
    """Count the beats of a row that comes, and of a row of positions."""
    return (
        window.input[1] * channels // min(simd, channels),
        window.output[1] * window.taps * channels // simd,
    )


def pace(
    window: Window, channels: int, simd: int, depth: int, *, even: bool
) -> list[int]:
    """Run many frames, and count the cycles of those in the steady state."""
    per_row, per_positions = beats(window, channels, simd)
    frame_in, frame_out = per_row * window.input[0], per_positions * window.output[0]
    interval = max(frame_in, frame_out)
    generator = Generator(window, depth, per_row, per_positions)
    ends = []
    for cycle in range(FRAMES * interval * 4):
        there = (cycle * frame_in) // interval if even else generator.words + 1
        before = generator.beats
        generator.tick(offered=generator.words < there)
        if generator.beats > before and generator.beats % frame_out == 0:
            ends.append(cycle)
        if len(ends) == FRAMES:
            break
    assert len(ends) == FRAMES
    return [int(cycles) for cycles in np.diff(ends)[SETTLED:]]


def draw(rng: np.random.Generator) -> tuple[Window, int, int]:
    def pair(low: int, high: int) -> tuple[int, int]:
        rows, columns = (int(n) for n in rng.integers(low, high + 1, 2))
        return rows, columns

    image, kernel, stride, dilation = pair(1, 9), pair(1, 4), pair(1, 3), pair(1, 2)
    pad = pair(0, 2)
    outputs = [
        int(rng.integers(1, (i + p) // s + 2))
        for i, p, s in zip(image, pad, stride, strict=True)
    ]
    window = Window(
        input=image,
        output=(outputs[0], outputs[1]),
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        pad=pad,
    )
    channels = int(rng.choice([1, 2, 4]))
    return window, channels, channels * int(rng.choice([1, kernel[1], window.taps]))


@pytest.mark.parametrize("seed", range(40))
def test_no_row_is_missing_and_none_is_too_many(seed: int) -> None:
    window, channels, simd = draw(np.random.default_rng(seed))
    depth = rows_held(window, channels, simd)
    per_row, per_positions = beats(window, channels, simd)
    interval = max(per_row * window.input[0], per_positions * window.output[0])
    for even in (False, True):
        cycles = pace(window, channels, simd, depth, even=even)
        assert set(cycles) == {interval}
    if depth > min(window.extent[0], window.input[0]):
        cycles = pace(window, channels, simd, depth - 1, even=False)
        assert min(cycles) >= interval
        assert sum(cycles) > len(cycles) * interval


def test_a_convolution_of_equal_size_holds_a_row_more_than_its_kernel() -> None:
    sizes = {"input": (32, 32), "output": (32, 32), "pad": (1, 1)}
    window = Window(kernel=(3, 3), **sizes)
    assert rows_held(window, channels=64, simd=64) == 4


def test_the_whole_frame_is_held_twice_where_all_is_one_window() -> None:
    window = Window(input=(4, 4), output=(1, 1), kernel=(4, 4))
    assert rows_held(window, channels=8, simd=8) == 8
