# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np
import pytest

from hwgq.compile import emulate as emulation
from hwgq.compile.emulate import Emulator, emulate
from hwgq.compile.graph import (
    Add,
    ElementType,
    Fifo,
    Fork,
    Graph,
    Stream,
    SumPool,
    Thresholding,
    Vvau,
    WidthConverter,
)
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.errors import DataError
from tests.compile.by_definition import by_definition
from tests.compile.graphs import disagreements, random_codes, random_mlp, random_vvau
from tests.compile.image_graphs import Conv, Dense, MaxPool, random_cnn


def residual_graph() -> Graph:
    """Fork an input, threshold one branch, add, threshold the sum."""
    four = ElementType.unsigned(3)
    two = ElementType.unsigned(1, step=2, offset=-1)
    total = ElementType.unsigned(6, offset=-1)
    streams = [
        Stream(name=name, shape=(2, 3), type=element, beat=3)
        for name, element in {
            "in": four, "skip": four, "branch": four, "sign": two, "held": two,
            "sum": total, "out": two,
        }.items()
    ]  # fmt: skip
    return Graph(
        layers=(
            Fork(name="fork", inputs=("in",), outputs=("skip", "branch")),
            Thresholding(
                name="quantize",
                inputs=("branch",),
                outputs=("sign",),
                channels=3,
                thresholds="t1",
            ),
            Fifo(name="fifo", inputs=("sign",), outputs=("held",), depth=4),
            Add(name="add", inputs=("skip", "held"), outputs=("sum",)),
            Thresholding(
                name="requantize",
                inputs=("sum",),
                outputs=("out",),
                channels=3,
                thresholds="t2",
            ),
        ),
        streams={s.name: s for s in streams},
        input="in",
        output="out",
        tensors={
            "t1": np.array([[1], [2], [4]]),
            "t2": np.array([[1], [3], [5]]),
        },
    )


def test_a_fork_and_an_add_made_by_hand_are_emulated() -> None:
    codes = np.array([[[0, 1, 2], [3, 3, 3]], [[1, 2, 0], [2, 0, 1]]])
    got = emulate(residual_graph(), codes)
    signs = (codes >= np.array([1, 2, 4])).astype(int)
    np.testing.assert_array_equal(got["sign"], signs)
    values = codes + (2 * signs - 1)
    np.testing.assert_array_equal(got["sum"], values + 1)
    np.testing.assert_array_equal(got["out"], values + 1 >= np.array([1, 3, 5]))


