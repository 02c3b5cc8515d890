# SPDX-License-Identifier: Apache-2.0
import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from hwgq import boards
from hwgq.compile.emulate import emulate
from hwgq.compile.fabric import Fabric
from hwgq.compile.folding import Target
from hwgq.compile.graph import (
    BIPOLAR,
    ElementType,
    Graph,
    Stream,
    SumPool,
    Thresholding,
)
from hwgq.compile.netlist import write_rtl
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.fold import fold
from hwgq.compile.passes.place_memories import place_memories
from hwgq.compile.schedule import initiation_interval
from hwgq.compile.simulate_rtl import Simulation, Watch, simulate_rtl
from hwgq.compile.verilator import Stalls
from hwgq.errors import StorageError
from tests.compile.graphs import (
    disagreements,
    finished,
    placed,
    random_codes,
    random_mlp,
    random_vvau,
)
from tests.compile.image_graphs import Conv, random_cnn

FRAMES = 40


class Case(NamedTuple):
    sizes: tuple[int, ...]
    lanes: list[tuple[int, int]]
    entry: ElementType = ElementType.unsigned(16)
    steps: int = 3
    logits: bool = True
    weight_bits: int = 1


CASES = {
    "digits": Case((64, 64, 64, 10), [(8, 16), (2, 64), (1, 32)]),
    "all in a cycle": Case((15, 9, 12), [(9, 15), (12, 9)], ElementType.unsigned(2), 7),
    "bipolar": Case((30, 36, 12, 36), [(6, 6), (4, 3), (36, 1)], BIPOLAR, 1, False),
    "8-bit, one lane": Case(
        (20, 24, 24, 12), [(1, 1), (1, 2), (12, 2)], ElementType.unsigned(255)
    ),
    "signed, beats that do not divide": Case(
        (85, 36, 12, 12), [(4, 17), (3, 9), (3, 2)], ElementType.unsigned(15, offset=-8)
    ),
    "2-bit weights": Case((32, 24, 10), [(4, 16), (2, 12)], weight_bits=2),
    "4-bit weights, signed": Case(
        (30, 12, 8),
        [(3, 5), (8, 4)],
        ElementType.unsigned(15, offset=-8),
        weight_bits=4,
    ),
    "8-bit weights, bipolar": Case(
        (12, 8, 6), [(2, 6), (6, 2)], BIPOLAR, 1, weight_bits=8
    ),
    "15 levels": Case((20, 36, 10), [(4, 10), (1, 18)], steps=15, logits=False),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def build(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Graph, Path]:
    case: Case = request.param
    graph = placed(
        random_mlp(
            1,
            case.sizes,
            entry=case.entry,
            steps=case.steps,
            logits=case.logits,
            weight_bits=case.weight_bits,
        ),
        case.lanes,
    )
    rtl = tmp_path_factory.mktemp("rtl")
    write_rtl(graph, rtl)
    return graph, rtl


def run(graph: Graph, rtl: Path, stalls: Stalls | None = None) -> Simulation:
    codes = random_codes(graph, FRAMES)
    simulation = simulate_rtl(graph, rtl, codes, stalls=stalls)
    found = disagreements(emulate(graph, codes), simulation.codes)
    assert set(found) == set(graph.streams)
    assert all(difference == (0, None) for difference in found.values()), found
    return simulation


def test_every_stream_equals_emulation_and_frames_follow_at_the_interval(
    build: tuple[Graph, Path],
) -> None:
    simulation = run(*build)
    assert simulation.interval(build[0]) == initiation_interval(build[0])


def test_stalls_at_both_ends_change_nothing(build: tuple[Graph, Path]) -> None:
    result = run(*build, stalls=Stalls(seed=3)).run
    assert result.input_stalls > 0.3 * result.cycles
    assert result.output_stalls > 0.3 * result.cycles


def test_one_flipped_weight_bit_in_an_image_is_seen(tmp_path: Path) -> None:
    graph = placed(random_mlp(3, (16, 8, 4)), [(2, 4), (1, 8)])
    write_rtl(graph, tmp_path)
    image = tmp_path / "w0.hex"
    text = image.read_text()
    image.write_text(f"{int(text[0], 16) ^ 1:x}{text[1:]}")
    codes = random_codes(graph, 50)
    got = simulate_rtl(graph, tmp_path, codes).codes
    count, first = disagreements(emulate(graph, codes), got)["layer0.out"]
    assert count > 0
    assert first is not None


def test_without_taps_the_output_alone_is_read(tmp_path: Path) -> None:
    graph = placed(random_mlp(3, (16, 8, 4)), [(2, 4), (1, 8)])
    write_rtl(graph, tmp_path)
    codes = random_codes(graph, 5)
    got = simulate_rtl(graph, tmp_path, codes, watch=Watch.ENDS).codes
    assert list(got) == [graph.output]
    np.testing.assert_array_equal(
        got[graph.output], emulate(graph, codes)[graph.output]
    )


def test_a_thresholding_before_a_layer_equals_emulation(tmp_path: Path) -> None:
    graph = random_mlp(5, (12, 6), entry=ElementType.unsigned(3), logits=False)
    thresholds = np.array([[2, 5, 9], [0, 1, 15], [32, 32, 32], [3, 3, 3]] * 3)
    graph, key = graph.with_tensor(thresholds)
    quantizer = Thresholding(
        name="quantizer",
        inputs=("pixels",),
        outputs=("image",),
        channels=12,
        thresholds=key,
        pe=3,
    )
    pixels = Stream(name="pixels", shape=(12,), type=ElementType.unsigned(31), beat=3)
    quantized = dataclasses.replace(graph.streams["image"], beat=3)
    graph = graph.with_stream(pixels).with_stream(quantized)
    graph = graph.replace(layers=(quantizer, *graph.layers), input="pixels")
    graph = placed(graph, [(2, 4)])
    write_rtl(graph, tmp_path)
    assert run(graph, tmp_path).interval(graph) == initiation_interval(graph)


@pytest.mark.parametrize(("weight_bits", "lanes"), [(1, (2, 1)), (3, (6, 3))])
def test_a_depthwise_layer_and_a_sum_equal_emulation(
    weight_bits: int, lanes: tuple[int, int], tmp_path: Path
) -> None:
    graph = absorb_offsets(random_vvau(2, 6, 9, lanes, weight_bits=weight_bits))
    total = Stream(
        name="total", shape=(6,), type=ElementType.unsigned(18), beat=lanes[0]
    )
    pooling = SumPool(
        name="pool",
        inputs=("out",),
        outputs=("total",),
        channels=6,
        pixels=6,
        pe=lanes[0],
    )
    graph = graph.with_stream(total).replace(
        layers=(*graph.layers, pooling), output="total"
    )
    graph = place_memories(graph)
    write_rtl(graph, tmp_path)
    assert run(graph, tmp_path).interval(graph) == initiation_interval(graph)
    run(graph, tmp_path, stalls=Stalls(seed=3))


@pytest.mark.parametrize(
    ("size", "kinds"),
    [
        pytest.param(8, (Conv(2, 1), Conv(2, 1, 4)), id="last rows that none needs"),
        pytest.param(3, (Conv(2, 1, 3, 1), Conv(2, 1, 2)), id="padding alone"),
    ],
)
def test_streams_are_whole_though_the_output_does_not_wait_for_them(
    size: int, kinds: tuple[Conv, ...], tmp_path: Path
) -> None:
    image = random_cnn(1, (size, size, 2), kinds, entry=ElementType.unsigned(3))
    fabric = Fabric.of(boards.load("icebreaker"), quick=False)
    target = Target(fps=10_000, clock_mhz=12)
    graph = finished(fold(absorb_offsets(image), fabric, target))
    write_rtl(graph, tmp_path)
    run(graph, tmp_path)


def test_a_folder_that_is_no_build_is_refused(tmp_path: Path) -> None:
    graph = placed(random_mlp(3, (16, 4)), [(2, 4)])
    with pytest.raises(StorageError, match="is no folder of generated RTL"):
        simulate_rtl(graph, tmp_path, random_codes(graph, 1))
