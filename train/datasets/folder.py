# SPDX-License-Identifier: Apache-2.0
"""Folders of images, one folder a class, as torchvision's `ImageFolder` takes them.

DIR/train/CLASS/* and DIR/test/CLASS/*, with or without DIR/val/CLASS/* (or
DIR/validation/CLASS/*); or DIR/CLASS/*, which is split.
"""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hwgq.errors import DataError, OptionError
from hwgq.foreign import guarded
from hwgq.progress import track
from hwgq.train.datasets.checks import checked, held_out, part, split
from hwgq.train.datasets.decoding import Form, common_form, decode
from hwgq.train.datasets.parts import Dataset, Part

_PARTS = ("train", "val", "validation", "test")

Files = list[tuple[Path, int]]
"""Images and the numbers of their classes."""


def load(data: Path | None, size: int | None = None) -> Dataset:
    """Load a folder of images; without a validation part, a fifth of train is it.

    Images have shape (n, h, w) where all files are grey, else (n, h, w, 3): red, green,
    blue.

    Parameters
    ----------
    data
        The folder.
    size
        Pixels: the shorter side of every image is scaled to this, and the middle square
        cut out. By default all images must be of one shape.

    Raises
    ------
    DataError
        If no folder is named, its parts do not have the same classes, or an image is
        damaged or of another shape.
    OptionError
        If `size` is not positive.
    """
    if data is None:
        remedy = "Name the folder: --data DIR, or HWGQ_DATA=DIR"
        raise DataError("folder", "no folder is named", remedy)
    if size is not None and size < 1:
        raise OptionError("size", f"cannot be {size}", "Choose 1 or more pixels")
    found = _find(data)
    form = common_form([path for files in found.values() for path, _ in files], size)
    parts = {name: _read(data / name, files, form) for name, files in found.items()}
    if "" in parts:
        return split(data.name, parts[""])
    train, validation = parts["train"], parts.get("val", parts.get("validation"))
    if validation is None:
        train, validation = held_out(train, 0.2)
    return checked(Dataset(data.name, train, validation, parts["test"]))


def _find(data: Path) -> Mapping[str, Files]:
    """Find the files of each part, or of the part "" where there are none."""
    names = [name for name in _PARTS if (data / name).is_dir()] or [""]
    lacking = {"train", "test"} - set(names)
    if names != [""] and lacking:
        problem = f"has a folder {names[0]}, but none named {lacking.pop()}"
        remedy = (
            "Put the images into train/CLASS, test/CLASS and, if you like, val/CLASS;"
            " or into CLASS alone"
        )
        raise DataError(data, problem, remedy)
    files, classes = {}, {}
    for name in names:
        files[name], classes[name] = _list(data / name)
        differing = set(classes[name]) ^ set(classes[names[0]])
        if differing:
            one = min(differing)
            problem = f"has a class {one} in only one of {names[0]} and {name}"
            remedy = "Give all parts the same class folders"
            raise DataError(data, problem, remedy)
    return files


def _list(folder: Path) -> tuple[Files, list[str]]:
    """List the images of one part, and its classes in alphabetical order."""
    from torchvision.datasets import ImageFolder

    remedy = "Make a folder for each class, with its images in it"
    with guarded(DataError, str(folder), "is no folder of images", remedy):
        listed = ImageFolder(folder)
    return [(Path(path), label) for path, label in listed.samples], listed.classes


def _read(folder: Path, files: Files, form: Form) -> Part:
    """Decode the images of one part; Pillow leaves Python's lock meanwhile."""
    images = np.empty((len(files), *form.shape), np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        decoded = threads.map(lambda file: decode(file[0], form), files)
        description = f"Decoding {len(files)} images of {folder}"
        for image, pixels in zip(
            images, track(decoded, description, len(files)), strict=True
        ):
            image[...] = pixels
    return part(str(folder), images, np.array([label for _, label in files]))
