# SPDX-License-Identifier: Apache-2.0
import dataclasses

import numpy as np
import pytest

from hwgq import boards
from hwgq.compile.cost import Lanes, layer_cost
from hwgq.compile.fabric import Cost, Fabric
from hwgq.compile.folding import Target, choose_lanes
from hwgq.compile.graph import (
    ElementType,
    Graph,
    Mvau,
    Pool,
    SlidingWindow,
    Thresholding,
    Vvau,
    WidthConverter,
)
from hwgq.compile.line_buffer import rows_held
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.fold import fold
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.schedule import initiation_interval, layer_cycles
from hwgq.errors import FoldingError
from tests.compile.graphs import random_mlp
from tests.compile.image_graphs import (
    Conv,
    Dense,
    Depthwise,
    PixelSum,
    cnv,
    lenet,
    random_cnn,
)

ICEBREAKER = Fabric.of(boards.load("icebreaker"))
ULX3S = Fabric.of(boards.load("ulx3s-85f"), quick=False)
DIGITS = [(64, 64, 64, 10), (64, 64, 64, 64, 10)]


def digits(sizes: tuple[int, ...] = DIGITS[0]) -> Graph:
    return absorb_offsets(random_mlp(1, sizes, entry=ElementType.unsigned(16)))


def spent(graph: Graph, fabric: Fabric) -> Cost:
    costs = [layer_cost(graph, n, Lanes(n.pe, n.simd), fabric) for n in graph.mvaus()]
    return Cost(sum(c.luts for c in costs), sum(c.blocks for c in costs))


@pytest.mark.parametrize("sizes", DIGITS)
@pytest.mark.parametrize("board", boards.names())
def test_digits_use_a_board_well(board: str, sizes: tuple[int, ...]) -> None:
    fabric = Fabric.of(boards.load(board))
    graph = fold(digits(sizes), fabric, Target(clock_mhz=24))
    layers = list(graph.mvaus())
    assert sum(n.pe * n.simd for n in layers) >= 256
    assert any(n.simd < n.columns for n in layers)
    assert any(n.simd == n.columns for n in layers)
    assert any(n.pe < n.rows for n in layers)
    total = spent(graph, fabric)
    assert total.luts <= fabric.luts
    assert total.blocks <= fabric.blocks
    converted = insert_width_converters(graph)
    assert any(isinstance(n, WidthConverter) for n in converted.layers)


def test_lanes_divide_their_layers_and_set_the_beats() -> None:
    graph = fold(digits((85, 24, 9)), ICEBREAKER, Target(clock_mhz=24))
    first, second = graph.mvaus()
    assert graph.streams["image"].beat == first.simd
    assert graph.streams["layer0.out"].beat == first.pe
    assert graph.streams["layer1.out"].beat == second.pe
    for layer in (first, second):
        assert layer.rows % layer.pe == layer.columns % layer.simd == 0


@pytest.mark.parametrize("fps", [1_000, 50_000, 200_000])
def test_a_target_is_reached_with_no_more_lanes_than_it_takes(fps: float) -> None:
    graph = fold(digits(), ICEBREAKER, Target(fps=fps, clock_mhz=24))
    assert 24e6 / initiation_interval(graph) >= fps
    freely = fold(digits(), ICEBREAKER, Target(clock_mhz=24))
    assert spent(graph, ICEBREAKER).luts <= spent(freely, ICEBREAKER).luts


def test_more_than_possible_is_refused_with_what_is() -> None:
    with pytest.raises(FoldingError, match=r"best possible is \d+ at 24 MHz") as caught:
        fold(digits(), ICEBREAKER, Target(fps=1e9, clock_mhz=24))
    best = int(str(caught.value).split("best possible is ")[1].split()[0])
    fold(digits(), ICEBREAKER, Target(fps=best, clock_mhz=24))
    with pytest.raises(FoldingError):
        fold(digits(), ICEBREAKER, Target(fps=best * 1.01, clock_mhz=24))


def test_a_network_that_does_not_fit_is_refused() -> None:
    tiny = ICEBREAKER._replace(blocks=1)
    with pytest.raises(FoldingError, match="does not fit: at its smallest"):
        choose_lanes(digits((784, 256, 10)), tiny, Target(clock_mhz=24))


def test_a_pinned_layer_keeps_its_lanes() -> None:
    pins = {"layer1": Lanes(2, 32)}
    graph = fold(digits(), ICEBREAKER, Target(clock_mhz=24, pins=pins))
    layer = next(n for n in graph.layers if n.name == "layer1")
    assert isinstance(layer, Mvau)
    assert (layer.pe, layer.simd) == (2, 32)


