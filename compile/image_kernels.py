# SPDX-License-Identifier: Apache-2.0
"""The emulation's loop over images, compiled by Numba and cached on disk."""

from collections.abc import Callable

import numba
import numpy as np

from hwgq.compile.graph import IntArray, Window


def _gather(
    images: IntArray, geometry: tuple[int, ...], fill: int
) -> IntArray:  # pragma: no cover - compiled
    frames, rows, columns, channels = images.shape
    out_rows, out_columns, kernel_rows, kernel_columns = geometry[:4]
    stride_row, stride_column, step_row, step_column, top, left = geometry[4:]
    windows = np.full(
        (frames, out_rows, out_columns, kernel_rows, kernel_columns, channels),
        fill,
        dtype=np.int64,
    )
    for f in numba.prange(frames):
        for i in range(out_rows):
            for j in range(out_columns):
                for a in range(kernel_rows):
                    row = i * stride_row + a * step_row - top
                    if not 0 <= row < rows:
                        continue
                    for b in range(kernel_columns):
                        column = j * stride_column + b * step_column - left
                        if 0 <= column < columns:
                            windows[f, i, j, a, b] = images[f, row, column]
    return windows


_compiled: Callable[[IntArray, tuple[int, ...], int], IntArray] = numba.njit(
    cache=True, parallel=True
)(_gather)


def gather(images: IntArray, window: Window, fill: int) -> IntArray:
    """Collect what lies under a window at each of its positions.

    Parameters
    ----------
    images
        Shape (frames, rows, columns, channels).
    window
        The window.
    fill
        What lies outside of the images.

    Returns
    -------
    Shape (frames, *window.output, *window.kernel, channels).
    """
    geometry = (
        *window.output,
        *window.kernel,
        *window.stride,
        *window.dilation,
        *window.pad,
    )
    return _compiled(np.ascontiguousarray(images), geometry, fill)
