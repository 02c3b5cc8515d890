# SPDX-License-Identifier: Apache-2.0
"""What is done to the pixels of a batch: random moves in training, and normalizing.

The integers of an image stay integers under a move; what scales or centres them is the
network's first layer, exported with it.
"""

from enum import StrEnum

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional


class Augmentation(StrEnum):
    """How images are moved in training, and what their integers mean."""

    NONE = "none"
    """Images as they are; an integer is its own value."""

    HARDWARE = "hardware"
    """Moved over zeros, and mirrored; values are pixels / 255, which hardware takes."""

    PAPER = "paper"
    """Moved over replicated borders and mirrored; values are pixels less the mean
    image, as the authors train CIFAR-10. For networks whose first layer is float."""


class PixelScale(nn.Module):
    """Gives the pixels 0 ... 255 the values 0 ... 1; a constant of the network."""

    step = float(np.float32(1 / 255))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return x * self.step


class MeanImage(nn.Module):
    """Takes the mean image of the train part off.

    Parameters
    ----------
    mean
        Mean of each pixel, in the shape of an image.
    """

    mean: Tensor

    def __init__(self, mean: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean.astype(np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        """Subtract."""
        return x - self.mean


def augment(
    images: Tensor,
    augmentation: Augmentation,
    shift: int,
    generator: torch.Generator,
    *,
    mirror: bool = True,
) -> Tensor:
    """Move each image by up to `shift` pixels, and mirror one in two.

    Parameters
    ----------
    images
        Shape (n, channels, rows, columns).
    augmentation
        Decides what comes in from outside the image.
    shift
        Greatest distance, down or up, right or left.
    generator
        Decides the moves; on the CPU, so that they are the same on every device.
    mirror
        Whether any are mirrored.

    Returns
    -------
    Tensor
        The same shape and type, in PyTorch's channels-last order.
    """
    if augmentation == Augmentation.NONE:
        return images
    mode = "replicate" if augmentation == Augmentation.PAPER else "constant"
    padded = functional.pad(images.float(), [shift] * 4, mode=mode).to(images.dtype)
    count, _, rows, columns = images.shape
    draws = torch.randint(2 * shift + 1, (2, count, 1), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < (0.5 if mirror else 0)
    row = draws[0] + torch.arange(rows)
    column = torch.arange(columns)
    column = draws[1] + torch.where(mirrored, columns - 1 - column, column)
    row, column = row.to(images.device), column.to(images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    moved = padded[each, :, row[:, :, None], column[:, None, :]]
    return moved.permute(0, 3, 1, 2)
