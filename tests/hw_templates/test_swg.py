# SPDX-License-Identifier: Apache-2.0
"""The sliding-window generator against np.pad and slices, over every kind of window."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from hwgq import tools
from hwgq.compile.line_buffer import rows_held
from hwgq.compile.sim_wrapper import SimPorts
from hwgq.compile.verilator import Simulator, Stalls, build_simulator
from hwgq.compile.window import Window
from hwgq.errors import ToolFailedError
from hwgq.hw_templates import source, sources
from tests.hw_templates.wires import Ints, from_planes, to_beats

FRAMES = 9
SETTLED = 4  # frames until the pace is steady
LATENCY = 3  # as the header promises


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of the grid; depth None: as many rows as the compiler takes."""

    window: Window
    c: int = 1
    p: int = 1
    bits: int = 2
    grouped: int = 0
    pad_code: int = 0
    depth: int | None = None
    wrong: dict[str, int] = field(default_factory=dict)  # parameters

    @property
    def word(self) -> int:
        return min(self.p, self.c)

    @property
    def beats_in(self) -> int:
        return self.window.pixels_in * self.c // self.word

    @property
    def beats_out(self) -> int:
        return self.window.pixels_out * self.window.taps * self.c // self.p

    @property
    def rows(self) -> int:
        if self.depth is not None:
            return self.depth
        return rows_held(self.window, self.c, self.p)

    @property
    def cycles(self) -> int:
        return max(self.beats_in, self.beats_out)

    @property
    def first_output_cycle(self) -> int:
        """When the first beat leaves, nobody having stalled."""
        w = self.window
        rows = min(max(0, w.extent[0] - w.pad[0]), w.input[0])
        return rows * w.input[1] * self.c // self.word - 1 + LATENCY

    def build(self) -> Simulator:
        w = self.window
        names = ("H", "W", "OH", "OW", "KH", "KW", "SH", "SW", "DH", "DW", "PT", "PL")
        pairs = (w.input, w.output, w.kernel, w.stride, w.dilation, w.pad)
        parameters: dict[str, int | str] = {
            **dict(zip(names, (n for pair in pairs for n in pair), strict=True)),
            **{"C": self.c, "P": self.p, "BITS": self.bits, "GROUPED": self.grouped},
            **{"PAD_CODE": self.pad_code, "DEPTH": self.rows, **self.wrong},
        }
        ports = SimPorts(self.word * self.bits, self.p * self.bits)
        return build_simulator(
            [path for path in sources() if path.stem.startswith("hwgq_swg")],
            "hwgq_swg",
            ports,
            parameters=parameters,
            optimize=False,
        )


def gather(point: Point, frames: Ints) -> Ints:
    """Take what lies under the window, shape (frames, positions, taps in order)."""
    w, (sh, sw), (dh, dw) = point.window, point.window.stride, point.window.dilation
    bottom = max(0, (w.output[0] - 1) * sh + dh * w.kernel[0] - w.pad[0] - w.input[0])
    right = max(0, (w.output[1] - 1) * sw + dw * w.kernel[1] - w.pad[1] - w.input[1])
    around = [(0, 0), (w.pad[0], bottom), (w.pad[1], right), (0, 0)]
    padded = np.pad(frames, around, constant_values=point.pad_code)
    found = [
        padded[:, y : y + dh * w.kernel[0] : dh, x : x + dw * w.kernel[1] : dw]
        for y in range(0, w.output[0] * sh, sh)
        for x in range(0, w.output[1] * sw, sw)
    ]
    windows = np.stack(found, axis=1)
    if point.grouped:
        split = windows.reshape(*windows.shape[:-1], -1, point.word)
        windows = split.transpose(0, 1, 4, 2, 3, 5)
    return windows.reshape(*windows.shape[:2], -1)