@pytest.mark.parametrize("absorbed", [False, True])
@pytest.mark.parametrize("weight_bits", [1, 3])
def test_a_depthwise_layer_is_emulated_channel_by_channel(
    weight_bits: int, absorbed: bool
) -> None:
    graph = random_vvau(3, 4, 5, (2, 1), steps=0, weight_bits=weight_bits)
    codes = random_codes(graph, 7)
    (layer,) = graph.layers
    assert isinstance(layer, Vvau)
    weights = graph.tensors[layer.weights].astype(np.int64)
    if weight_bits == 1:
        weights = 2 * weights - 1
    expected = np.zeros((7, 2, 3, 4), dtype=np.int64)
    for channel in range(4):
        taps = codes[:, :, :, channel // 2, 0, :, channel % 2]
        expected[..., channel] = taps @ weights[channel]
    run = absorb_offsets(graph) if absorbed else graph
    np.testing.assert_array_equal(emulate(run, codes)["out"], expected)


def test_a_sum_pool_adds_the_pixels_of_each_channel() -> None:
    entry = Stream(name="a", shape=(2, 3, 4), type=ElementType.unsigned(3, offset=-2))
    total = Stream(name="b", shape=(4,), type=ElementType.unsigned(18, offset=-12))
    layer = SumPool(name="sum", inputs=("a",), outputs=("b",), channels=4, pixels=6)
    streams = {"a": entry, "b": total}
    graph = Graph(layers=(layer,), streams=streams, input="a", output="b")
    codes = random_codes(graph, 5)
    got = emulate(graph, codes)["b"]
    np.testing.assert_array_equal(got, codes.sum(axis=(1, 2)))
    values = entry.type.values(codes).sum(axis=(1, 2))
    np.testing.assert_array_equal(total.type.values(got), values)


def test_repacking_does_not_change_a_stream() -> None:
    stream = Stream(name="a", shape=(6,), type=ElementType.unsigned(3), beat=2)
    streams = {"a": stream, "b": stream}
    layer = WidthConverter(name="dwc", inputs=("a",), outputs=("b",))
    graph = Graph(layers=(layer,), streams=streams, input="a", output="b")
    codes = random_codes(graph, 4)
    np.testing.assert_array_equal(emulate(graph, codes)["b"], codes)


def test_an_image_is_flattened_for_the_first_layer() -> None:
    graph = random_mlp(1, (64, 4))
    image = Stream(name="image", shape=(8, 8), type=graph.streams["image"].type)
    square = graph.replace(streams={**graph.streams, "image": image})
    codes = random_codes(square, 5)
    flat = emulate(graph, codes.reshape(5, 64))[graph.output]
    np.testing.assert_array_equal(emulate(square, codes)[graph.output], flat)


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (
            np.zeros((2, 5), dtype=np.int64),
            r"frames have shape \(5,\), .* takes \(4,\)",
        ),
        (np.full((2, 4), 17), "codes reach from 17 to 17, not 0 to 16"),
        (np.full((2, 4), -1), "codes reach from -1 to -1, not 0 to 16"),
        (np.zeros((2, 4)), "codes are of the type float64"),
    ],
)
def test_a_wrong_input_is_refused(codes: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        emulate(random_mlp(1, (4, 2)), codes)


def test_disagreements_are_counted_and_located() -> None:
    a = np.arange(6).reshape(2, 3)
    b = a.copy()
    b[1, 2] = 0
    found = disagreements({"x": a, "y": a, "z": a}, {"y": b, "x": a})
    assert found == {"x": (0, None), "y": (1, (1, 2))}


def test_one_changed_weight_changes_the_answers() -> None:
    graph = absorb_offsets(random_mlp(9, (64, 64, 10)))
    codes = random_codes(graph, 100)
    key = next(graph.mvaus()).weights
    weights = graph.tensors[key].copy()
    weights[3, 5] ^= True
    changed = graph.replace(tensors={**graph.tensors, key: weights})
    found = disagreements(emulate(graph, codes), emulate(changed, codes))
    count, first = found["layer0.out"]
    assert count > 0
    assert first is not None
    assert first[1] == 3


@pytest.mark.parametrize("block", [1, 10_000, 1 << 20])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_neither_threads_nor_blocks_nor_other_frames_change_a_frame(
    threads: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulation, "BLOCK_BYTES", block)
    kinds = (Conv(6, 3), MaxPool(2), Dense(20), Dense(3))
    emulator = Emulator.of(absorb_offsets(random_cnn(1, (8, 8, 3), kinds)))
    codes = random_codes(emulator.graph, 23)
    expected = by_definition(emulator.graph, codes)[emulator.graph.output]
    for frames in (0, 1, 2, 5, 23):
        got = emulator.run(codes[:frames], threads=threads)
        np.testing.assert_array_equal(got, expected[:frames])


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_any_type_of_integers_is_taken(dtype: type) -> None:
    graph = absorb_offsets(random_mlp(1, (70, 20, 4)))
    codes = random_codes(graph, 9)
    expected = emulate(graph, codes)[graph.output]
    got = Emulator.of(graph).run(codes.astype(dtype))
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, expected)


def test_emulation_imports_neither_torch_nor_finn() -> None:
    code = (
        "import sys, hwgq.compile.emulate;"
        "sys.exit(bool({'torch', 'finn', 'brevitas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
