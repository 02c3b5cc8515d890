# SPDX-License-Identifier: Apache-2.0
"""The training loop, by Lightning."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from hwgq.errors import RecipeError
from hwgq.progress import track
from hwgq.train.datasets import Dataset, Part
from hwgq.train.models import build
from hwgq.train.recipe import Recipe, Schedule

Batch = list[Tensor]
"""Images as float32 integers, and their labels."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch brought: mean training loss, share of validation images right."""

    loss: float
    validation: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A trained network, in evaluation mode, and how it came about."""

    model: nn.Sequential
    epochs: tuple[Epoch, ...]


def fit(recipe: Recipe, dataset: Dataset, seed: int, *, binary: bool = True) -> Fit:
    """Train a network; the last epoch's weights count.

    Parameters
    ----------
    recipe
        What to train and how.
    dataset
        Its train and validation parts are used, the test part is not touched.
    seed
        Decides the initial weights and the order of the images.
    binary
        Whether to train the network of the recipe, or the float one beside it.

    Raises
    ------
    RecipeError
        If the loss is no longer a number.
    """
    kind = "HWGQ" if binary else "float"
    with _seeded(seed, recipe.schedule.threads), _quiet_lightning():
        network = recipe.network
        model = build(network, dataset.shape, dataset.classes, binary=binary)
        task = _Task(model, recipe.schedule)
        trainer = lightning.Trainer(
            accelerator="cpu",
            max_epochs=recipe.schedule.epochs,
            callbacks=[_Progress(f"train {recipe.name}, {kind}, seed {seed}")],
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
        )
        loaders = (
            _batches(dataset.train, recipe.schedule.batch),
            _whole(dataset.validation),
        )
        trainer.fit(task, *loaders)
    return Fit(model.eval(), tuple(task.epochs))


def share_right(model: nn.Module, part: Part) -> float:
    """Compute the share of images whose highest float32 logit is their label's."""
    images, labels = tensors(part)
    with torch.no_grad():
        return _share(model(images), labels)


def tensors(part: Part) -> tuple[Tensor, Tensor]:
    """Give a part to PyTorch: integers as float32, and labels."""
    return torch.from_numpy(part.images).float(), torch.from_numpy(part.labels)


class _Task(lightning.LightningModule):
    """Classification by cross entropy."""

    def __init__(self, model: nn.Module, schedule: Schedule) -> None:
        super().__init__()
        self.model = model
        self.schedule = schedule
        self.losses: list[Tensor] = []
        self.epochs: list[Epoch] = []

    def training_step(self, batch: Batch) -> Tensor:
        images, labels = batch
        loss = functional.cross_entropy(self.model(images), labels)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch) -> None:
        images, labels = batch
        loss = float(torch.stack(self.losses).mean())
        self.losses.clear()
        if not loss < float("inf"):
            problem = f"the loss is {loss} after epoch {len(self.epochs) + 1}"
            remedy = "Lower schedule.learning_rate"
            raise RecipeError("training", problem, remedy)
        self.epochs.append(Epoch(loss, _share(self.model(images), labels)))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = AdamW(
            self.model.parameters(),
            lr=self.schedule.learning_rate,
            weight_decay=self.schedule.weight_decay,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = CosineAnnealingLR(optimizer, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


class _Progress(Callback):
    """A bar over the epochs."""

    def __init__(self, description: str) -> None:
        self.description = description
        self.bar: Iterator[int] = iter(())

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        assert trainer.max_epochs is not None
        self.bar = track(range(trainer.max_epochs), self.description)

    def on_train_epoch_start(self, *_: object) -> None:
        next(self.bar)

    def on_train_end(self, *_: object) -> None:
        next(self.bar, None)  # lets the bar end


def _batches(part: Part, size: int) -> DataLoader[tuple[Tensor, ...]]:
    """Shuffle a part anew each epoch; a batch is taken at once, not image by image."""
    dataset = TensorDataset(*tensors(part))
    order = RandomSampler(dataset)
    sampler = BatchSampler(order, min(size, len(part)), drop_last=True)
    return DataLoader(dataset, sampler=sampler, batch_size=None)


def _whole(part: Part) -> DataLoader[tuple[Tensor, ...]]:
    """Make one batch of a part."""
    indices = [range(len(part))]
    return DataLoader(TensorDataset(*tensors(part)), sampler=indices, batch_size=None)


def _share(logits: Tensor, labels: Tensor) -> float:
    return float((logits.argmax(1) == labels).double().mean())


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
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
