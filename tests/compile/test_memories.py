# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hwgq.compile.graph import Graph, Mvau, Vvau
from hwgq.compile.memories import hex_words, memory_images, parameter_bits, weight_bits
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from tests.compile.graphs import random_mlp, random_vvau, with_lanes


@pytest.fixture(params=[(1, 1), (2, 5), (6, 20), (3, 4)])
def graph(request: pytest.FixtureRequest) -> Graph:
    network = absorb_offsets(random_mlp(4, (20, 6, 3)))
    return with_lanes(network, [request.param, (1, 6)])


def words(text: str) -> list[int]:
    return [int(line, 16) for line in text.splitlines()]


def test_every_weight_lies_where_the_datapath_reads_it(graph: Graph) -> None:
    layer = next(graph.mvaus())
    weights = graph.tensors[layer.weights]
    image = words(memory_images(graph)["w0.hex"])
    assert len(image) == layer.cycles
    for row in range(layer.rows):
        for column in range(layer.columns):
            nf, p = divmod(row, layer.pe)
            sf, s = divmod(column, layer.simd)
            word = image[nf * layer.synapse_folds + sf]
            assert word >> (p * layer.simd + s) & 1 == weights[row, column]


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_every_bit_of_a_weight_lies_in_its_plane(bits: int) -> None:
    network = absorb_offsets(random_mlp(4, (20, 6, 3), weight_bits=bits))
    graph = with_lanes(network, [(2, 5), (1, 6)])
    check_planes(graph, next(graph.mvaus()))


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("lanes", [(2, 1), (6, 3)])
def test_a_channel_of_a_vvau_is_a_row_and_a_tap_a_column(
    bits: int, lanes: tuple[int, int]
) -> None:
    graph = absorb_offsets(random_vvau(4, 6, 9, lanes, weight_bits=bits))
    (layer,) = graph.layers
    assert isinstance(layer, Vvau)
    check_planes(graph, layer)
    assert len(parameter_bits(graph, layer)) == layer.neuron_folds


def check_planes(graph: Graph, layer: Mvau | Vvau) -> None:
    """Look every bit of every weight up in the memory image."""
    image = words(memory_images(graph)["w0.hex"])
    assert len(image) == layer.cycles
    weights, lanes = graph.tensors[layer.weights], layer.pe * layer.simd
    for (row, column), weight in np.ndenumerate(weights):
        nf, p = divmod(row, layer.pe)
        sf, s = divmod(column, layer.simd)
        word = image[nf * layer.synapse_folds + sf]
        for k in range(layer.weight_bits):
            bit = word >> (k * lanes + p * layer.simd + s) & 1
            assert bit == int(weight) >> k & 1


def test_every_threshold_lies_where_the_comparator_reads_it(graph: Graph) -> None:
    layer = next(graph.mvaus())
    assert layer.thresholds is not None
    thresholds = graph.tensors[layer.thresholds]
    image = words(memory_images(graph)["p0.hex"])
    assert len(image) == layer.neuron_folds
    bits = layer.accumulator.bits
    for (row, j), threshold in np.ndenumerate(thresholds):
        nf, p = divmod(row, layer.pe)
        field = image[nf] >> ((p * 3 + j) * bits)
        assert field % (1 << bits) == threshold


def test_biases_are_in_twos_complement(graph: Graph) -> None:
    layer = list(graph.mvaus())[1]
    assert layer.bias is not None
    width = graph.streams[layer.outputs[0]].type.bits
    image = words(memory_images(graph)["p1.hex"])
    biases = graph.tensors[layer.bias]
    assert image == [int(b) % (1 << width) for b in biases]
    assert (biases < 0).any()


def test_words_are_written_with_as_many_digits_as_they_need() -> None:
    bits = np.array([[1, 0, 0, 0, 1], [0, 1, 0, 1, 0]], dtype=bool)
    assert hex_words(bits) == "11\n0a\n"
    assert hex_words(np.ones((1, 4), dtype=bool)) == "f\n"
    assert hex_words(np.ones((1, 13), dtype=bool)) == "1fff\n"


def test_images_have_the_shape_of_the_memories(graph: Graph) -> None:
    for layer in graph.mvaus():
        assert isinstance(layer, Mvau)
        lanes = layer.pe * layer.simd
        assert weight_bits(graph, layer).shape == (layer.cycles, lanes)
        assert len(parameter_bits(graph, layer)) == layer.neuron_folds
