# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from hwgq.train.augmentation import Augmentation, MeanImage, PixelScale, augment
from hwgq.train.batches import generator

IMAGES = torch.from_numpy(
    np.random.default_rng(0).integers(1, 256, (64, 3, 6, 5)).astype(np.uint8)
)


def moves(image, shift, mode):
    """Every image that a move of `image` can make."""
    padding = ((0, 0), (shift, shift), (shift, shift))
    padded = np.pad(image, padding, mode=mode)
    _, rows, columns = image.shape
    for row in range(2 * shift + 1):
        for column in range(2 * shift + 1):
            cut = padded[:, row : row + rows, column : column + columns]
            yield cut.tobytes()
            yield cut[:, :, ::-1].tobytes()


@pytest.mark.parametrize(
    ("augmentation", "mode"), [("hardware", "constant"), ("paper", "edge")]
)
@pytest.mark.parametrize("shift", [0, 2])
def test_images_are_moved_by_whole_pixels_and_mirrored(augmentation, mode, shift):
    moved = augment(IMAGES, Augmentation(augmentation), shift, generator(3))
    assert moved.dtype == IMAGES.dtype
    assert moved.shape == IMAGES.shape
    kinds = set()
    for before, after in zip(IMAGES.numpy(), moved.numpy(), strict=True):
        possible = list(moves(before, shift, mode))
        kinds.add(possible.index(np.ascontiguousarray(after).tobytes()))
    # 64 images meet both mirrorings, and most of the 25 places.
    assert len(kinds) == 2 if shift == 0 else len(kinds) > 20


def test_images_are_moved_alone_where_nothing_is_to_be_mirrored():
    still = augment(IMAGES, Augmentation.HARDWARE, 0, generator(3), mirror=False)
    assert torch.equal(still, IMAGES)
    mirrored, moved = (
        augment(IMAGES, Augmentation.HARDWARE, 2, generator(3), mirror=mirror)
        for mirror in (True, False)
    )
    same = (mirrored == moved).flatten(1).all(1)
    assert 0 < same.sum() < len(IMAGES)  # the moves are drawn alike


def test_moves_depend_on_the_generator_alone():
    first, again, other = (
        augment(IMAGES, Augmentation.HARDWARE, 2, generator(k)) for k in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_augmentation_images_stay_as_they_are():
    assert augment(IMAGES, Augmentation.NONE, 4, generator(0)) is IMAGES


def test_pixels_get_their_values():
    pixels = torch.tensor([[0.0, 1.0, 255.0]])
    scaled = PixelScale()(pixels)
    assert torch.equal(scaled, pixels * np.float32(1 / 255))
    assert not PixelScale().state_dict()
    mean = np.array([0.5, 1.5, 2.5], np.float32)
    assert torch.equal(MeanImage(mean)(pixels), pixels - torch.from_numpy(mean))
    assert set(MeanImage(mean).state_dict()) == {"mean"}
