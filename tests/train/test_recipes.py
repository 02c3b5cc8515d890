# SPDX-License-Identifier: Apache-2.0
"""Every shipped recipe learns and is exported, and its float network learns too."""

import struct

import numpy as np
import pytest
import torch

from hwgq.storage import read_json, read_npz
from hwgq.train import train
from hwgq.train.accuracy import float_beside
from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear
from hwgq.train.networks import load_data, make_network
from hwgq.train.recipe import load_recipe, names
from hwgq.train.runs import load_run
from hwgq.train.trainer import fit, share_right

TRAIN, TEST = 120, 10
"""Images of the public data sets' parts, of ten classes."""

HEAVY = {"cnv": 0.125, "vgg-small": 0.125}
"""Widths at which a step of these networks is quick."""

IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def made(count, shape):
    """Make random images and labels, every class as often."""
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (count, *shape), np.uint8)
    return images, (np.arange(count) % 10).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Files of each data set that the recipes name, but tiny."""
    folder = tmp_path_factory.mktemp("data")
    parts = *made(TRAIN, (28, 28)), *made(TEST, (28, 28))
    for name, array in zip(IDX, parts, strict=True):
        head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (folder / f"{name}-ubyte").write_bytes(head + array.tobytes())
    files = {"digits": None, "mnist": folder, "fashion-mnist": folder}
    for name, shape in (("cifar10", (32, 32, 3)), ("npz", (4, 6))):
        files[name] = folder / f"{name}.npz"
        (images, labels), (tests, right) = made(TRAIN, shape), made(TEST, shape)
        kept = {"train_images": images, "train_labels": labels}
        np.savez(files[name], **kept, test_images=tests, test_labels=right)
    return files


def shortened(recipe, dataset):
    """Change a recipe to one epoch of two steps, and its network to a slim one."""
    batch = len(dataset.train) // 2
    steps = {"epochs": 1, "batch": batch, "restarts": (), "compile": False}
    width = HEAVY.get(recipe.network.model, recipe.network.width)
    changes = {
        "schedule": recipe.schedule.model_copy(update=steps),
        "network": recipe.network.model_copy(update={"width": width}),
    }
    return recipe.model_copy(update=changes)


def weights(model):
    return {n: p.detach() for n, p in model.named_parameters() if p.ndim > 1}


@pytest.mark.parametrize("name", names())
def test_a_shipped_recipe_learns_and_is_exported(name, data, tmp_path):
    recipe, file = load_recipe(name), data[load_recipe(name).data.set]
    dataset = load_data(recipe, file)
    short = shortened(recipe, dataset)
    run = train(short, data=file, out=tmp_path / "run")
    assert len(read_json(run / "metrics.json")["epochs"]) == 1
    lines = (run / "logs" / "metrics.csv").read_text().splitlines()
    step = lines[0].split(",").index("step")
    assert [line.split(",")[step] for line in lines[1:]] == ["1"]  # the second one

    torch.manual_seed(0)
    before, after = make_network(short, dataset), load_run(run).model
    for path, weight in weights(after).items():
        assert weight.isfinite().all()
        assert not torch.equal(weight, weights(before)[path]), path
    assert (run / "network.onnx").exists()  # the export has executed it with qonnx
    assert len(read_npz(run / "samples.npz")["logits"]) == len(dataset.test)


@pytest.mark.parametrize("name", names())
def test_the_float_network_beside_a_shipped_recipe_learns(name, data):
    recipe = load_recipe(name)
    dataset = load_data(recipe, data[recipe.data.set])
    plain = fit(float_beside(shortened(recipe, dataset)), dataset, 0)
    assert np.isfinite(plain.epochs[0].loss)
    kinds = HWGQ | BinaryLinear | BinaryConv2d
    assert not [layer for layer in plain.model if isinstance(layer, kinds)]
    assert 0 <= share_right(plain.model, dataset.test) <= 1


@pytest.mark.parametrize("name", names())
def test_a_shipped_recipes_whole_network_is_built(name, data):
    recipe = load_recipe(name)
    dataset = load_data(recipe, data[recipe.data.set])
    whole = make_network(recipe, dataset)
    slim = make_network(shortened(recipe, dataset), dataset)
    sizes = [sum(w.numel() for w in weights(model).values()) for model in (whole, slim)]
    assert sizes[0] > 10 * sizes[1] or recipe.network.model not in HEAVY
    assert whole[-1].out_features == dataset.classes
