# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST: 28 x 28 grey images of ten classes, in idx files.

An idx file is 0, 0, 8 (bytes), the number of axes, their lengths as big-endian 32-bit
integers, and the bytes. Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST
database of handwritten digits.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwgq.errors import DataError
from hwgq.train.datasets.checks import checked, held_out, part
from hwgq.train.datasets.files import cached, find
from hwgq.train.datasets.parts import Dataset

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""Names of the files; each may end in .gz."""


def load_mnist(data: Path | None) -> Dataset:
    """Load MNIST from idx files in a folder, else from the network or the cache.

    The official test part is test, a twelfth of the official train part validation.

    Raises
    ------
    DataError
        If a file is missing or damaged.
    StorageError
        If the cache cannot be written.
    """
    return _load("mnist", "MNIST", data, hint="")


def load_fashion_mnist(data: Path | None) -> Dataset:
    """Load Fashion-MNIST; parts and errors as `load_mnist`."""
    hint = ". Debian's package dataset-fashion-mnist has them, too"
    return _load("fashion-mnist", "FashionMNIST", data, hint)


def _load(name: str, folder: str, data: Path | None, hint: str) -> Dataset:
    def fetch(scratch: Path) -> None:
        import torchvision.datasets

        getattr(torchvision.datasets, folder)(scratch, download=True)

    remedy = (
        f"Put {', '.join(FILES)} (.gz or not) into a folder DIR, and name it:"
        f" --data DIR, or HWGQ_DATA=DIR{hint}"
    )
    home = data or cached(name, folder, fetch, remedy)
    # The folders that bear the set's name come first: the files' names do not tell
    # the two sets apart.
    places = (home / folder / "raw", home / name, home)
    paths, missing = find(places, FILES, ("", ".gz"))
    if missing:
        raise DataError(home, f"lacks {', '.join(missing)} of {name}", remedy)
    train = part(str(paths[0]), _read(paths[0], axes=3), _read(paths[1], axes=1))
    test = part(str(paths[2]), _read(paths[2], axes=3), _read(paths[3], axes=1))
    return checked(Dataset(name, *held_out(train, 1 / 12), test))


def _read(path: Path, axes: int) -> npt.NDArray[np.uint8]:
    """Read an idx file of bytes."""
    remedy = "Delete it and get it again"
    try:
        data = path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(path, f"cannot be read ({error})", remedy) from error
    start = 4 + 4 * axes
    magic = bytes((0, 0, 8, axes))
    if len(data) < start or data[:4] != magic:
        problem = f"does not begin as an idx file of bytes with {axes} axes"
        raise DataError(path, problem, remedy)
    shape = struct.unpack_from(f">{axes}I", data, 4)
    if len(data) - start != math.prod(shape):
        problem = f"is not whole: {len(data) - start} bytes for shape {shape}"
        raise DataError(path, problem, remedy)
    # A copy, for PyTorch wants arrays that can be written.
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()
