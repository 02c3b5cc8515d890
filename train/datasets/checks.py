# SPDX-License-Identifier: Apache-2.0
"""Checks that every data set passes, whatever it was read from."""

import numpy as np
import numpy.typing as npt

from hwgq.errors import DataError
from hwgq.train.datasets.parts import MAX_LEVEL, SHARES, Dataset, Part, stratified


def part(
    place: str, images: npt.NDArray[np.generic], labels: npt.NDArray[np.generic]
) -> Part:
    """Check the arrays of one part and give them their types.

    Raises
    ------
    DataError
        If `images` are not levels of shape (n, ...), or `labels` not n classes.
    """
    if images.dtype.kind not in "iub" or images.ndim < 2:
        problem = f"has images of type {images.dtype}, shape {images.shape}"
        remedy = (
            "Save integers 0 ... 255 of shape (n, features), (n, h, w) or (n, h, w, c)"
        )
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
    return Part(images.astype(np.uint8, copy=False), labels.astype(np.int64))


def split(name: str, whole: Part) -> Dataset:
    """Make a data set of one that has no parts, by `SHARES`; errors as `checked`."""
    parts = (whole.take(chosen) for chosen in stratified(whole.labels, SHARES))
    return checked(Dataset(name, *parts))


def held_out(train: Part, share: float) -> tuple[Part, Part]:
    """Divide a train part into one to train on and one to validate on."""
    kept, out = stratified(train.labels, (1 - share, share))
    return train.take(kept), train.take(out)


def checked(dataset: Dataset) -> Dataset:
    """Give the data set back if its parts fit together.

    Raises
    ------
    DataError
        If a part is empty, has images of another shape, or lacks a class of train's.
    """
    for name, part in zip(("train", "validation", "test"), dataset.parts, strict=True):
        if not len(part):
            remedy = "Give at least 5 images of each class"
            raise DataError(dataset.name, f"has an empty {name} part", remedy)
        if part.images.shape[1:] != dataset.shape:
            problem = f"has {name} images of another shape, {part.images.shape[1:]}"
            raise DataError(dataset.name, problem, f"Make all of them {dataset.shape}")
    _check_classes(dataset)
    return dataset


def _check_classes(dataset: Dataset) -> None:
    """Refuse numbers of classes that no train image has: the network cannot learn them.

    A typing error in one label would otherwise make a network of a million classes.
    """
    present = np.unique(dataset.train.labels)
    highest = int(present[-1])
    if highest >= len(present):
        missing = int(np.flatnonzero(present != np.arange(len(present)))[0])
        problem = f"has no train image of class {missing}, but of class {highest}"
        remedy = "Number the classes 0, 1, 2, ..., and give each of them train images"
        raise DataError(dataset.name, problem, remedy)
    for name, part in (("validation", dataset.validation), ("test", dataset.test)):
        label = int(part.labels.max())
        if label > highest:
            problem = f"has {name} images of class {label}, train none above {highest}"
            remedy = "Give train images of every class, or leave these out"
            raise DataError(dataset.name, problem, remedy)
