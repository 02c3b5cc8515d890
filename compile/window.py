# SPDX-License-Identifier: Apache-2.0
"""Where the window of a convolution or a pooling lies on its input."""

import math
from dataclasses import dataclass

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that moves over an image; each pair is (rows, columns).

    What lies below and to the right of the image follows from `output`: padding where
    the window still reaches it, pixels that no window meets where it does not.

    Parameters
    ----------
    input, output
        Pixels of the image, and positions of the window.
    kernel
        Taps of the window.
    stride
        Pixels from one position to the next.
    dilation
        Pixels from one tap to the next.
    pad
        Pixels by which the first position lies outside, above and to the left.
    """

    input: Pair
    output: Pair
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pad: Pair = (0, 0)

    @property
    def pixels_in(self) -> int:
        """Pixels of the image."""
        return math.prod(self.input)

    @property
    def pixels_out(self) -> int:
        """Positions of the window."""
        return math.prod(self.output)

    @property
    def taps(self) -> int:
        """Elements under the window, of one channel."""
        return math.prod(self.kernel)

    @property
    def extent(self) -> Pair:
        """Pixels that the window spans."""
        rows, columns = (
            d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True)
        )
        return rows, columns

    @property
    def pad_end(self) -> Pair:
        """Pixels by which the last position lies outside, below and to the right."""
        rows, columns = (
            max(0, (o - 1) * s + e - p - i)
            for o, s, e, p, i in zip(
                self.output,
                self.stride,
                self.extent,
                self.pad,
                self.input,
                strict=True,
            )
        )
        return rows, columns

    @property
    def padded(self) -> bool:
        """Whether any position reaches outside the image."""
        return any((*self.pad, *self.pad_end))

    @property
    def whole(self) -> bool:
        """Whether the only position takes the whole image, as it is."""
        return self.kernel == self.input and self.output == (1, 1) and self._all_inside

    @property
    def pointwise(self) -> bool:
        """Whether the window is each pixel by itself."""
        return self.taps == 1 and self.output == self.input and self._all_inside

    @property
    def _all_inside(self) -> bool:
        """Whether no tap ever lies outside of the image; `pad_end` may be of no use."""
        axes = zip(
            *(self.input, self.output, self.kernel, self.stride, self.dilation),
            strict=True,
        )
        return self.pad == (0, 0) and all(
            (positions - 1) * stride + (taps - 1) * dilation < size
            for size, positions, taps, stride, dilation in axes
        )
