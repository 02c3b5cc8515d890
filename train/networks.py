# SPDX-License-Identifier: Apache-2.0
"""From a recipe and its data to the network, as it begins to learn."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hwgq.train import datasets
from hwgq.train.augmentation import Augmentation, MeanImage, PixelScale
from hwgq.train.datasets import Dataset
from hwgq.train.models import build, takes_rows
from hwgq.train.models.style import sequential
from hwgq.train.recipe import Recipe

GAUSS = 0.01
"""Standard deviation of weights that begin Gaussian."""


def load_data(recipe: Recipe, data: Path | None) -> Dataset:
    """Load a recipe's data set, in the shape that its network takes.

    Errors as `hwgq.train.datasets.load`.
    """
    found = datasets.load(recipe.data.set, data, size=recipe.data.size)
    return found.flat() if takes_rows(recipe.network.model) else found.planes()


def make_network(recipe: Recipe, dataset: Dataset) -> nn.Sequential:
    """Make a recipe's network for a data set; PyTorch's seed decides its weights."""
    mean = None
    if recipe.data.augmentation == Augmentation.PAPER:
        mean = dataset.mean_image()
    return assemble(recipe, dataset.shape, dataset.classes, mean)


def assemble(
    recipe: Recipe,
    shape: tuple[int, ...],
    classes: int,
    mean: npt.NDArray[np.float32] | None = None,
) -> nn.Sequential:
    """Make a recipe's network.

    Parameters
    ----------
    recipe
        What the network is, how its weights begin, and what pixels mean.
    shape, classes
        Shape of one image, and number of logits.
    mean
        Mean image, where the recipe takes one off; by default zeros.
    """
    network, augmentation = recipe.network, recipe.data.augmentation
    model = build(
        network.model,
        shape,
        classes,
        network.style(),
        width=network.width,
        hidden=network.hidden,
    )
    _initialize(model, recipe.schedule.init)
    if augmentation != Augmentation.NONE:
        mean = np.zeros(shape, np.float32) if mean is None else mean
        hardware = augmentation == Augmentation.HARDWARE
        pixels = PixelScale() if hardware else MeanImage(mean)
        model = sequential({"pixels": pixels, **dict(model.named_children())})
    if not takes_rows(network.model):
        # Pooling and normalization are several times as fast in this order on a CPU.
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _initialize(model: nn.Module, init: str) -> None:
    for parameter in model.parameters():
        if parameter.ndim > 1 and init == "gauss":
            nn.init.normal_(parameter, std=GAUSS)
        if parameter.ndim > 1 and init == "msra":
            nn.init.kaiming_normal_(parameter, nonlinearity="relu")
