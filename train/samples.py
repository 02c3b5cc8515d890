# SPDX-License-Identifier: Apache-2.0
"""samples.npz: what the reference computes on the test part, to verify builds by.

=================== ======= ============== ==========================================
array               type    shape          contents
=================== ======= ============== ==========================================
images              uint8   (n, ...)       the test part, as the network takes it
labels              int64   (n,)           its classes
logits              float64 (n, classes)   the reference's
accumulators        int32   (n, rows)      the last layer's dot products
levels/NAME         uint8   (<= 32, ...)   codes of quantizer NAME, the first frames
sha256/NAME         uint8   (n, 32)        digest of each frame's codes
witness/layer       str     (layers,)      names of the quantizers
witness/elements    int64   (layers,)      levels compared with float32 PyTorch
witness/ties        int64   (layers,)      levels that differ, all of them ties
witness/bound       float64 (layers,)      largest float32 error bound
=================== ======= ============== ==========================================

A digest is the SHA-256 of one frame's codes as unsigned bytes in C order.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwgq.train.exact import Reference
from hwgq.train.float_witness import Witness

KEPT_FRAMES = 32
"""Frames whose levels are kept whole."""


def collect(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    exact: Reference,
    table: Sequence[Witness],
) -> dict[str, npt.NDArray[np.generic]]:
    """Collect the arrays of samples.npz, see the module."""
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "images": images,
        "labels": labels,
        "logits": exact.logits,
        "accumulators": exact.accumulators,
        "witness/layer": np.array([row.layer for row in table]),
        "witness/elements": np.array([row.elements for row in table], np.int64),
        "witness/ties": np.array([row.ties for row in table], np.int64),
        "witness/bound": np.array([row.bound for row in table], np.float64),
    }
    for name, codes in exact.levels.items():
        arrays[f"levels/{name}"] = codes[:KEPT_FRAMES]
        arrays[f"sha256/{name}"] = frame_digests(codes)
    return arrays


def frame_digests(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Digest each frame; codes of shape (n, ...), digests of shape (n, 32)."""
    digests = b"".join(hashlib.sha256(frame.tobytes()).digest() for frame in codes)
    return np.frombuffer(digests, np.uint8).reshape(len(codes), 32)
