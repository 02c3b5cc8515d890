# SPDX-License-Identifier: Apache-2.0
"""The networks that come with hwgq are whole, and are what their cards say."""

import json
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from hwgq.errors import MismatchError, RecipeError, StorageError
from hwgq.storage import read_json, read_npz, sha256_bytes, write_json, write_npz
from hwgq.train import fetch_pretrained, load_pretrained, pretrained_names, reference
from hwgq.train.pretrained import (
    FILES,
    card_text,
    check_pretrained,
    read_pretrained,
)
from hwgq.train.training import recipe_hash

SHIPPED = Path(str(resources.files("hwgq.train") / "shipped"))
NAMES = pretrained_names()
SMALL = "fashion-sfc"


@pytest.fixture
def copy(tmp_path):
    """Copy a shipped network, to be spoiled."""
    return Path(shutil.copytree(SHIPPED / SMALL, tmp_path / SMALL))


def test_the_promised_networks_are_there():
    fashion = {f"fashion-{model}" for model in ("tfc", "sfc", "lenet", "cnn")}
    promised = {"digits", *fashion, "cifar10-cnv"}
    assert promised <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_agrees_with_its_samples_its_file_and_its_card(name):
    folder = SHIPPED / name
    check_pretrained(folder)
    found = load_pretrained(name)
    assert found.recipe.name == name
    assert found.card.recipe_sha256 == recipe_hash(found.recipe)
    assert (folder / "README.md").read_text() == card_text(found.recipe, found.card)
    samples = read_npz(folder / "samples.npz")
    exact = reference(found.model, samples["images"])
    for layer, codes in exact.levels.items():
        assert np.array_equal(codes[:32], samples[f"levels/{layer}"])
    # Nobody picks 64 frames: their share of right ones is the test part's, about.
    right = 100 * np.mean(exact.classes == samples["labels"])
    assert abs(right - found.card.test) < 15
    assert sum(file.stat().st_size for file in folder.iterdir()) < 10_000_000


def test_a_run_folder_is_made_once(tmp_path, capsys):
    run = fetch_pretrained(SMALL, out=tmp_path / "run")
    for file in FILES:
        assert (run / file).read_bytes() == (SHIPPED / SMALL / file).read_bytes()
    capsys.readouterr()
    fetch_pretrained(SMALL, out=run)
    assert capsys.readouterr().err == "pretrained: up to date\n"


def test_an_unknown_network_lists_those_that_there_are():
    with pytest.raises(
        RecipeError, match=r"fashion-tfc7: does not come trained\. .*sfc"
    ):
        load_pretrained("fashion-tfc7")


def test_weights_that_are_not_the_cards_are_refused(copy):
    path = copy / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="is not what its card says"):
        read_pretrained(copy)


def test_one_wrong_weight_is_found_in_the_samples(copy):
    """Whoever changes a sign and mends the hash is found by what it computes."""
    path = copy / "weights.safetensors"
    data = bytearray(path.read_bytes())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    begin, _ = header["linear4.signs"]["data_offsets"]
    data[8 + int.from_bytes(data[:8], "little") + begin] ^= 0x80
    path.write_bytes(data)
    card = read_json(copy / "card.json")
    card["weights_sha256"] = sha256_bytes(bytes(data))
    write_json(copy / "card.json", card)
    with pytest.raises(MismatchError, match=r"weights\.safetensors, logits, frame"):
        check_pretrained(copy)


def test_another_network_file_is_found(copy):
    path = copy / "network.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(MismatchError, match=r"network\.onnx"):
        check_pretrained(copy)


def test_a_card_without_a_key_is_refused(copy):
    card = read_json(copy / "card.json")
    card.pop("seed")
    write_json(copy / "card.json", card)
    with pytest.raises(StorageError, match=r"card\.json: is no card"):
        read_pretrained(copy)


def test_other_samples_are_found(copy):
    samples = read_npz(copy / "samples.npz")
    samples["logits"][3, 1] += 2.0**-30
    write_npz(copy / "samples.npz", **samples)
    with pytest.raises(MismatchError, match=r"frame and index \(3, 1\)"):
        check_pretrained(copy)
