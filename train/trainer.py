# SPDX-License-Identifier: Apache-2.0
"""The training loop, by Lightning: devices, precision, checkpoints, logs, progress."""

import logging
import os
import pickle
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import nn

from hwgq.errors import OptionError, shorten
from hwgq.progress import tell, track
from hwgq.storage import remove
from hwgq.train.datasets import Dataset, Part
from hwgq.train.networks import make_network
from hwgq.train.recipe import Recipe
from hwgq.train.task import EVALUATED, Epoch, Task, on_device, taken

PRECISIONS: dict[str, Any] = {"32": "32-true", "tf32": "32-true", "bf16": "bf16-mixed"}
"""Lightning's names of our precisions."""

LINE_SECONDS = 60.0
"""A log gets a line after the first epoch that ends so long after the last line."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A trained network, in evaluation mode on the CPU, and how it came about.

    Parameters
    ----------
    model
        The network after the last epoch.
    epochs
        What each brought.
    device
        What it was trained on.
    """

    model: nn.Sequential
    epochs: tuple[Epoch, ...]
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What a training runs on.

    Parameters
    ----------
    accelerator
        "auto", "cpu" or "gpu".
    devices
        How many of them; more than one share every batch.
    """

    accelerator: str = "auto"
    devices: int = 1


def fit(
    recipe: Recipe,
    dataset: Dataset,
    seed: int,
    *,
    title: str = "",
    folder: Path | None = None,
    identity: dict[str, str] | None = None,
    hardware: Hardware | None = None,
) -> Fit:
    """Train a network; the last epoch's weights count.

    Parameters
    ----------
    recipe
        What to train and how.
    dataset
        Its train and validation parts are used, the test part is not touched.
    seed
        Decides the initial weights, and order and moves of the images.
    title
        What the progress calls it.
    folder
        Where logs go, and checkpoints, from which an interrupted training of the same
        `identity` goes on. Without it there is neither.
    identity
        Everything that decides this training.
    hardware
        What it runs on.

    Raises
    ------
    RecipeError
        If the loss is no longer a number.
    """
    identity = identity or {}
    with _seeded(seed, recipe.schedule.threads), _quiet_lightning():
        model = make_network(recipe, dataset)
        task = Task(model, recipe, dataset, seed, identity)
        hardware = hardware or Hardware()
        trainer = _trainer(recipe, title or recipe.name, folder, hardware)
        before = _checkpoint(folder, identity)
        with _tf32(allowed=recipe.schedule.precision == "tf32"):
            trainer.fit(task, ckpt_path=before, weights_only=True)
        device = str(task.device)
    if device.startswith("cuda"):
        device = torch.cuda.get_device_name()
    return Fit(model.cpu().eval(), tuple(task.epochs), device)


def finish(folder: Path) -> None:
    """Remove the checkpoints of a training that is whole."""
    remove(folder / "resume")


def is_worker() -> bool:
    """Say whether this is a process that Lightning started beside the first one."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def predict(model: nn.Module, part: Part) -> npt.NDArray[np.int64]:
    """Classify images in float32; of equal logits the first counts."""
    device = torch.device("cpu")
    images = on_device(part, device)
    found = []
    with torch.no_grad():
        for start in range(0, len(part), EVALUATED):
            indices = torch.arange(start, min(start + EVALUATED, len(part)))
            found.append(model(taken(images, indices, device)[0].float()).argmax(1))
    return np.asarray(torch.cat(found).numpy(), np.int64)


def share_right(model: nn.Module, part: Part) -> float:
    """Compute the share of images whose highest float32 logit is their label's."""
    return float((predict(model, part) == part.labels).mean())


def _trainer(
    recipe: Recipe, title: str, folder: Path | None, hardware: Hardware
) -> lightning.Trainer:
    callbacks: list[Callback] = [_Progress(title)]
    loggers: list[Logger] = []
    if folder is not None:
        callbacks.append(
            ModelCheckpoint(
                folder / "resume",
                filename="last",
                enable_version_counter=False,
                save_on_train_epoch_end=True,
            )
        )
        loggers = [
            CSVLogger(folder, name="logs", version=""),
            TensorBoardLogger(folder, name="logs", version=""),
        ]
    try:
        return lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            strategy="ddp" if hardware.devices > 1 else "auto",
            use_distributed_sampler=False,
            precision=PRECISIONS[recipe.schedule.precision],
            max_epochs=recipe.schedule.epochs,
            callbacks=callbacks,
            logger=loggers,
            enable_checkpointing=folder is not None,
            enable_model_summary=False,
            enable_progress_bar=False,
            limit_val_batches=0 if recipe.schedule.with_validation else 1.0,
            num_sanity_val_steps=0,
        )
    except (MisconfigurationException, ValueError) as error:
        place = f"{hardware.devices} devices of kind {hardware.accelerator}"
        problem = f"cannot be had ({shorten(str(error))})"
        remedy = 'Choose accelerator "cpu", or fewer devices'
        raise OptionError(place, problem, remedy) from error


def _checkpoint(folder: Path | None, identity: dict[str, str]) -> Path | None:
    """Find the checkpoint of the same training, if it was interrupted."""
    path = folder / "resume" / "last.ckpt" if folder else None
    if path is None or not path.exists():
        return None
    try:
        found = torch.load(path, weights_only=True, map_location="cpu")
        same = found["hwgq"] == identity
        epoch = len(found["epochs"])
    except (OSError, RuntimeError, pickle.UnpicklingError, KeyError, EOFError):
        tell(f"{path} is damaged: beginning anew")
        return None
    if not same:
        tell(f"{path} is of another training: beginning anew")
        return None
    tell(f"going on after epoch {epoch}")
    return path


class _Progress(Callback):
    """A bar over the steps; in a log, a line about an epoch once in a while."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: Iterator[int] = iter(())
        self.said = time.monotonic()

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.is_global_zero:
            steps = int(trainer.estimated_stepping_batches)
            self.bar = track(range(trainer.global_step, steps), self.title)

    def on_train_batch_start(self, *_: object) -> None:
        next(self.bar, None)

    def on_train_epoch_start(self, trainer: lightning.Trainer, task: Any) -> None:
        now = time.monotonic()  # of the epoch before, which is recorded by now
        due = task.epochs and now - self.said > LINE_SECONDS
        if trainer.is_global_zero and due:
            self.said, last = now, task.epochs[-1]
            done = f"epoch {len(task.epochs)} of {trainer.max_epochs}"
            line = f"{done}: loss {last.loss:.4f}"
            if last.validation is not None:
                line += f", validation {100 * last.validation:.2f} %"
            tell(line)

    def on_train_end(self, *_: object) -> None:
        next(self.bar, None)  # lets the bar end


@contextmanager
def _seeded(seed: int, threads: int) -> Iterator[None]:
    """Make what is inside repeatable, and leave no trace in PyTorch's settings."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _tf32(*, allowed: bool) -> Iterator[None]:
    """Allow products of 10-bit mantissas, or not; PyTorch's default is both."""
    settings: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [setting.allow_tf32 for setting in settings]
    try:
        for setting in settings:
            setting.allow_tf32 = allowed
        yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.allow_tf32 = value


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keep Lightning's greetings and advice from the user; our own bar is enough."""
    names = ("lightning.pytorch", "lightning.fabric")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r".*LeafSpec.* is deprecated")
            warnings.filterwarnings("ignore", r"Checkpoint directory .* exists")
            warnings.filterwarnings("ignore", r"The number of training batches")
            warnings.filterwarnings("ignore", r".*does not have many workers")
            warnings.filterwarnings("ignore", r"Experiment logs directory .* exists")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
