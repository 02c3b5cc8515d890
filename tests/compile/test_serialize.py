# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgq.compile.graph import (
    Graph,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Window,
)
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.serialize import load_graph, save_graph
from hwgq.errors import StorageError
from tests.compile.graphs import random_mlp, random_vvau, with_lanes


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Graph, Path, Path]:
    graph = absorb_offsets(random_mlp(3, (20, 9, 4)))
    graph = insert_width_converters(with_lanes(graph, [(3, 5), (1, 9)]))
    save_graph(graph, tmp_path / "dataflow.json", tmp_path / "tensors")
    return graph, tmp_path / "dataflow.json", tmp_path / "tensors"


def test_a_graph_comes_back_as_it_was(saved: tuple[Graph, Path, Path]) -> None:
    graph, path, tensors = saved
    loaded = load_graph(path, tensors)
    assert loaded.replace(tensors={}) == graph.replace(tensors={})
    assert set(loaded.tensors) == set(graph.tensor_keys())
    for key, tensor in loaded.tensors.items():
        np.testing.assert_array_equal(tensor, graph.tensors[key])
        assert tensor.dtype == graph.tensors[key].dtype


def test_weights_take_a_bit_each(saved: tuple[Graph, Path, Path]) -> None:
    graph, _, tensors = saved
    key = next(graph.mvaus()).weights
    assert np.load(tensors / f"{key}.npy", allow_pickle=False).nbytes == -(-20 * 9 // 8)


def test_unused_tensors_are_not_kept(saved: tuple[Graph, Path, Path]) -> None:
    graph, _, tensors = saved
    assert {p.stem for p in tensors.iterdir()} == set(graph.tensor_keys())
    assert set(graph.tensor_keys()) < set(graph.tensors)


def test_a_changed_tensor_is_refused(saved: tuple[Graph, Path, Path]) -> None:
    graph, path, tensors = saved
    file = tensors / f"{next(graph.mvaus()).weights}.npy"
    data = bytearray(file.read_bytes())
    data[-3] ^= 4
    file.write_bytes(data)
    with pytest.raises(StorageError, match="does not hold what its name says"):
        load_graph(path, tensors)
    file.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        load_graph(path, tensors)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("layers", [{"kind": "Magic"}], "does not describe a graph"),
        ("streams", [3], "does not describe a graph"),
        ("tensors", {"../../x": {}}, "is no name of a tensor"),
        ("format", 99, "has format 99"),
    ],
)
def test_a_wrong_file_is_refused(
    saved: tuple[Graph, Path, Path], key: str, value: object, message: str
) -> None:
    _, path, tensors = saved
    table = json.loads(path.read_text())
    path.write_text(json.dumps({**table, key: value}))
    with pytest.raises(StorageError, match=message):
        load_graph(path, tensors)


def test_every_kind_of_layer_is_kept(tmp_path: Path) -> None:
    thresholding = Thresholding(
        name="t", inputs=("a",), outputs=("b",), channels=2, thresholds="x"
    )
    graph = Graph(layers=(), streams={}, input="a", output="b")
    graph, key = graph.with_tensor(np.array([[1], [2]]))
    window = Window(input=(5, 4), output=(3, 2), kernel=(3, 2), pad=(0, 1))
    ends: dict[str, Any] = {"inputs": ("a",), "outputs": ("b",)}
    layers = (
        dataclasses.replace(thresholding, thresholds=key),
        SlidingWindow(name="w", **ends, window=window, channels=2, pad_code=1),
        Pool(name="p", **ends, channels=2, taps=6, flips=key),
        SumPool(name="s", **ends, channels=2, pixels=6),
        next(iter(random_vvau(1, 4, 9, (2, 1)).layers)),
    )
    tensors = {**random_vvau(1, 4, 9, (2, 1)).tensors, **graph.tensors}
    graph = graph.replace(layers=layers, tensors=tensors)
    save_graph(graph, tmp_path / "g.json", tmp_path)
    assert load_graph(tmp_path / "g.json", tmp_path).layers == graph.layers
