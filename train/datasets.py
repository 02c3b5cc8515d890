# SPDX-License-Identifier: Apache-2.0
"""Data sets of integer images, in fixed train, validation and test parts.

Recipes, epochs and stops are chosen on the validation part; the test part is read
once, after the last epoch. Images stay the integers that the hardware takes.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
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


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set in its fixed parts.

    Parameters
    ----------
    name
        Name of the set.
    train, validation, test
        The parts.
    """

    name: str
    train: Part
    validation: Part
    test: Part

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
        parts = (
            Part(part.images.reshape(len(part), -1), part.labels) for part in self.parts
        )
        return type(self)(self.name, *parts)

    def fingerprint(self) -> str:
        """SHA-256 of all images and labels, part by part, in order."""
        digest = hashlib.sha256()
        for part in self.parts:
            for array in (part.images, part.labels):
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def load(name: str, data: Path | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name
        One of `LOADERS`.
    data
        The file or folder that holds it; by default, the environment's HWGQ_DATA.

    Raises
    ------
    DataError
        If the set is unknown, missing, damaged, or not of integer images.
    """
    if name not in LOADERS:
        remedy = f"Choose one of {', '.join(LOADERS)}"
        raise DataError(name, "is no data set", remedy)
    if data is not None and name in BUILT_IN:
        remedy = 'Choose a recipe whose data.set is "npz", such as mlp'
        raise DataError(data, f"is not read: the recipe's data set is {name}", remedy)
    return LOADERS[name](source(name, data))


def source(name: str, data: Path | None) -> Path | None:
    """Say where a data set is read from: `data`, else HWGQ_DATA; None if built in."""
    if name in BUILT_IN:
        return None
    if data is None and "HWGQ_DATA" in os.environ:
        data = Path(os.environ["HWGQ_DATA"])
    return data.resolve() if data else None


def _digits(data: Path | None) -> Dataset:
    """Load the 1797 digits of scikit-learn, flat 8 x 8 images of levels 0 ... 16."""
    from sklearn.datasets import load_digits  # it takes a second

    digits = load_digits()
    whole = _part("digits", digits.data.astype(np.uint8), digits.target)
    return _split("digits", whole)


def _npz(data: Path | None) -> Dataset:
    """Load a file of the user's.

    It has the arrays train_images, train_labels and test_images, test_labels (and
    validation_images, validation_labels, else a part of train); or only images and
    labels, which are split.
    """
    if data is None:
        remedy = "Name the file: --data FILE.npz, or HWGQ_DATA=FILE.npz"
        raise DataError("npz", "no file is named", remedy)
    arrays = _read_arrays(data)
    parts = {
        name: _part(f"{data}, {name}", arrays[f"{name}images"], arrays[f"{name}labels"])
        for name in ("", "train_", "validation_", "test_")
        if f"{name}images" in arrays and f"{name}labels" in arrays
    }
    if "" in parts:
        return _split(data.stem, parts[""])
    if not {"train_", "test_"} <= set(parts):
        problem = f"holds {', '.join(sorted(arrays)) or 'nothing'}"
        remedy = (
            "Save images and labels; or train_images, train_labels, test_images and"
            " test_labels"
        )
        raise DataError(data, problem, remedy)
    train, test = parts["train_"], parts["test_"]
    if "validation_" in parts:
        validation = parts["validation_"]
    else:
        kept, held_out = stratified(train.labels, (0.8, 0.2))
        train, validation = train.take(kept), train.take(held_out)
    return _checked(Dataset(data.stem, train, validation, test))


LOADERS: Mapping[str, Callable[[Path | None], Dataset]] = MappingProxyType(
    {"digits": _digits, "npz": _npz}
)
"""What `load` knows, by name."""

BUILT_IN = frozenset({"digits"})
"""Data sets that come with a library, and need no file."""


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


def _split(name: str, whole: Part) -> Dataset:
    parts = (whole.take(chosen) for chosen in stratified(whole.labels, SHARES))
    return _checked(Dataset(name, *parts))


def _checked(dataset: Dataset) -> Dataset:
    for name, part in zip(("train", "validation", "test"), dataset.parts, strict=True):
        if not len(part):
            remedy = "Give at least 5 images of each class"
            raise DataError(dataset.name, f"has an empty {name} part", remedy)
        if part.images.shape[1:] != dataset.shape:
            problem = f"has {name} images of another shape, {part.images.shape[1:]}"
            raise DataError(dataset.name, problem, f"Make all of them {dataset.shape}")
    return dataset


def _part(
    place: str, images: npt.NDArray[np.generic], labels: npt.NDArray[np.generic]
) -> Part:
    """Check the arrays of one part and give them their types."""
    if images.dtype.kind not in "iub" or images.ndim < 2:
        problem = f"has images of type {images.dtype}, shape {images.shape}"
        remedy = "Save integers 0 ... 255 of shape (n, features) or (n, h, w, c)"
        raise DataError(place, problem, remedy)
    if images.size and not 0 <= int(images.min()) <= int(images.max()) <= MAX_LEVEL:
        problem = f"has levels {int(images.min())} ... {int(images.max())}"
        raise DataError(place, problem, f"Bring them to 0 ... {MAX_LEVEL}")
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        problem = f"has labels of type {labels.dtype}, shape {labels.shape}"
        remedy = f"Save integers of shape ({len(images)},), one an image"
        raise DataError(place, problem, remedy)
    if labels.size and int(labels.min()) < 0:
        raise DataError(place, "has a negative label", "Number the classes from 0")
    return Part(images.astype(np.uint8), labels.astype(np.int64))


def _read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.lib.npyio.NpzFile):
            with file:
                return dict(file)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise DataError(path, problem, "Check the name") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        problem = f"is not an npz file of plain arrays ({error})"
        raise DataError(path, problem, "Make it with numpy.savez") from error
    raise DataError(path, "is one array", "Make an npz file with numpy.savez")
