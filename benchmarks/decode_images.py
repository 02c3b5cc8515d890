# SPDX-License-Identifier: Apache-2.0
"""Turn an npz file of encoded images into one that the `npz` and `cifar10` sets read.

Run `python -m benchmarks.decode_images IN.npz OUT.npz` in the project's root. IN.npz
holds {train,test}_{jpeg,webp} (all files' bytes in a row), _offset and _label: image i
is the bytes offset[i] ... offset[i + 1]. OUT.npz holds train_images, train_labels,
test_images and test_labels, uncompressed, for it is read more often than kept.
"""

import io
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from hwgq.progress import track

CODECS = ("jpeg", "webp")


def decode(
    data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64], description: str
) -> npt.NDArray[np.uint8]:
    """Decode images of one shape to levels, shape (n, h, w, 3)."""
    with Image.open(io.BytesIO(data[: offsets[1]].tobytes())) as first:
        size = first.size
    images = np.empty((len(offsets) - 1, size[1], size[0], 3), np.uint8)
    for index in track(range(len(images)), description):
        encoded = data[offsets[index] : offsets[index + 1]].tobytes()
        with Image.open(io.BytesIO(encoded)) as image:
            images[index] = np.asarray(image.convert("RGB"))
    return images


def main() -> None:
    """Read the one file and write the other."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = map(Path, sys.argv[1:])
    arrays = {}
    with np.load(source, allow_pickle=False) as file:
        for part in ("train", "test"):
            key = next(
                f"{part}_{codec}" for codec in CODECS if f"{part}_{codec}" in file
            )
            images = decode(file[key], file[f"{part}_offset"], f"Decoding {key}")
            arrays[f"{part}_images"] = images
            arrays[f"{part}_labels"] = file[f"{part}_label"].astype(np.int64)
            print(f"{part}: {images.shape}")
    np.savez(target, **arrays)


if __name__ == "__main__":
    main()
