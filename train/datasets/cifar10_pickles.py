# SPDX-License-Identifier: Apache-2.0
"""CIFAR-10's Python version: pickles, read without running anything they name.

A pickle calls whatever function its file names. Here the four names that these files
need stand for small stand-ins that only keep their arguments, and no other is known.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from hwgq.errors import DataError
from hwgq.foreign import guarded

_REMEDY = "Get the data set again, from a source that you trust"


def read_batch(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.generic]]:
    """Read one file.

    Returns
    -------
    levels, labels
        Shapes (n, 3072), channel after channel, and (n,).

    Raises
    ------
    DataError
        If the file is damaged, or names any other function or class.
    """
    with guarded(DataError, str(path), "is no batch of CIFAR-10", _REMEDY):
        with path.open("rb") as file:
            table = _Unpickler(path, file).load()
        return table[b"data"].levels(), np.array(table[b"labels"])


class _Array:
    """What an array of a pickle consists of."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def levels(self) -> npt.NDArray[np.uint8]:
        """Make the array that it stands for, if it is one of bytes."""
        _, (count, width), kind, columns_first, data = self.state
        if kind.code not in {"u1", b"u1"} or columns_first or width != 3072:
            message = f"data of type {kind.code}, shape ({count}, {width})"
            raise ValueError(message)
        return np.frombuffer(data, np.uint8).reshape(count, width)


class _Type:
    """A NumPy type's name."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        self.code = code

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order and field names, of which bytes have none."""


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Do what `_codecs.encode` does, for the one encoding that pickles of bytes use."""
    if encoding != "latin1":
        raise ValueError(encoding)
    return text.encode("latin1")


_KNOWN: Mapping[tuple[str, str], Any] = MappingProxyType(
    {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type,
        ("_codecs", "encode"): _encode,
    }
)


class _Unpickler(pickle.Unpickler):
    """An unpickler that finds no function or class but the stand-ins."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        super().__init__(file, encoding="bytes")
        self.path = path

    def find_class(self, module: str, name: str) -> Any:
        """Find a stand-in; pickle calls this for every name in the file."""
        if (module, name) not in _KNOWN:
            problem = f"names {module}.{name}, which CIFAR-10 has no need of"
            raise DataError(self.path, f"{problem}; it was not run", _REMEDY)
        return _KNOWN[module, name]
