# SPDX-License-Identifier: Apache-2.0
"""The deployable form computes what was packed, bit for bit."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from hwgq.errors import StorageError
from hwgq.train import reference
from hwgq.train.deployed import pack, unpack
from hwgq.train.models import Style, build
from hwgq.train.qonnx_writer import export_network

SHAPE = (1, 16, 16)
STYLES = (
    Style(),
    Style(activation="sign", affine=True),
    Style(ends="paper"),
    Style(spacing="lloyd-max"),
)


def trained(style, seed=0):
    """Make a small CNN with weights and statistics as after some steps."""
    torch.manual_seed(seed)
    model = build("cnn", SHAPE, 5, style, width=0.3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(3):
            model(torch.randint(0, 256, (32, *SHAPE)).float())
    return model.eval()


def images(n=40):
    return np.random.default_rng(0).integers(0, 256, (n, *SHAPE)).astype(np.uint8)


@pytest.mark.parametrize("style", STYLES, ids=lambda s: f"{s.activation} {s.ends}")
def test_what_is_unpacked_computes_the_same(style):
    model = trained(style)
    before = copy.deepcopy(model.state_dict())
    data = pack(model)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    other = trained(style, seed=1)
    unpack(other, data, "packed")
    x = torch.from_numpy(images()).float()
    with torch.no_grad():
        assert torch.equal(model(x), other(x))
    exact, again = reference(model, images()), reference(other, images())
    assert np.array_equal(exact.logits, again.logits)
    for name, codes in exact.levels.items():
        assert np.array_equal(codes, again.levels[name])
    assert pack(other) == data
    copied = copy.deepcopy(other)
    with torch.no_grad():
        assert torch.equal(copied(x), model(x))


def test_the_exported_network_has_the_packed_signs_and_scales():
    model, other = trained(Style()), trained(Style(), seed=1)
    unpack(other, pack(model), "packed")
    both = [reference(m, images()).logits for m in (model, other)]
    assert np.array_equal(*both)
    # Latent weights differ, scales and signs do not: files of the deployed one agree.
    assert export_network(other, SHAPE, 8) == export_network(
        copy.deepcopy(other), SHAPE, 8
    )


def test_a_weight_takes_a_bit():
    model = trained(Style())
    tensors = load(pack(model))
    for name, layer in model.named_children():
        if hasattr(layer, "signs"):
            assert tensors[f"{name}.signs"].numel() == -(-layer.weight.numel() // 8)
            assert f"{name}.weight" not in tensors
    assert not any("num_batches_tracked" in name for name in tensors)


def test_foreign_and_damaged_files_are_refused():
    model = trained(Style())
    data = pack(model)
    for bad, message in [
        (data[:-100], "is no safetensors file"),
        (b"", "is no safetensors file"),
        (pack(trained(Style(ends="paper"))), "conv1.signs is missing"),
        (pack(build("cnn", SHAPE, 5, Style(), width=0.5)), "conv1.signs has shape"),
        (save({**load(data), "more": torch.ones(1)}), "holds more, which the network"),
    ]:
        with pytest.raises(StorageError, match=message):
            unpack(trained(Style()), bad, "packed")
