# SPDX-License-Identifier: Apache-2.0
"""What a data set is: images and labels in three fixed parts."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from hwgq.errors import DataError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]

SHARES = (0.6, 0.2, 0.2)
"""Shares of the train, validation and test part where a data set has no parts."""

MAX_LEVEL = 255
"""Highest level of an image: inputs have at most 8 bits."""


@dataclass(frozen=True, slots=True)
class Part:
    """Images and their labels.

    Parameters
    ----------
    images
        Levels, shape (n, ...).
    labels
        Classes 0, 1, ..., shape (n,).
    """

    images: Images
    labels: Labels

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.int64]) -> Self:
        """Choose some of the images, in the order of `indices`."""
        return type(self)(self.images[indices], self.labels[indices])

    def joined(self, other: Self) -> Self:
        """Put the images of another part behind these."""
        return type(self)(
            np.concatenate([self.images, other.images]),
            np.concatenate([self.labels, other.labels]),
        )


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set in its fixed parts.

    Parameters
    ----------
    name
        Name of the set.
    train, validation, test
        The parts. Images have shape (n, h, w), (n, h, w, c), or are rows of numbers.
    grid
        Shape (h, w) or (h, w, c) of images that are kept as rows of numbers.
    """

    name: str
    train: Part
    validation: Part
    test: Part
    grid: tuple[int, ...] | None = field(default=None, kw_only=True)

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """The three parts, in the order of `SHARES`."""
        return self.train, self.validation, self.test

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.train.images.shape[1:]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return 1 + max(int(part.labels.max()) for part in self.parts)

    @property
    def input_bits(self) -> int:
        """Bits of the highest level of any image."""
        return max(1, *(int(part.images.max()).bit_length() for part in self.parts))

    def flat(self) -> Self:
        """Make every image one row of numbers, as an MLP takes it."""
        grid = self.grid or self.shape
        return self._made(lambda images: images.reshape(len(images), -1), grid)

    def planes(self) -> Self:
        """Make images of shape (n, c, h, w), as a convolution takes them.

        The set is one as it was loaded, or a flat one.

        Raises
        ------
        DataError
            If the images have no rows and columns.
        """
        grid = self.grid or self.shape
        if len(grid) not in {2, 3}:
            problem = f"has images of shape {grid}, without rows and columns"
            remedy = (
                "Save images of shape (n, h, w) or (n, h, w, c), or choose a recipe"
                " whose network is an mlp"
            )
            raise DataError(self.name, problem, remedy)
        shape = (*grid, 1)[:3]

        def channels_first(images: Images) -> Images:
            planes = images.reshape(-1, *shape).transpose(0, 3, 1, 2)
            return np.ascontiguousarray(planes)

        return self._made(channels_first, None)

    def mean_image(self) -> npt.NDArray[np.float32]:
        """Average the train part's images: levels, in the shape of an image."""
        total = self.train.images.sum(axis=0, dtype=np.int64)  # exact in any order
        return np.asarray(total / len(self.train), np.float32)

    def _made(
        self, change: Callable[[Images], Images], grid: tuple[int, ...] | None
    ) -> Self:
        parts = (Part(change(part.images), part.labels) for part in self.parts)
        return type(self)(self.name, *parts, grid=grid)

    def fingerprint(self) -> str:
        """SHA-256 of all images and labels, part by part, in order."""
        digest = hashlib.sha256()
        for part in self.parts:
            for array in (part.images, part.labels):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def stratified(
    labels: Labels, shares: tuple[float, ...]
) -> tuple[npt.NDArray[np.int64], ...]:
    """Split indices so that each class has the same shares of every part.

    The order within a class is that of the SHA-256 of the index: fixed for ever, which
    a random generator's is not across versions.

    Parameters
    ----------
    labels
        Class of each index, shape (n,).
    shares
        Share of each part; their sum is 1.

    Returns
    -------
    tuple of arrays
        The indices of each part, ascending.
    """
    parts: list[list[int]] = [[] for _ in shares]
    borders = np.cumsum(shares)[:-1]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label).tolist()
        members.sort(key=lambda index: hashlib.sha256(str(index).encode()).digest())
        cuts = np.rint(borders * len(members)).astype(int)
        for part, chosen in zip(parts, np.split(members, cuts), strict=True):
            part.extend(chosen.tolist())
    return tuple(np.array(sorted(part), np.int64) for part in parts)