def test_a_folding_that_is_all_pinned_is_taken_as_it_is() -> None:
    pins = {"layer0": Lanes(64, 64), "layer1": Lanes(64, 64), "layer2": Lanes(10, 64)}
    graph = fold(digits(), ICEBREAKER, Target(clock_mhz=24, pins=pins))
    assert [n.cycles for n in graph.mvaus()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("name", "lanes", "message"),
    [
        ("layer0", Lanes(3, 4), r"PE=3 does not divide 64 rows. Choose one of 1, 2, 4"),
        ("layer2", Lanes(5, 7), "layer2: SIMD=7 does not divide 64 columns"),
        ("layer9", Lanes(1, 1), "layer9: no such layer. Choose one of layer0, layer1"),
    ],
)
def test_an_illegal_pin_is_refused(name: str, lanes: Lanes, message: str) -> None:
    with pytest.raises(FoldingError, match=message):
        fold(digits(), ICEBREAKER, Target(clock_mhz=24, pins={name: lanes}))


def test_a_thresholding_is_folded_too() -> None:
    graph = digits((12, 6))
    image = graph.streams["image"]
    pixels = dataclasses.replace(image, name="pixels")
    graph, key = graph.with_tensor(np.array([[1], [2], [3]] * 4))
    layer = Thresholding(
        name="t", inputs=("pixels",), outputs=("image",), channels=12, thresholds=key
    )
    graph = graph.with_stream(pixels)
    graph = graph.replace(layers=(layer, *graph.layers), input="pixels")
    graph = fold(graph, ICEBREAKER, Target(clock_mhz=24, pins={"t": Lanes(6, 6)}))
    assert graph.streams["pixels"].beat == graph.streams["image"].beat == 6
    with pytest.raises(FoldingError, match="t: PE=5 does not divide 12 channels"):
        fold(graph, ICEBREAKER, Target(clock_mhz=24, pins={"t": Lanes(5, 5)}))


def test_a_small_board_folds_more_than_a_large_one() -> None:
    large = ICEBREAKER._replace(luts=4 * ICEBREAKER.luts, blocks=4 * ICEBREAKER.blocks)
    small = fold(digits(), ICEBREAKER, Target(clock_mhz=24))
    fast = fold(digits(), large, Target(clock_mhz=24))
    assert initiation_interval(fast) < initiation_interval(small)


def slowest(graph: Graph) -> tuple[int, int]:
    """Find the cycles of the slowest matrix layer, and of the slowest other."""
    cycles: tuple[list[int], list[int]] = [], [0]
    for layer in graph.layers:
        cycles[not isinstance(layer, Mvau | Vvau)].append(layer_cycles(graph, layer))
    return max(cycles[0]), max(cycles[1])


@pytest.mark.parametrize("fps", [None, 500, 1_000, 7_000, 50_000])
def test_the_slowest_of_all_is_a_matrix_layer(fps: float | None) -> None:
    graph = fold(absorb_offsets(lenet()), ULX3S, Target(fps=fps, clock_mhz=80))
    converted = insert_width_converters(graph)
    matrix, rest = slowest(converted)
    assert rest <= matrix == initiation_interval(converted)
    assert 80e6 / matrix >= (fps or 0)


def test_cnv_reaches_a_thousand_frames_a_second_at_80_mhz() -> None:
    graph = fold(absorb_offsets(cnv()), ULX3S, Target(fps=1000, clock_mhz=80))
    matrix, rest = slowest(insert_width_converters(graph))
    assert rest <= matrix <= 80_000
    lanes = sum(n.pe * n.simd for n in graph.mvaus())
    # Two in three lanes work all the time.
    assert lanes * matrix * 2 / 3 <= sum(
        layer_cycles(graph, n) * n.pe * n.simd for n in graph.mvaus()
    )


def test_a_window_that_cannot_be_as_fast_limits_all() -> None:
    images = absorb_offsets(lenet())
    with pytest.raises(FoldingError, match="the best possible is ") as caught:
        fold(images, ULX3S, Target(fps=1e9, clock_mhz=80))
    best = int(str(caught.value).split("best possible is ")[1].split()[0])
    graph = fold(images, ULX3S, Target(fps=best, clock_mhz=80))
    # The first window takes a pixel a cycle.
    assert 28 * 28 <= initiation_interval(graph) <= 1.1 * 28 * 28


