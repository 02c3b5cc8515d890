# SPDX-License-Identifier: Apache-2.0
"""From recipe to run folder: whole, repeatable, resumable."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import tomli_w
from qonnx.core.modelwrapper import ModelWrapper
from torch.nn import functional

from hwgq.errors import DataError, OptionError, RecipeError, StorageError
from hwgq.storage import read_json, read_npz
from hwgq.train import export_run, measure_accuracy, reference, train, trainer
from hwgq.train.accuracy import float_beside
from hwgq.train.recipe import load_recipe
from hwgq.train.runs import load_run

RECIPE = {
    "format": 1,
    "name": "small",
    "data": {"set": "npz"},
    "network": {"model": "mlp", "hidden": [8, 8]},
    "schedule": {"epochs": 2, "batch": 16, "learning_rate": 0.01},
}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A recipe file and its data: 3 classes of 2 x 2 x 3 images."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    images = rng.integers(0, 100, (150, 2, 2, 3)) + 50 * labels[:, None, None, None]
    np.savez("data.npz", images=images, labels=labels)
    Path("small.toml").write_text(tomli_w.dumps(RECIPE))
    return "small.toml", Path("data.npz")


PICTURES = ("samples.npz", "curves.png", "confusion.png")


def contents(run):
    """Everything that must be the same again."""
    names = ("recipe.toml", "run.json", "weights.safetensors", "network.onnx")
    return [(run / name).read_bytes() for name in (*names, *PICTURES)]


def test_a_run_is_whole_and_a_second_one_is_the_same(small, capsys):
    recipe, data = small
    run = train(recipe, data=data)
    assert run == Path("runs/small")
    again = train(recipe, data=data, out=Path("again"))
    assert contents(run) == contents(again)
    assert contents(train(recipe, data=data, out=Path("b"), seed=1)) != contents(run)
    capsys.readouterr()
    train(recipe, data=data)
    assert capsys.readouterr().err == "train: up to date\nexport: up to date\n"


def test_the_samples_are_the_references_on_the_test_part(small):
    recipe, data = small
    run = train(recipe, data=data)
    kept, trained = read_npz(run / "samples.npz"), load_run(run)
    test = trained.dataset.test
    assert np.array_equal(kept["images"], test.images)
    assert np.array_equal(kept["labels"], test.labels)
    exact = reference(trained.model, kept["images"])
    assert np.array_equal(kept["logits"], exact.logits)
    assert np.array_equal(kept["accumulators"], exact.accumulators)
    for name in ("act1", "act2"):
        assert np.array_equal(kept[f"levels/{name}"], exact.levels[name][:32])
    graph = ModelWrapper(onnx.load(run / "network.onnx"))
    assert graph.get_tensor_datatype("image").name == "UINT8"
    assert list(graph.get_tensor_shape("image")) == [1, 12]


def test_metrics_hold_every_epoch(small):
    recipe, data = small
    metrics = read_json(train(recipe, data=data) / "metrics.json")
    assert len(metrics["epochs"]) == 2
    assert metrics["validation"] == metrics["epochs"][-1]["validation"]
    assert metrics["seconds"] > 0


def test_a_validation_part_may_be_learned_once_all_is_chosen(small):
    name, data = small
    text = Path(name).read_text() + "with_validation = true\n"
    Path("last.toml").write_text(text)
    steps = []
    for recipe in (name, "last.toml"):
        run = train(recipe, data=data, out=Path(recipe).with_suffix(""))
        rows = (run / "logs" / "metrics.csv").read_text().splitlines()
        steps.append(dict(zip(rows[0].split(","), rows[-1].split(","), strict=True)))
    # Batches of 16 of 90 images, then of 30 more; two epochs.
    assert [int(row["step"]) + 1 for row in steps] == [2 * 5, 2 * 7]
    assert ["validation" in row for row in steps] == [True, False]
    metrics = read_json(run / "metrics.json")
    assert metrics["validation"] is None
    assert [epoch["validation"] for epoch in metrics["epochs"]] == [None, None]


@pytest.mark.parametrize("learned", ["false", "true"])
def test_a_log_gets_lines_of_finished_epochs(small, capsys, monkeypatch, learned):
    name, data = small
    text = Path(name).read_text() + f"with_validation = {learned}\n"
    Path("last.toml").write_text(text)
    monkeypatch.setattr(trainer, "LINE_SECONDS", -1.0)  # as if the first came late
    train("last.toml", data=data)
    lines = [n for n in capsys.readouterr().err.splitlines() if "epoch" in n]
    validated = r", validation \d+\.\d\d %" if learned == "false" else ""
    assert len(lines) == 1
    assert re.fullmatch(rf"epoch 1 of 2: loss \d+\.\d{{4}}{validated}", lines[0])


def test_a_damaged_run_is_made_again(small):
    recipe, data = small
    run = train(recipe, data=data)
    before = contents(run)
    (run / "network.onnx").write_bytes(b"")
    assert export_run(run) == run / "network.onnx"
    assert contents(run) == before
    (run / "weights.safetensors").unlink()
    train(recipe, data=data)
    assert contents(run) == before


def test_export_refuses_what_is_no_run_or_has_other_data(small):
    recipe, data = small
    with pytest.raises(StorageError, match=r"none/recipe\.toml: cannot be read"):
        export_run(Path("none"))
    run = train(recipe, data=data)
    np.savez(data, images=np.zeros((30, 12), int), labels=np.arange(30) % 3)
    with pytest.raises(DataError, match=r"is not what runs/small was trained on"):
        load_run(run)


def test_weights_of_another_network_are_refused(small):
    recipe, data = small
    run = train(recipe, data=data)
    text = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(text.replace("8,", "16,"))
    with pytest.raises(StorageError, match="does not hold this network's weights"):
        export_run(run)


def test_a_loss_that_is_no_number_is_an_error(small, monkeypatch):
    recipe, data = small
    monkeypatch.setattr(
        functional, "cross_entropy", lambda logits, _: logits.sum() * float("nan")
    )
    with pytest.raises(RecipeError, match="training: the loss is nan after epoch 1"):
        train(recipe, data=data)
    assert not Path("runs/small/weights.safetensors").exists()


def test_an_impossible_seed_is_refused(small):
    recipe, data = small
    with pytest.raises(OptionError, match="seed: cannot be -1"):
        train(recipe, data=data, seed=-1)


def test_digits_reach_their_mark_and_stay_near_float(tmp_path):
    accuracy = measure_accuracy("digits", out=tmp_path)
    assert accuracy.seeds == (0, 1, 2)
    assert np.mean(accuracy.hwgq) >= 97.0, str(accuracy)
    # By the CPU, whose order of sums decides single images: 0.9 to 1.0, ± 0.3.
    assert accuracy.drop <= 1.5, str(accuracy)
    assert measure_accuracy("digits", out=tmp_path) == accuracy


def test_a_network_to_compare_with_is_trained_and_not_exported(small, capsys):
    recipe, data = small
    run = train(float_beside(load_recipe(recipe)), data=data)
    assert "not exported: float weights or ReLU" in capsys.readouterr().err
    assert read_json(run / "metrics.json")["test"] > 0.5
    assert not (run / "network.onnx").exists()
