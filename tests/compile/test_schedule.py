# SPDX-License-Identifier: Apache-2.0
import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from hwgq import boards
from hwgq.compile.fabric import Fabric
from hwgq.compile.fifo_depths import fifo_depths
from hwgq.compile.folding import Target
from hwgq.compile.graph import ElementType, Fifo, Graph, Stream, WidthConverter
from hwgq.compile.netlist import write_rtl
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.fold import fold
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.passes.place_memories import place_memories
from hwgq.compile.passes.size_fifos import size_fifos
from hwgq.compile.schedule import initiation_interval, layer_cycles, simulate
from hwgq.compile.simulate_rtl import Watch, simulate_rtl
from hwgq.errors import UnsupportedLayerError
from tests.compile.graphs import finished, placed, random_codes, random_mlp, with_lanes
from tests.compile.image_graphs import (
    Conv,
    Dense,
    Depthwise,
    Kind,
    MaxPool,
    PixelSum,
    cnv,
    lenet,
    random_cnn,
)
from tests.compile.test_emulate import residual_graph

FRAMES = 12


class Case(NamedTuple):
    sizes: tuple[int, ...]
    lanes: list[tuple[int, int]]


CASES = {
    "a wait behind a converter": Case((64, 64, 64, 10), [(8, 16), (2, 64), (1, 32)]),
    "a wait before a converter": Case((20, 24, 24, 12), [(1, 1), (1, 2), (12, 2)]),
    "beats that do not divide": Case((30, 36, 12, 36), [(6, 6), (4, 3), (36, 1)]),
    "no converter": Case((16, 16, 16, 4), [(4, 4), (4, 4), (2, 4)]),
    "a beat in every cycle": Case((15, 9, 12), [(9, 15), (12, 9)]),
}


class ImageCase(NamedTuple):
    image: tuple[int, int, int]
    kinds: tuple[Kind, ...]
    fps: float | None = None


IMAGES = {
    "pooling, as fast as it gets": ImageCase(
        (10, 10, 3), (Conv(8, 3), MaxPool(2), Conv(12, 3), Dense(10))
    ),
    "pooling": ImageCase(
        (10, 10, 3), (Conv(8, 3), MaxPool(2), Conv(12, 3), Dense(10)), 20_000
    ),
    "stride and padding": ImageCase(
        (9, 11, 4), (Conv(6, 3, 2, 1), Conv(8, 3, 1, 1), Dense(5))
    ),
    "depthwise": ImageCase(
        (8, 8, 4),
        (Conv(8, 3, 1, 1), Depthwise(3, 1, 1), Conv(12, 1), PixelSum(), Dense(10)),
        20_000,
    ),
}


def folded_images(case: ImageCase) -> Graph:
    graph = random_cnn(1, case.image, case.kinds, entry=ElementType.unsigned(15))
    fabric = Fabric.of(boards.load("ulx3s-85f"), quick=False)
    target = Target(fps=case.fps, clock_mhz=80)
    return fold(absorb_offsets(graph), fabric, target)


def folded(sizes: tuple[int, ...], lanes: list[tuple[int, int]]) -> Graph:
    return with_lanes(absorb_offsets(random_mlp(1, sizes)), lanes)


def with_depths(graph: Graph, depths: dict[str, int]) -> Graph:
    for layer in graph.layers:
        stream = graph.streams[layer.inputs[0]]
        if depth := depths.get(stream.name):
            name = f"{stream.name}.queued"
            fifo = Fifo(name=name, inputs=(stream.name,), outputs=(name,), depth=depth)
            queued = dataclasses.replace(stream, name=name)
            graph = graph.insert_before(layer.name, fifo, queued)
    return graph


def test_the_slowest_layer_sets_the_interval() -> None:
    graph = folded((64, 64, 10), [(8, 16), (1, 16)])
    assert [layer_cycles(graph, n) for n in graph.layers] == [32, 40]
    assert initiation_interval(graph) == 40


def test_the_interval_counts_streams_too() -> None:
    graph = folded((16, 4), [(4, 16)])
    slow = dataclasses.replace(graph.streams["layer0.out"], beat=1)
    converter = WidthConverter(name="c", inputs=("layer0.out",), outputs=("c",))
    graph = graph.with_stream(dataclasses.replace(slow, name="c"))
    graph = graph.replace(layers=(*graph.layers, converter), output="c")
    assert initiation_interval(graph) == 4


def check_against_rtl(graph: Graph, folder: Path) -> None:
    """Compare every frame's last cycle in the model and in the RTL."""
    write_rtl(graph, folder)
    codes = random_codes(graph, FRAMES)
    run = simulate_rtl(graph, folder, codes, watch=Watch.ENDS).run
    schedule = simulate(graph, frames=FRAMES)
    assert schedule.first_output == run.first_output_cycle
    beats = graph.streams[graph.output].beats
    assert schedule.ends == tuple(run.output_cycles[beats - 1 :: beats])
    assert schedule.latency == schedule.ends[0] + 1


