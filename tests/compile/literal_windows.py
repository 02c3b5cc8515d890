# SPDX-License-Identifier: Apache-2.0
"""Convolution and max pooling as ONNX's text defines them, one output at a time.

ONNX's own reference evaluator is wrong for some paddings (see explicit_pads.py).
"""

import itertools

import numpy as np
from onnx.reference.op_run import OpRun


def output_size(size, taps, where, axis):
    """Give positions along one axis, and how far the first one lies outside."""
    stride, extent = where["strides"][axis], where["dilations"][axis] * (taps - 1) + 1
    before, behind = where["pads"][axis], where["pads"][axis + 2]
    mode = where["auto_pad"]
    if mode.startswith("SAME"):
        positions = -(-size // stride)
        total = max(0, (positions - 1) * stride + extent - size)
        return positions, total // 2 if mode == "SAME_UPPER" else total - total // 2
    if mode == "VALID":
        before = behind = 0
    room = size + before + behind - extent
    if not where["ceil_mode"]:
        return room // stride + 1, before
    positions = -(-room // stride) + 1
    # A position that begins in the padding behind does not count.
    return positions - ((positions - 1) * stride >= size + before), before


def windows(x, kernel, where):
    """Yield each position, and what lies under its taps; NaN where that is nothing."""
    sizes = [output_size(x.shape[2 + a], kernel[a], where, a) for a in (0, 1)]
    (rows, _), (columns, _) = sizes
    for position in itertools.product(range(rows), range(columns)):
        met = [
            np.arange(taps) * dilation + place * stride - pad
            for taps, dilation, place, stride, (_, pad) in zip(
                kernel,
                where["dilations"],
                position,
                where["strides"],
                sizes,
                strict=True,
            )
        ]
        under = np.full((*x.shape[:2], *kernel), np.nan)
        inside = [(m >= 0) & (m < n) for m, n in zip(met, x.shape[2:], strict=True)]
        pixels = np.ix_(*(m[i] for m, i in zip(met, inside, strict=True)))
        under[:, :, *np.ix_(*inside)] = x[:, :, *pixels]
        yield (rows, columns), position, under


def geometry(attributes):
    """Write the defaults of a window's attributes out."""
    where = {
        "strides": [1, 1],
        "dilations": [1, 1],
        "pads": [0] * 4,
        "auto_pad": "NOTSET",
        "ceil_mode": 0,
    }
    return where | {k: v for k, v in attributes.items() if k in where and v is not None}


class Conv(OpRun):
    op_domain = ""

    def _run(self, x, weights, bias=None, group=1, **attributes):
        where = geometry(attributes)
        result = None
        for sizes, position, under in windows(x, weights.shape[2:], where):
            if result is None:
                result = np.zeros((len(x), len(weights), *sizes))
            parts = np.split(np.nan_to_num(under), group or 1, axis=1)
            kernels = np.split(weights, group or 1)
            sums = [
                np.einsum("fchw,rchw->fr", part, kernel)
                for part, kernel in zip(parts, kernels, strict=True)
            ]
            result[:, :, *position] = np.concatenate(sums, axis=1)
        return (result if bias is None else result + bias.reshape(-1, 1, 1),)


class MaxPool(OpRun):
    op_domain = ""

    def _run(self, x, kernel_shape=None, **attributes):
        result = None
        for sizes, position, under in windows(x, kernel_shape, geometry(attributes)):
            if result is None:
                result = np.zeros((*x.shape[:2], *sizes))
            result[:, :, *position] = np.nanmax(under, axis=(2, 3))
        return (result,)
