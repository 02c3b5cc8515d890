# SPDX-License-Identifier: Apache-2.0
"""Data sets of integer images, in fixed train, validation and test parts.

Recipes, epochs and stops are chosen on the validation part; the test part is read
once, after the last epoch. Images stay the integers that the hardware takes.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from hwgq.errors import DataError
from hwgq.train.datasets import cifar10, digits, folder, idx, npz
from hwgq.train.datasets.parts import (
    MAX_LEVEL,
    SHARES,
    Dataset,
    Images,
    Labels,
    Part,
    stratified,
)

__all__ = [
    "BUILT_IN",
    "LOADERS",
    "MAX_LEVEL",
    "SHARES",
    "Dataset",
    "Images",
    "Labels",
    "Part",
    "load",
    "source",
    "stratified",
]

LOADERS: Mapping[str, Callable[[Path | None], Dataset]] = MappingProxyType(
    {
        "digits": digits.load,
        "mnist": idx.load_mnist,
        "fashion-mnist": idx.load_fashion_mnist,
        "cifar10": cifar10.load,
        "folder": folder.load,
        "npz": npz.load,
    }
)
"""What `load` knows, by name."""

BUILT_IN = frozenset({"digits"})
"""Data sets that come with a library, and need no file."""


def load(name: str, data: Path | None = None, *, size: int | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    name
        One of `LOADERS`.
    data
        The file or folder that holds it; by default, the environment's HWGQ_DATA.
        Without either, MNIST, Fashion-MNIST and CIFAR-10 are downloaded once.
    size
        Rows and columns, in pixels, that the images of a folder are brought to; by
        default they stay as they are.

    Raises
    ------
    DataError
        If the set is unknown, missing, damaged, or not of integer images; or if `size`
        is given for another one than a folder.
    OptionError
        If `size` is not positive.
    StorageError
        If the cache of downloads cannot be written.
    """
    if name not in LOADERS:
        remedy = f"Choose one of {', '.join(LOADERS)}"
        raise DataError(name, "is no data set", remedy)
    if data is not None and name in BUILT_IN:
        remedy = 'Choose a recipe whose data.set is "npz", such as mlp'
        raise DataError(data, f"is not read: the recipe's data set is {name}", remedy)
    place = source(name, data)
    if name == "folder":
        return folder.load(place, size)
    if size is not None:
        problem = f"has images of a fixed size: size = {size} cannot be had"
        raise DataError(name, problem, "Remove size from the recipe's [data] table")
    return LOADERS[name](place)


def source(name: str, data: Path | None) -> Path | None:
    """Say where a data set is read from: `data`, else HWGQ_DATA.

    None if it is built in, or is downloaded.
    """
    if name in BUILT_IN:
        return None
    if data is None and os.environ.get("HWGQ_DATA"):
        data = Path(os.environ["HWGQ_DATA"])
    return data.resolve() if data else None