def test_a_window_may_be_the_slowest_where_no_matrix_layer_is_as_slow() -> None:
    images = absorb_offsets(random_cnn(1, (9, 9, 1), (Conv(1, 3, 9), Dense(2))))
    graph = fold(images, ULX3S, Target(clock_mhz=80))
    assert slowest(graph) == (9, 81)
    assert initiation_interval(graph) == 81
    with pytest.raises(FoldingError, match="the best possible is 987654 at 80 MHz"):
        fold(images, ULX3S, Target(fps=1e6, clock_mhz=80))


def test_a_folding_sets_what_windows_hold_and_write() -> None:
    graph = fold(absorb_offsets(lenet()), ULX3S, Target(fps=50_000, clock_mhz=80))
    streams = graph.streams
    for layer in graph.layers:
        if not isinstance(layer, SlidingWindow):
            continue
        written, read = streams[layer.outputs[0]], streams[layer.inputs[0]]
        assert layer.depth == rows_held(layer.window, layer.channels, layer.simd)
        assert written.shape == layer.shape_out
        assert written.beat == layer.simd
        if layer.inputs[0] == graph.input:
            assert read.beat == layer.word
        reader = next(n for n in graph.layers if n.inputs == layer.outputs)
        if isinstance(reader, Pool):
            assert (reader.pe, reader.pe * reader.simd) == (layer.word, layer.simd)


DEPTHWISE = (Conv(8, 3, 1, 1), Depthwise(3, 1, 1), Conv(12, 1), PixelSum(), Dense(10))


@pytest.mark.parametrize("lanes", [Lanes(4, 1), Lanes(8, 3), Lanes(8, 9)])
def test_a_depthwise_layer_is_pinned_with_its_window(lanes: Lanes) -> None:
    images = absorb_offsets(random_cnn(1, (8, 8, 4), DEPTHWISE))
    target = Target(clock_mhz=80, pins={"layer1": lanes})
    graph = fold(images, ULX3S, target)
    window, layer = (n for n in graph.layers if n.name.startswith("layer1"))
    assert isinstance(layer, Vvau)
    assert isinstance(window, SlidingWindow)
    assert (layer.pe, layer.simd) == lanes
    assert window.simd == lanes.pe * lanes.simd
    assert graph.streams["layer1.windows"].shape == (
        8,
        8,
        8 // lanes.pe,
        3,
        3,
        lanes.pe,
    )


@pytest.mark.parametrize(
    ("name", "lanes", "message"),
    [
        ("layer1", Lanes(3, 1), "PE=3 does not divide 8 channels. Choose one of 1, 2"),
        ("layer1", Lanes(4, 9), "PE=4 and SIMD=9 do not go together. Choose one of 1 "),
        ("layer1.window", Lanes(1, 1), "no such layer. Choose one of layer0, layer1,"),
        ("layer3", Lanes(1, 1), "no such layer. Choose one of layer0, layer1, layer2"),
    ],
)
def test_an_illegal_pin_of_an_image_network_is_refused(
    name: str, lanes: Lanes, message: str
) -> None:
    images = absorb_offsets(random_cnn(1, (8, 8, 4), DEPTHWISE))
    with pytest.raises(FoldingError, match=f"{name}: {message}"):
        fold(images, ULX3S, Target(clock_mhz=80, pins={name: lanes}))


def test_pins_with_which_a_window_is_the_slowest_are_refused() -> None:
    images = absorb_offsets(random_cnn(1, (8, 8, 4), (Conv(8, 3), Dense(10))))
    pins = {"layer0": Lanes(8, 36), "layer1": Lanes(10, 288)}
    message = "layer0.window: takes 64 cycles a frame at its widest, but the slowest"
    with pytest.raises(FoldingError, match=message):
        fold(images, ULX3S, Target(clock_mhz=80, pins=pins))
    slower = {**pins, "layer1": Lanes(1, 36)}
    graph = fold(images, ULX3S, Target(clock_mhz=80, pins=slower))
    assert initiation_interval(graph) == 80


def test_pins_that_miss_a_target_are_refused_with_what_they_reach() -> None:
    pins = {"layer0": Lanes(1, 1)}
    with pytest.raises(FoldingError, match="the best possible is 5859 at 24 MHz"):
        fold(digits(), ICEBREAKER, Target(fps=50_000, clock_mhz=24, pins=pins))
