# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest

from hwgq.compile.graph import ElementType, Fifo, Graph, Stream, WidthConverter
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.passes.size_fifos import size_fifos
from hwgq.compile.schedule import (
    Queue,
    Reader,
    fifos_needed,
    initiation_interval,
    layer_cycles,
)
from hwgq.errors import UnsupportedLayerError
from tests.compile.graphs import placed, random_mlp, with_lanes
from tests.compile.test_emulate import residual_graph


def chain(sizes: tuple[int, ...], lanes: list[tuple[int, int]]) -> Graph:
    return with_lanes(absorb_offsets(random_mlp(1, sizes)), lanes)


def test_the_slowest_layer_sets_the_interval() -> None:
    graph = chain((64, 64, 10), [(8, 16), (1, 16)])
    assert [layer_cycles(graph, n) for n in graph.layers] == [32, 40]
    assert initiation_interval(graph) == 40


def test_a_layer_writes_at_the_end_of_every_round() -> None:
    reader = Reader(beats=2, groups=3)
    assert reader.writes([0, 1, 10, 15]) == [2, 4, 6, 16, 18, 20]


def test_a_reader_that_takes_whole_frames_needs_no_fifo() -> None:
    # The converter fills with a frame while the reader works on the last one.
    assert fifos_needed(chain((64, 64, 10), [(2, 16), (1, 64)])) == {}


def test_beats_that_arrive_during_a_pause_wait_where_they_are_narrow() -> None:
    # 12 reads in 12 cycles, then a pause until the 288 of the frame are over.
    needed = fifos_needed(chain((20, 24, 24), [(1, 1), (1, 2)]))
    assert list(needed) == ["layer0.out"]
    assert needed["layer0.out"].beat == 1


def test_a_reader_of_several_beats_in_a_row_gets_them_behind_the_converter() -> None:
    # The converter needs 16 cycles for a beat and the reader both within 14.
    needed = fifos_needed(chain((64, 64, 64, 10), [(8, 16), (2, 64), (1, 32)]))
    assert needed == {"layer1.out": Queue(depth=1, beat=32)}


def test_a_fifo_stands_where_its_beats_are() -> None:
    def kinds(sizes: tuple[int, ...], lanes: list[tuple[int, int]]) -> list[str]:
        layers = placed(random_mlp(1, sizes), lanes).layers
        return [type(layer).__name__ for layer in layers]

    narrow_first = ["Mvau", "Fifo", "WidthConverter", "Mvau"]
    assert kinds((20, 24, 24), [(1, 1), (1, 2)]) == narrow_first
    narrow_last = ["Mvau", "WidthConverter", "Fifo", "Mvau"]
    assert kinds((30, 36, 12), [(6, 6), (4, 3)]) == narrow_last


def test_converters_and_fifos_get_names_that_nothing_has() -> None:
    graph = chain((20, 24, 24), [(1, 1), (1, 2)])
    taken = Stream(name="layer0.out.queued", shape=(1,), type=ElementType.unsigned(1))
    graph = insert_width_converters(size_fifos(graph.with_stream(taken)))
    fifo = next(n for n in graph.layers if isinstance(n, Fifo))
    assert fifo.outputs == ("layer0.out.queued.2",)
    converter = next(n for n in graph.layers if isinstance(n, WidthConverter))
    assert converter.inputs == fifo.outputs


def test_streams_whose_ends_agree_are_left_alone() -> None:
    graph = chain((16, 16, 4), [(4, 16), (4, 4)])
    assert insert_width_converters(graph) == graph


def test_a_layer_without_hardware_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedLayerError, match="fork: there is no hardware"):
        fifos_needed(residual_graph())


def test_the_interval_counts_streams_too() -> None:
    graph = chain((16, 4), [(4, 16)])
    slow = dataclasses.replace(graph.streams["layer0.out"], beat=1)
    converter = WidthConverter(name="c", inputs=("layer0.out",), outputs=("c",))
    graph = graph.with_stream(dataclasses.replace(slow, name="c"))
    graph = graph.replace(layers=(*graph.layers, converter), output="c")
    assert initiation_interval(graph) == 4
