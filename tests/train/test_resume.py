# SPDX-License-Identifier: Apache-2.0
"""A training that is killed goes on, to the same weights; processes share one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from hwgq.errors import OptionError
from hwgq.storage import read_json
from hwgq.train import train
from hwgq.train.recipe import parse_recipe

RECIPE = {
    "format": 1,
    "name": "small",
    "data": {"set": "npz", "augmentation": "hardware", "shift": 1},
    "network": {"model": "cnn", "width": 0.25},
    "schedule": {
        "epochs": 4,
        "batch": 50,
        "learning_rate": 0.01,
        "warmup": 0.1,
        "normalize_logits": True,
    },
}
IMAGES = 1500


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A recipe of a small CNN, and data; an epoch takes some tenths of a second."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % 3
    noise = rng.integers(0, 150, (IMAGES, 16, 16))
    images = noise + 50 * labels[:, None, None]
    np.savez("data.npz", images=images, labels=labels)
    Path("small.toml").write_text(tomli_w.dumps(RECIPE))
    return "small.toml", Path("data.npz")


def started(*options):
    """Begin `hwgq train` as a user would, in a process of its own."""
    argv = [sys.executable, "-m", "hwgq", "train", "small.toml", "--data", "data.npz"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*argv, *options], stderr=subprocess.PIPE, text=True, env=env
    )


def kill_within(run):
    """Kill a training after its first epoch, and before its last one has ended.

    On a busy machine, a kill may come too late: the next one need not.
    """
    last, end = run / "resume" / "last.ckpt", run / "weights.safetensors"
    for _ in range(10):
        process = started("--out", str(run))
        while process.poll() is None and not last.exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}, said
        if last.exists() and not end.exists():
            return
        shutil.rmtree(run)
    raise AssertionError("each training ended before it was killed")


def test_a_killed_training_goes_on_to_the_same_weights(small, capsys):
    recipe, data = small
    whole = train(recipe, data=data, out=Path("whole"))
    kill_within(Path("killed"))
    capsys.readouterr()
    killed = train(recipe, data=data, out=Path("killed"))
    assert "going on after epoch " in capsys.readouterr().err
    names = ("weights.safetensors", "network.onnx", "samples.npz", "curves.png")
    for name in names:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    epochs = [read_json(run / "metrics.json")["epochs"] for run in (whole, killed)]
    assert epochs[0] == epochs[1]
    assert not (killed / "resume").exists()


def interrupted(recipe, data, out):
    """Train until the second epoch ends, by a kill of this process's own making."""
    from lightning.pytorch.callbacks import ModelCheckpoint

    class KilledError(Exception):
        pass

    def stop(self, trainer, *_):
        original(self, trainer, *_)
        if trainer.current_epoch == 1:
            raise KilledError

    original = ModelCheckpoint.on_train_epoch_end
    ModelCheckpoint.on_train_epoch_end = stop
    try:
        with pytest.raises(KilledError):
            train(recipe, data=data, out=out)
    finally:
        ModelCheckpoint.on_train_epoch_end = original


def test_a_damaged_checkpoint_or_one_of_another_training_is_not_gone_on_from(
    small, capsys
):
    recipe, data = small
    run = Path("run")
    interrupted(recipe, data, run)
    last = run / "resume" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    interrupted(recipe, data, run)
    assert "last.ckpt is damaged: beginning anew" in capsys.readouterr().err
    train(recipe, data=data, out=run, seed=1)
    assert "last.ckpt is of another training: beginning anew" in capsys.readouterr().err


def test_checkpoints_hold_no_code(small):
    """They are read with `weights_only=True`, which refuses other pickles."""
    import torch

    class Evil:
        def __reduce__(self):
            return Path("evil").touch, ()

    recipe, data = small
    run = Path("run")
    interrupted(recipe, data, run)
    torch.save({"hwgq": Evil()}, run / "resume" / "last.ckpt")
    train(recipe, data=data, out=run)
    assert not Path("evil").exists()


def test_two_processes_share_a_training(small):
    process = started("--out", "shared", "--devices", "2", "--accelerator", "cpu")
    _, said = process.communicate()
    assert process.returncode == 0, said
    metrics = read_json(Path("shared/metrics.json"))
    assert len(metrics["epochs"]) == RECIPE["schedule"]["epochs"]
    assert metrics["validation"] == pytest.approx(metrics["epochs"][-1]["validation"])
    assert metrics["test"] > 0.9
    assert Path("shared/network.onnx").exists()
    assert said.count("train small, seed 0") == 1  # the second one is silent


def test_logs_are_written(small):
    recipe, data = small
    run = train(recipe, data=data, out=Path("run"))
    lines = (run / "logs" / "metrics.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,step,validation"
    assert len(lines) == 1 + RECIPE["schedule"]["epochs"]
    assert list((run / "logs").glob("events.out.tfevents.*"))


def test_a_compiled_training_in_bfloat16_ends_in_a_network_of_float32(small):
    _, data = small
    schedule = {**RECIPE["schedule"], "precision": "bf16", "compile": True, "epochs": 2}
    rows = {"data": {"set": "npz"}, "network": {"model": "mlp", "hidden": [8]}}
    recipe = parse_recipe("small", {"name": "small", **rows, "schedule": schedule})
    run = train(recipe, data=data, out=Path("run"))
    metrics = read_json(run / "metrics.json")
    # The validation of the last epoch was in float32 too, so both agree to the image.
    assert metrics["validation"] == pytest.approx(metrics["epochs"][-1]["validation"])


def test_devices_that_are_not_there_are_refused(small):
    recipe, data = small
    with pytest.raises(OptionError, match=r"1 devices of kind gpu: cannot be had"):
        train(recipe, data=data, accelerator="gpu")
    with pytest.raises(OptionError, match=r"kind abacus: cannot be had .* Choose"):
        train(recipe, data=data, accelerator="abacus")
    with pytest.raises(OptionError, match=r"0 devices of kind cpu: cannot be had"):
        train(recipe, data=data, accelerator="cpu", devices=0)
    assert not Path("runs/small").exists()
