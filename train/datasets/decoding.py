# SPDX-License-Identifier: Apache-2.0
"""Decoding of image files to levels, all of one shape."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from hwgq.errors import DataError
from hwgq.foreign import guarded
from hwgq.progress import track
from hwgq.train.datasets.parts import Images

_DAMAGED = ("cannot be decoded", "Replace the file, or remove it")


@dataclass(frozen=True, slots=True)
class Form:
    """What all images of a set are brought to.

    Parameters
    ----------
    mode
        Pillow's name of the colours, "L" (grey) or "RGB".
    height, width
        Pixels.
    resized
        Whether images are scaled and cut to this; else they have it.
    """

    mode: str
    height: int
    width: int
    resized: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image: grey ones have no axis of channels."""
        size = (self.height, self.width)
        return size if self.mode == "L" else (*size, 3)


def common_form(paths: list[Path], size: int | None) -> Form:
    """Find the form of all files, from their headers.

    Parameters
    ----------
    paths
        The files, at least one.
    size
        Pixels of the sides that images are brought to, None to leave them as they are.

    Raises
    ------
    DataError
        If a file is no image, has more than 8 bits a level, or, without `size`, is of
        another shape than the first.
    """
    grey = True
    first = None
    for path in track(paths, f"Looking at {len(paths)} images"):
        with guarded(DataError, str(path), *_DAMAGED), Image.open(path) as image:
            mode, found = image.mode, image.size
        if mode[0] in "IF":
            problem = f"has more than 8 bits a level (mode {mode})"
            raise DataError(path, problem, "Save it with 8 bits a level")
        grey &= mode in {"1", "L"}
        first = first or found
        if size is None and found != first:
            problem = f"has {_pixels(found)} pixels, {paths[0].name} {_pixels(first)}"
            remedy = (
                "Make all images alike, or let size in the recipe's [data] table do"
                f" so: size = {min(first)}"
            )
            raise DataError(path, problem, remedy)
    assert first, "no files"
    width, height = (size, size) if size else first
    return Form("L" if grey else "RGB", height, width, bool(size))


def decode(path: Path, form: Form) -> Images:
    """Decode a file to levels of shape `form.shape`.

    Raises
    ------
    DataError
        If it is damaged or too large.
    """
    from torchvision.transforms import functional

    with guarded(DataError, str(path), *_DAMAGED), Image.open(path) as image:
        pixels = image.convert(form.mode)
        if form.resized:
            bicubic = functional.InterpolationMode.BICUBIC
            scaled = functional.resize(pixels, [form.height], bicubic)
            pixels = functional.center_crop(scaled, [form.height])
        return np.asarray(pixels)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
