# SPDX-License-Identifier: Apache-2.0
"""What is learned in a step: Lightning's module, around any network."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from torchmetrics import MeanMetric

from hwgq.errors import RecipeError
from hwgq.train.augmentation import augment
from hwgq.train.batches import EpochBatches, generator, in_order, loader
from hwgq.train.datasets import Dataset, Part
from hwgq.train.recipe import Recipe, Schedule

EVALUATED = 1000
"""Images a batch in evaluation."""

FREE_SHARE = 0.5
"""Share of a GPU's free memory that the images may take; else they stay outside."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch brought: mean training loss, share of validation images right.

    There is no such share where the validation part is learned, too.
    """

    loss: float
    validation: float | None


class Task(lightning.LightningModule):
    """Classification by cross entropy.

    Parameters
    ----------
    model
        The network.
    recipe, seed
        How it is learned, and what decides order and moves of the images.
    dataset
        Its train and validation parts are used, the test part is not touched.
    identity
        What this training is, kept in its checkpoints.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        dataset: Dataset,
        seed: int,
        identity: dict[str, str],
    ) -> None:
        super().__init__()
        self.model = model
        self.recipe, self.seed, self.identity = recipe, seed, identity
        self.parts = dataset.train, dataset.validation
        if self.schedule.with_validation:
            self.parts = dataset.train.joined(dataset.validation), dataset.validation
        self.gain = (
            nn.Parameter(torch.ones(())) if self.schedule.normalize_logits else 1
        )
        self.loss = MeanMetric(nan_strategy="disable")
        self.right = MeanMetric().set_dtype(torch.float64)
        self.epochs: list[Epoch] = []
        # A function, lest the network be registered, and saved, a second time.
        compiled = torch.compile(model.forward) if self.schedule.compile else None
        self.apply_model = compiled or model.forward

    @property
    def schedule(self) -> Schedule:
        """The recipe's schedule."""
        return self.recipe.schedule

    def on_fit_start(self) -> None:
        """Bring the images to the device, where they fit."""
        self.train_images = on_device(self.parts[0], self.device)
        self.validation_images = on_device(self.parts[1], self.device)

    def train_dataloader(self) -> DataLoader[Tensor]:
        """Deal out the train part."""
        share = self.global_rank, self.trainer.world_size
        batch = self.schedule.batch
        return loader(EpochBatches(len(self.parts[0]), batch, self.seed, *share))

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Deal out the validation part."""
        share = self.global_rank, self.trainer.world_size
        return loader(in_order(len(self.parts[1]), *share, EVALUATED))

    def training_step(self, indices: Tensor, step: int) -> Tensor:
        """Compute the loss of a batch."""
        data = self.recipe.data
        images, labels = taken(self.train_images, indices, self.device)
        draw = generator(self.seed, self.current_epoch, step, self.global_rank)
        how, shift, mirror = data.augmentation, data.shift, data.mirror
        moved = augment(images, how, shift, draw, mirror=mirror)
        logits = self.apply_model(moved.float()).float()
        if self.schedule.normalize_logits:
            logits = self.gain * (logits - logits.mean()) / (logits.std() + 1e-5)
        loss = functional.cross_entropy(logits, labels)
        self.loss.update(loss.detach())
        return loss

    def validation_step(self, indices: Tensor) -> None:
        """Count what is right, in float32."""
        images, labels = taken(self.validation_images, indices, self.device)
        with torch.autocast(self.device.type, enabled=False):
            right = self.model(images.float()).argmax(1) == labels
        self.right.update(right.double())

    def on_train_epoch_end(self) -> None:
        """Record the epoch, which has been validated.

        Raises
        ------
        RecipeError
            If the loss is no longer a number.
        """
        validated = not self.schedule.with_validation
        right = float(self.right.compute()) if validated else None
        epoch = Epoch(float(self.loss.compute()), right)
        self.loss.reset()
        self.right.reset()
        if not math.isfinite(epoch.loss):
            problem = f"the loss is {epoch.loss} after epoch {len(self.epochs) + 1}"
            raise RecipeError("training", problem, "Lower schedule.learning_rate")
        self.epochs.append(epoch)
        known = {name: v for name, v in asdict(epoch).items() if v is not None}
        self.log_dict(known, rank_zero_only=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what Lightning does not know of."""
        checkpoint["hwgq"] = self.identity
        checkpoint["epochs"] = [asdict(epoch) for epoch in self.epochs]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it back."""
        self.epochs = [Epoch(**epoch) for epoch in checkpoint["epochs"]]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Make optimizer and learning rate."""
        steps = int(self.trainer.estimated_stepping_batches)
        optimizer = make_optimizer(self, self.schedule)
        scheduler = LambdaLR(optimizer, lambda step: rate(self.schedule, step, steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def make_optimizer(model: nn.Module, schedule: Schedule) -> Optimizer:
    """Make the optimizer of a schedule; biases and normalizations do not decay."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [
        {"params": weights, "weight_decay": schedule.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if schedule.optimizer == "sgd":
        return SGD(groups, lr=schedule.learning_rate, momentum=0.9)
    return AdamW(groups, lr=schedule.learning_rate, fused=True)


def rate(schedule: Schedule, step: int, steps: int) -> float:
    """Compute the learning rate of a step, as a share of the schedule's own.

    Parameters
    ----------
    schedule
        How it rises and falls.
    step, steps
        Steps done, and those of the whole training.
    """
    epoch = steps // schedule.epochs
    begin, end, top = 0, steps, 1.0
    for restart in schedule.restarts:
        if step < restart.epoch * epoch:
            end = restart.epoch * epoch
            break
        begin, top = (
            restart.epoch * epoch,
            restart.learning_rate / schedule.learning_rate,
        )
    share = (step - begin) / (end - begin)
    warmup = schedule.warmup if begin == 0 else 0.0
    if share < warmup:
        return share / warmup + 1e-3
    return top * fallen(schedule.decay, min(1.0, (share - warmup) / (1 - warmup)))


def fallen(decay: str, share: float) -> float:
    """Compute to what the learning rate has fallen after a share of the steps."""
    if decay == "linear":
        return 1 - share
    if decay == "cosine":
        return (1 + math.cos(math.pi * share)) / 2
    return 0.1 ** ((share >= 1 / 2) + (share >= 3 / 4))


def on_device(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    """Give a part to PyTorch, on the device where it fits: images, labels."""
    images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if part.images.nbytes < FREE_SHARE * free:
            return images.to(device), labels.to(device)
    return images, labels


def taken(
    part: tuple[Tensor, Tensor], indices: Tensor, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Take a batch of images and labels to the device."""
    images, labels = part
    where = indices.to(images.device)
    return images[where].to(device), labels[where].to(device)
