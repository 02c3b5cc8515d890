# SPDX-License-Identifier: Apache-2.0
"""Counters of beats, stalls and FIFOs, held against every beat's own cycle."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgq.compile.emulate import emulate
from hwgq.compile.graph import Fifo, Graph
from hwgq.compile.netlist import core_map, write_rtl
from hwgq.compile.simulate_rtl import Simulation, Watch, simulate_rtl
from hwgq.compile.verilator import Stalls
from tests.compile.graphs import placed, random_codes, random_mlp

LAYERS = 12
FRAMES = 30


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, Path]:
    """Make a chain of more streams than a word has bits, with FIFOs of some depths."""
    sizes = (24, *[24, 12] * (LAYERS // 2))
    lanes = [(2, 4), (12, 3), (3, 4), (4, 1)] * (LAYERS // 4)
    graph = placed(random_mlp(5, sizes), lanes)
    for layer, depth in zip(graph.layers[1:], itertools.cycle((1, 2, 7, 40))):
        stream = graph.streams[layer.inputs[0]]
        queued = dataclasses.replace(stream, name=f"{stream.name}.queued")
        ends = {"inputs": (stream.name,), "outputs": (queued.name,)}
        fifo = Fifo(name=queued.name, **ends, depth=depth)
        graph = graph.insert_before(layer.name, fifo, queued)
    assert len(graph.streams) > 32
    rtl = tmp_path_factory.mktemp("rtl")
    write_rtl(graph, rtl)
    return graph, rtl


def simulated(chain: tuple[Graph, Path], **options: Any) -> Simulation:
    graph, rtl = chain
    codes = random_codes(graph, FRAMES)
    return simulate_rtl(graph, rtl, codes, optimize=False, **options)


@pytest.mark.parametrize("stalls", [None, Stalls(seed=1)])
def test_counters_are_what_the_cycles_of_the_beats_say(
    chain: tuple[Graph, Path], stalls: Stalls | None
) -> None:
    graph, _ = chain
    watched = simulated(chain, stalls=stalls, timed=True)
    for name, number in core_map(graph).items():
        beats = watched.run.streams[f"s{number}"].beats
        assert beats == len(watched.run.tap_cycles[f"s{number}"]), name
    for layer in graph.layers:
        if isinstance(layer, Fifo):
            ends = (*layer.inputs, *layer.outputs)
            came, went = (watched.cycles[name] for name in ends)
            cycles = np.arange(watched.run.cycles)
            held = np.searchsorted(came, cycles, "right")
            held -= np.searchsorted(went, cycles, "right")
            found = watched.run.queues[layer.name]
            assert found.most == held.max() <= layer.depth
            # A beat that enters in a cycle is there in those that follow.
            assert found.mean == pytest.approx(held[:-1].sum() / len(held), rel=1e-12)


@pytest.mark.parametrize("stalls", [None, Stalls(seed=1)])
def test_counting_without_reading_counts_the_same(
    chain: tuple[Graph, Path], stalls: Stalls | None
) -> None:
    graph, _ = chain
    read, counted, ends = (
        simulated(chain, stalls=stalls, watch=watch)
        for watch in (Watch.BEATS, Watch.TRAFFIC, Watch.ENDS)
    )
    expected = emulate(graph, random_codes(graph, FRAMES))[graph.output]
    for found in (read, counted, ends):
        np.testing.assert_array_equal(found.codes[graph.output], expected)
        assert found.run.streams["in"] == read.run.streams["in"]
    assert counted.run.cycles == ends.run.cycles
    assert not counted.run.taps
    assert not ends.run.queues
    if counted.run.cycles == read.run.cycles:
        assert counted.run.streams == read.run.streams
        assert counted.run.queues == read.run.queues


def test_blocked_and_starved_are_all_cycles_in_which_one_end_alone_was_there(
    chain: tuple[Graph, Path],
) -> None:
    graph, _ = chain
    run = simulated(chain, watch=Watch.TRAFFIC).run
    entry, result = run.streams["s0"], run.streams[f"s{core_map(graph)[graph.output]}"]
    assert entry == run.streams["in"]
    assert result == run.streams["out"]
    # The source is always there, and the sink is, too.
    assert entry.starved <= run.cycles - entry.beats - entry.blocked
    assert result.beats + result.starved == run.cycles
    assert result.blocked == 0