@pytest.mark.parametrize("sized", [True, False], ids=["FIFOs", "no FIFOs"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_model_is_the_rtl_to_the_cycle(
    case: Case, sized: bool, tmp_path: Path
) -> None:
    graph = insert_width_converters(folded(*case))
    graph = place_memories(size_fifos(graph) if sized else graph)
    check_against_rtl(graph, tmp_path)
    if sized:
        assert simulate(graph, frames=20).interval == initiation_interval(graph)


@pytest.mark.parametrize("case", IMAGES.values(), ids=IMAGES)
def test_networks_for_images_keep_the_pace_in_the_rtl(
    case: ImageCase, tmp_path: Path
) -> None:
    graph = finished(folded_images(case))
    check_against_rtl(graph, tmp_path)
    assert simulate(graph, frames=20).interval == initiation_interval(graph)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_smaller_fifos_keep_the_pace(case: Case) -> None:
    graph = insert_width_converters(folded(*case))
    inner = [layer.inputs[0] for layer in graph.layers[1:]]
    check_smaller_fifos(graph, inner, part=1)


@pytest.mark.parametrize("case", IMAGES.values(), ids=IMAGES)
def test_no_fifo_of_images_could_be_a_tenth_smaller(case: ImageCase) -> None:
    graph = insert_width_converters(folded_images(case))
    check_smaller_fifos(graph, list(fifo_depths(graph)), part=1.1)


def check_smaller_fifos(graph: Graph, names: Sequence[str], part: float) -> None:
    """Try all FIFOs on these streams that take fewer bits; none keeps the pace."""
    widths = [graph.streams[name].width for name in names]

    def bits(depths: Iterable[int]) -> int:
        return sum(n * width for n, width in zip(depths, widths, strict=True))

    depths = fifo_depths(graph)
    taken = bits(depths.get(name, 0) for name in names)
    for tried in itertools.product(*(range(taken // w + 1) for w in widths)):
        if bits(tried) * part < taken:
            smaller = with_depths(graph, dict(zip(names, tried, strict=True)))
            schedule = simulate(smaller, frames=20)
            assert schedule.interval > initiation_interval(graph), tried


def test_without_fifos_the_pace_is_lost_where_they_are_due() -> None:
    graph = insert_width_converters(folded(*CASES["a wait before a converter"]))
    assert simulate(graph).interval > 1.2 * initiation_interval(graph)
    assert simulate(graph, unbounded=True).interval == initiation_interval(graph)


def test_what_waits_is_told_by_stream() -> None:
    graph = insert_width_converters(folded(*CASES["a wait before a converter"]))
    pace = initiation_interval(graph)
    waiting = simulate(graph, frames=12, pace=pace, unbounded=True).waiting
    assert waiting["layer0.out"] >= 1
    assert max(waiting.values()) <= max(s.beats for s in graph.streams.values())


def test_frames_that_come_slowly_leave_slowly() -> None:
    graph = placed(random_mlp(1, (16, 8, 4)), [(2, 4), (1, 8)])
    assert simulate(graph, pace=500).interval == 500


def test_a_reader_that_takes_whole_frames_needs_no_fifo() -> None:
    # The converter fills with a frame while the reader works on the last one.
    graph = insert_width_converters(folded((64, 64, 10), [(2, 16), (1, 64)]))
    assert fifo_depths(graph) == {}


def test_a_fifo_stands_where_its_beats_are() -> None:
    def kinds(sizes: tuple[int, ...], lanes: list[tuple[int, int]]) -> list[str]:
        layers = placed(random_mlp(1, sizes), lanes).layers
        return [type(layer).__name__ for layer in layers]

    narrow_first = ["Mvau", "Fifo", "WidthConverter", "Mvau"]
    assert kinds((20, 24, 24), [(1, 1), (1, 2)]) == narrow_first
    narrow_last = ["Mvau", "WidthConverter", "Fifo", "Mvau"]
    assert kinds((30, 36, 12), [(6, 6), (4, 3)]) == narrow_last


def test_converters_and_fifos_get_names_that_nothing_has() -> None:
    graph = folded((20, 24, 24), [(1, 1), (1, 2)])
    for name in ("layer0.out.queued", "layer0.out.converted"):
        taken = Stream(name=name, shape=(1,), type=ElementType.unsigned(1))
        graph = graph.with_stream(taken)
    _, fifo, converter, _ = finished(graph).layers
    assert fifo.outputs == ("layer0.out.queued.2",)
    assert converter.inputs == fifo.outputs
    assert converter.outputs == ("layer0.out.converted.2",)


def test_streams_whose_ends_agree_are_left_alone() -> None:
    graph = folded((16, 16, 4), [(4, 16), (4, 4)])
    assert insert_width_converters(graph) == graph


def test_a_layer_without_hardware_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedLayerError, match="fork: there is no hardware"):
        simulate(residual_graph())


def test_the_fifos_of_a_large_network_keep_its_rate() -> None:
    fabric = Fabric.of(boards.load("ulx3s-85f"), quick=False)
    target = Target(fps=1000, clock_mhz=80)
    graph = insert_width_converters(fold(absorb_offsets(cnv()), fabric, target))
    schedule = simulate(size_fifos(graph), frames=5)
    assert schedule.interval == initiation_interval(graph) <= 80_000


def test_a_network_of_images_is_as_fast_as_its_slowest_layer() -> None:
    fabric = Fabric.of(boards.load("ulx3s-85f"), quick=False)
    target = Target(fps=20_000, clock_mhz=80)
    graph = finished(fold(absorb_offsets(lenet()), fabric, target))
    assert simulate(graph, frames=8).interval == initiation_interval(graph) <= 4000
