# SPDX-License-Identifier: Apache-2.0
"""Arrays of the user's own in an npz file."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwgq.errors import DataError
from hwgq.train.datasets.checks import checked, held_out, part, split
from hwgq.train.datasets.parts import Dataset


def load(data: Path | None) -> Dataset:
    """Load a file of the user's; without a validation part, a fifth of train is it.

    Raises
    ------
    DataError
        If no file is named, or it is damaged or not of integer images.
    """
    if data is None:
        remedy = "Name the file: --data FILE.npz, or HWGQ_DATA=FILE.npz"
        raise DataError("npz", "no file is named", remedy)
    return read(data, share=0.2)


def read(path: Path, share: float) -> Dataset:
    """Read a file and hold `share` of train out where it has no validation part.

    It has the arrays train_images, train_labels and test_images, test_labels (and
    validation_images, validation_labels, else a part of train); or only images and
    labels, which are split. Errors as `load`.
    """
    arrays = _read_arrays(path)
    parts = {
        name: part(f"{path}, {name}", arrays[f"{name}images"], arrays[f"{name}labels"])
        for name in ("", "train_", "validation_", "test_")
        if f"{name}images" in arrays and f"{name}labels" in arrays
    }
    if "" in parts:
        return split(path.stem, parts[""])
    if not {"train_", "test_"} <= set(parts):
        problem = f"holds {', '.join(sorted(arrays)) or 'nothing'}"
        remedy = (
            "Save images and labels; or train_images, train_labels, test_images and"
            " test_labels"
        )
        raise DataError(path, problem, remedy)
    train, test = parts["train_"], parts["test_"]
    if "validation_" in parts:
        validation = parts["validation_"]
    else:
        train, validation = held_out(train, share)
    return checked(Dataset(path.stem, train, validation, test))


def _read_arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        file = np.load(path, allow_pickle=False)
        if isinstance(file, np.lib.npyio.NpzFile):
            with file:
                return dict(file)
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise DataError(path, problem, "Check the name") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        problem = f"is not an npz file of plain arrays ({error})"
        raise DataError(path, problem, "Make it with numpy.savez") from error
    raise DataError(path, "is one array", "Make an npz file with numpy.savez")