def square(
    size: int, kernel: int, pad: int = 0, stride: int = 1, dilation: int = 1
) -> Window:
    output = (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
    return Window(
        input=(size, size),
        output=(output, output),
        kernel=(kernel, kernel),
        stride=(stride, stride),
        dilation=(dilation, dilation),
        pad=(pad, pad),
    )


SAME = square(6, 3, pad=1)
STRIDED = square(7, 3, pad=1, stride=2)
DILATED = square(8, 3, pad=2, dilation=2)
ODD = Window(  # everything is different
    input=(7, 9),
    output=(5, 4),
    kernel=(2, 4),
    stride=(1, 3),
    dilation=(3, 1),
    pad=(0, 2),
)
FLAT = Window(input=(1, 12), output=(1, 10), kernel=(1, 3))
TALL = Window(input=(12, 1), output=(5, 1), kernel=(3, 1), stride=(2, 1))
POINTS = [
    # Some channels of a tap a beat.
    Point(window=SAME, c=4, p=2),
    Point(window=SAME, c=4, p=4, bits=3, pad_code=5),
    Point(window=SAME, c=6, p=2, grouped=1, pad_code=1),
    Point(window=SAME, c=3, p=1, grouped=1, bits=1),
    Point(window=STRIDED, c=2, p=1, pad_code=3),
    Point(window=square(7, 3), c=2, p=2, bits=8),
    Point(window=square(8, 2, stride=2), c=4, p=2, grouped=1),
    Point(window=square(8, 3, stride=3), c=2, p=1),  # pixels that no window meets
    Point(window=square(7, 1, stride=2), c=4, p=4),
    Point(window=square(9, 1, stride=4), c=1, p=1),
    Point(window=DILATED, c=2, p=2, pad_code=3),
    Point(window=ODD, c=2, p=1, pad_code=2),
    Point(window=square(1, 1), c=6, p=2),
    Point(window=square(1, 3, pad=1), c=2, p=1, pad_code=1),
    Point(window=square(4, 4), c=4, p=4),  # the whole frame
    Point(
        window=square(3, 1, pad=2), c=1, p=1, pad_code=1
    ),  # positions of padding alone
    Point(window=FLAT, c=2, p=2),
    Point(window=TALL, c=2, p=2),
    # A row of the kernel a beat.
    Point(window=SAME, c=2, p=6, pad_code=1),
    Point(window=STRIDED, c=3, p=9, bits=1, grouped=1),
    Point(window=DILATED, c=1, p=3, bits=8),
    Point(window=square(9, 2, dilation=2), c=1, p=2),
    Point(window=ODD, c=2, p=8, pad_code=2),
    # The whole window a beat.
    Point(window=SAME, c=2, p=18, pad_code=1),
    Point(window=STRIDED, c=1, p=9, bits=8),
    Point(window=DILATED, c=1, p=9, pad_code=1),
    Point(window=ODD, c=2, p=16, pad_code=2),
    Point(window=square(8, 2, stride=2), c=1, p=4, bits=1, grouped=1),
    Point(window=TALL, c=2, p=6),
]


def number(point: Point) -> str:
    return str(POINTS.index(point))


@pytest.mark.parametrize("point", POINTS, ids=number)
def test_windows(point: Point, tmp_path: Path) -> None:
    shape = (FRAMES, *point.window.input, point.c)
    frames = np.random.default_rng(7).integers(0, 2**point.bits, shape)
    expected = gather(point, frames)
    beats = to_beats(frames, point.word, point.bits)
    outputs = FRAMES * point.beats_out

    simulator = point.build()
    for stalls in (None, Stalls(seed=3), Stalls(seed=4, share=0.1)):
        run = simulator.run(beats, outputs=outputs, cwd=tmp_path, stalls=stalls)
        found = from_planes(run.outputs, point.p, point.bits)
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
        if stalls is None:
            ends = run.output_cycles[point.beats_out - 1 :: point.beats_out]
            np.testing.assert_array_equal(np.diff(ends)[SETTLED:], point.cycles)
            assert run.first_output_cycle == point.first_output_cycle
        else:
            assert min(run.input_stalls, run.output_stalls) > 0


@pytest.mark.parametrize("point", [POINTS[i] for i in (0, 6, 10, 23)], ids=number)
def test_with_a_row_less_it_is_slower(point: Point, tmp_path: Path) -> None:
    less = replace(point, depth=point.rows - 1)
    shape = (FRAMES, *point.window.input, point.c)
    frames = np.random.default_rng(7).integers(0, 2**point.bits, shape)
    beats = to_beats(frames, point.word, point.bits)
    outputs = FRAMES * point.beats_out
    run = less.build().run(beats, outputs=outputs, cwd=tmp_path)
    found = from_planes(run.outputs, point.p, point.bits)
    expected = gather(point, frames)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    ends = run.output_cycles[point.beats_out - 1 :: point.beats_out]
    assert (np.diff(ends)[SETTLED:] > point.cycles).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        *(({name: 0}, "OH, OW and BITS must be") for name in ("W", "OH", "BITS")),
        *(({name: 0}, "SH, SW, DH and DW must") for name in ("KH", "KW", "SW", "DH")),
        *(({"P": p}, f"P \\({p}\\) must divide C") for p in (0, 3, 8)),
        ({"GROUPED": 2}, "GROUPED .* must be 0 or 1"),
        ({"PAD_CODE": 4}, "must fit BITS"),
        ({"DEPTH": 2}, "at least the rows under a window"),
    ],
    ids=str,
)
def test_bad_parameters_stop_elaboration(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ToolFailedError, match=message):
        Point(window=SAME, c=4, wrong=wrong).build()


@pytest.mark.parametrize(
    ("module", "wrong", "message"),
    [
        ("hwgq_swg_reader", {"ROW_TAPS": 3}, "do not fit KH, KW and FOLDS"),
        ("hwgq_swg_reader", {"COL_TAPS": 3}, "do not fit KH, KW and FOLDS"),
        ("hwgq_swg_banks", {"COL_TAPS": 3}, "FOLDS .* above 1 takes COL_TAPS .* = 1"),
        ("hwgq_swg_banks", {"ROW_TAPS": 2}, "ROW_TAPS .* meet in ROW_BANKS"),
        ("hwgq_swg_banks", {"COL_TAPS": 2}, "COL_TAPS .* meet in COL_BANKS"),
        ("hwgq_swg_banks", {"LINE": 11}, "LINE .* must hold a bank's words of a row"),
        ("hwgq_swg_banks", {"RING": 11}, "RING .* LINE"),
    ],
    ids=str,
)
def test_bad_parameters_of_a_part_stop_elaboration(
    module: str, wrong: dict[str, int], message: str, tmp_path: Path
) -> None:
    program = tools.find("verilator").with_name("verilator_bin")
    values = (f"-G{name}={value}" for name, value in wrong.items())
    with pytest.raises(ToolFailedError, match=message):
        tools.run(
            [program, "--lint-only", *values, source(module)],
            cwd=tmp_path,
            log=tmp_path / "verilator.log",
            env={"VERILATOR_ROOT": str(program.parent.parent)},
        )
