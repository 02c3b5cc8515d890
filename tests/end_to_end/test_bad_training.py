# SPDX-License-Identifier: Apache-2.0
"""Recipes, data and weights that are wrong: one message, and nothing half-written."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hwgq.cli
from tests.end_to_end.command import refused, run

RECIPE = """
format = 1
name = "tiny"
[data]
set = "digits"
[network]
model = "mlp"
hidden = [4]
[schedule]
epochs = 1
batch = 64
learning_rate = 0.01
"""


def recipe(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the recipe, with some of its text replaced."""
    text = RECIPE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


RECIPES = {
    "no model": ('"mlp"', '"alexnet"', r"network\.model: input should be 'mlp',"),
    "no levels": (
        "hidden",
        "levels = 4\nhidden",
        r"network: HWGQ has no number of levels 4\. Choose one of 1, 2, 3, 7, 15",
    ),
    "moved rows": (
        '"digits"',
        '"digits"\naugmentation = "hardware"',
        r'takes rows, .* moved\. Set data\.augmentation = "none"',
    ),
    "no data set": ('"digits"', '"dgits"', r"dgits: is no data set\. Choose one of"),
    "no batch": ("64", "1", r"schedule\.batch: input should be greater than 1"),
    "late restart": (
        "batch",
        "restarts = [{epoch = 1, learning_rate = 0.1}]\nbatch",
        r"schedule: restarts after \[1\] of 1 epochs\. Order them",
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_asks_for_in_vain_is_named(name: str, tmp_path: Path) -> None:
    old, new, problem = RECIPES[name]
    arguments = ("train", recipe(tmp_path, (old, new)), "--out", tmp_path / "run")
    message = refused(tmp_path, *arguments)
    assert re.search(problem, message), message


def test_a_training_that_overflows_says_so_and_leaves_no_weights(
    tmp_path: Path,
) -> None:
    sgd = 'learning_rate = 10\noptimizer = "sgd"\nweight_decay = 1e30'
    wild, out = recipe(tmp_path, ("learning_rate = 0.01", sgd)), tmp_path / "run"
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(["train", str(wild), "--out", str(out)])
    assert left.value.code == (
        "training: the loss is nan after epoch 1. Lower schedule.learning_rate."
    )
    kept = {path.name for path in out.iterdir()} - {".lock"}
    assert kept <= {"logs"}


LABELS = {
    "negative": (-1, r"has a negative label\. Number the classes from 0"),
    "with a gap": (7, r"has no train image of class 3, but of class 7\. Number the"),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_that_are_no_classes_are_named(name: str, tmp_path: Path) -> None:
    label, problem = LABELS[name]
    labels = np.arange(60) % 3
    labels[labels == 2] = label
    if label > 2:
        labels[:10] = np.arange(10) % 3
    np.savez(tmp_path / "own.npz", images=np.zeros((60, 4), np.uint8), labels=labels)
    arguments = ("train", "mlp", "--data", tmp_path / "own.npz")
    message = refused(tmp_path, *arguments, "--out", tmp_path / "run")
    assert re.search(rf"own.*: {problem}", message), message


def test_an_unreadable_image_in_a_folder_is_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for index in range(5):
            file = tmp_path / "animals" / name / f"{index}.png"
            Image.new("L", (4, 6), index).save(file)
    file.write_bytes(file.read_bytes()[:40])
    own = recipe(tmp_path, ("digits", "folder"))
    arguments = ("train", own, "--data", tmp_path / "animals")
    message = refused(tmp_path, *arguments, "--out", tmp_path / "run")
    assert re.search(r"dog/4\.png: cannot be decoded: .*\. Replace the file", message)


@pytest.mark.parametrize(
    ("name", "lacking"),
    [
        ("fashion-sfc", "train-images-idx3-ubyte, .* of fashion-mnist. Put "),
        ("cifar10-cnv", "data_batch_1.*, test_batch.* of cifar10. Put "),
    ],
)
def test_data_that_are_not_where_they_should_be_are_named(
    name: str, lacking: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("HWGQ_DATA", str(tmp_path / "empty"))
    message = refused(tmp_path, "train", name, "--out", tmp_path / "run")
    assert re.search(f"empty: lacks {lacking}.*HWGQ_DATA=DIR", message), message


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of two networks, not to be written to."""
    runs = {}
    for hidden in ("4", "6, 5"):
        folder = tmp_path_factory.mktemp("trained")
        runs[hidden] = folder / "run"
        file = recipe(folder, ("[4]", f"[{hidden}]"))
        run("train", file, "--out", folder / "run")
    return runs


@pytest.fixture
def copied(trained: dict[str, Path], tmp_path: Path) -> Path:
    """Copy a run that is trained, but not exported, to be spoiled."""
    found = Path(shutil.copytree(trained["4"], tmp_path / "run"))
    for name in ("network.onnx", "samples.npz"):
        (found / name).unlink()
    return found


def test_weights_of_another_network_are_named(
    copied: Path, trained: dict[str, Path]
) -> None:
    shutil.copy(trained["6, 5"] / "weights.safetensors", copied)
    message = refused(copied, "export", copied)
    assert re.search(
        r"weights\.safetensors: does not hold this network's weights .* Train again",
        message,
    )


def test_weights_that_are_cut_off_are_named(copied: Path) -> None:
    weights = copied / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    message = refused(copied, "export", copied)
    assert "weights.safetensors: does not hold this network's weights" in message


@pytest.mark.parametrize("key", ["seed", "data", "sha256"])
def test_a_run_that_does_not_say_where_it_came_from_is_named(
    key: str, copied: Path
) -> None:
    origin = json.loads((copied / "run.json").read_text())
    del origin[key]
    (copied / "run.json").write_text(json.dumps(origin))
    message = refused(copied, "export", copied)
    assert re.search(rf"run\.json: lacks {key}\. Train again", message), message
