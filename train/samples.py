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

import numpy as np
import numpy.typing as npt
from torch import nn

from hwgq.train.float_witness import Witness, added, witnessed_batches
from hwgq.train.flow import Images, Int64

KEPT_FRAMES = 32
"""Frames whose levels are kept whole."""

Arrays = dict[str, npt.NDArray[np.generic]]


def collect(model: nn.Module, images: Images, labels: Int64) -> Arrays:
    """Compute the arrays of samples.npz, see the module; some frames at a time.

    Raises
    ------
    MismatchError
        If float32 PyTorch differs from the reference by more than rounding.
    UnsupportedLayerError
        As `hwgq.train.reference`.
    """
    table: tuple[Witness, ...] = ()
    pieces: dict[str, list[npt.NDArray[np.generic]]] = {}
    kept: Arrays = {}
    for exact, rows in witnessed_batches(model, images):
        table = added(table, rows)
        pieces.setdefault("logits", []).append(exact.logits)
        pieces.setdefault("accumulators", []).append(exact.accumulators)
        for name, codes in exact.levels.items():
            kept.setdefault(f"levels/{name}", codes[:KEPT_FRAMES])
            pieces.setdefault(f"sha256/{name}", []).append(frame_digests(codes))
    return {
        "images": images,
        "labels": labels,
        **{name: np.concatenate(parts) for name, parts in pieces.items()},
        **kept,
        "witness/layer": np.array([row.layer for row in table]),
        "witness/elements": np.array([row.elements for row in table], np.int64),
        "witness/ties": np.array([row.ties for row in table], np.int64),
        "witness/bound": np.array([row.bound for row in table], np.float64),
    }


def frame_digests(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Digest each frame; codes of shape (n, ...), digests of shape (n, 32)."""
    digests = b"".join(hashlib.sha256(frame.tobytes()).digest() for frame in codes)
    return np.frombuffer(digests, np.uint8).reshape(len(codes), 32)
