# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10: 32 x 32 colour images of ten classes, in any of its three file formats.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwgq.errors import DataError
from hwgq.train.datasets import npz
from hwgq.train.datasets.checks import checked, held_out, part
from hwgq.train.datasets.cifar10_pickles import read_batch
from hwgq.train.datasets.files import cached, find
from hwgq.train.datasets.parts import Dataset, Images

SHAPE = (32, 32, 3)
"""Rows, columns and channels of an image."""

BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
"""Names of the Python version's files; those of the binary version end in .bin."""

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
_SHARE = 0.1
_BINARY, _PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"
_BINARY_FILES = tuple(f"{name}.bin" for name in BATCHES)

Batch = tuple[npt.NDArray[np.uint8], npt.NDArray[np.generic]]
"""Rows of 3072 levels, channel after channel, and their labels."""


def load(data: Path | None) -> Dataset:
    """Load CIFAR-10 from a folder or npz file, else from the network or the cache.

    Read are the binary version, else the Python version, of which nothing is run; or an
    npz file as `hwgq.train.datasets.npz` describes. The official test part is test, a
    tenth of the official train part validation.

    Raises
    ------
    DataError
        If a file is missing, damaged, or holds more than images and labels.
    StorageError
        If the cache cannot be written.
    """
    if data is not None and data.suffix.lower() == ".npz":
        return _from_npz(data)
    remedy = (
        f"Put {', '.join(_BINARY_FILES)} into a folder DIR/{_BINARY} (or the Python"
        f" version's into DIR/{_PYTHON}), and name it: --data DIR, or HWGQ_DATA=DIR; or"
        " name an npz file with train_images, train_labels, test_images, test_labels"
    )
    home = data or cached("cifar10", _BINARY, _fetch, remedy)
    files, missing = find((home / _BINARY, home), _BINARY_FILES)
    if not missing:
        return _from_batches(home, files, _read_binary)
    pickles, missing_pickles = find((home / _PYTHON, home), BATCHES)
    if not missing_pickles:
        return _from_batches(home, pickles, read_batch)
    lacking = min(missing, missing_pickles, key=len)
    raise DataError(home, f"lacks {', '.join(lacking)} of cifar10", remedy)


def _fetch(scratch: Path) -> None:
    from torchvision.datasets import utils

    archive = scratch / "archive"
    utils.download_and_extract_archive(_URL, archive, scratch, md5=_MD5)


def _from_npz(path: Path) -> Dataset:
    dataset = replace(npz.read(path, _SHARE), name="cifar10")
    if dataset.shape != SHAPE:
        problem = f"has images of shape {dataset.shape}, those of cifar10 are {SHAPE}"
        remedy = 'Name another file, or choose a recipe whose data.set is "npz"'
        raise DataError(path, problem, remedy)
    return dataset


def _from_batches(
    home: Path, files: list[Path], read: Callable[[Path], Batch]
) -> Dataset:
    batches = [read(file) for file in files]
    images = np.concatenate([_channels_last(levels) for levels, _ in batches[:-1]])
    labels = np.concatenate([labels for _, labels in batches[:-1]])
    train = part(f"{home}, train", images, labels)
    test = part(f"{home}, test", _channels_last(batches[-1][0]), batches[-1][1])
    return checked(Dataset("cifar10", *held_out(train, _SHARE), test))


def _channels_last(levels: npt.NDArray[np.uint8]) -> Images:
    """Turn rows of three planes into images of shape (n, 32, 32, 3)."""
    return np.ascontiguousarray(levels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _read_binary(path: Path) -> Batch:
    """Read rows of a label and 3072 levels."""
    data = np.fromfile(path, np.uint8)
    width = 1 + int(np.prod(SHAPE))
    if not data.size or data.size % width:
        problem = f"is not whole: {data.size} bytes are no multiple of {width}"
        raise DataError(path, problem, "Delete it and get it again")
    rows = data.reshape(-1, width)
    return rows[:, 1:], rows[:, 0]
