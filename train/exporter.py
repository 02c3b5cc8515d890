# SPDX-License-Identifier: Apache-2.0
"""From a trained network to network.onnx and samples.npz, which the compiler reads."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

import hwgq
from hwgq.errors import DataError
from hwgq.stages import run_stage
from hwgq.storage import locked, sha256_file, write_bytes, write_npz
from hwgq.train.flow import Images, Int64
from hwgq.train.qonnx_check import check_network
from hwgq.train.qonnx_writer import export_network
from hwgq.train.runs import load_run
from hwgq.train.samples import collect

__all__ = ["export", "export_network", "export_run"]

NETWORK, SAMPLES = "network.onnx", "samples.npz"
"""Names of the files."""

CHECKED_FRAMES = 8
"""Frames on which the written file is executed."""


def export(
    model: nn.Module,
    folder: Path,
    images: Images,
    labels: Int64,
    *,
    input_bits: int | None = None,
) -> Path:
    """Write a network of your own for the compiler, checked against the reference.

    Parameters
    ----------
    model
        The trained network, see `hwgq.train.chain`. It is left as it is.
    folder
        Where network.onnx and samples.npz go; made where it is not there.
    images
        Integers to verify builds on, as the network takes them: shape (n, ...).
    labels
        Their classes.
    input_bits
        Bits of the unsigned integers; by default 8 for uint8 images.

    Returns
    -------
    Path
        The network; its samples lie beside it.

    Raises
    ------
    UnsupportedLayerError
        If the network holds what cannot be exported; it names the module.
    DataError, StorageError
        If images or labels are not such, or the folder cannot be written.
    MismatchError
        If PyTorch or QONNX differs from the reference by more than rounding.
    """
    bits = _checked_bits(images, labels, input_bits)
    with locked(folder):
        return _write(model, folder, images, labels, bits)


def export_run(run: Path) -> Path:
    """Write a run's network.onnx and samples.npz, of its data's test part.

    Parameters
    ----------
    run
        Folder that `train` wrote.

    Returns
    -------
    Path
        The network; its samples lie beside it.

    Raises
    ------
    StorageError, DataError
        If the run or its data cannot be read.
    UnsupportedLayerError, MismatchError
        As `export`.
    """

    def work() -> None:
        trained = load_run(run)
        test, bits = trained.dataset.test, trained.dataset.input_bits
        _write(trained.model, run, test.images, test.labels, bits)

    names = ("recipe.toml", "run.json", "weights.safetensors")
    inputs = {name: sha256_file(run / name) for name in names}
    inputs |= {"hwgq": hwgq.__version__, "torch": str(torch.__version__)}
    outputs = [run / NETWORK, run / SAMPLES]
    with locked(run):
        run_stage(run, "export", inputs=inputs, outputs=outputs, work=work)
    return run / NETWORK


def _write(
    model: nn.Module, folder: Path, images: Images, labels: Int64, bits: int
) -> Path:
    data = export_network(model, images.shape[1:], bits)
    check_network(data, model, images[:CHECKED_FRAMES])
    write_npz(folder / SAMPLES, **collect(model, images, labels))
    write_bytes(folder / NETWORK, data)
    return folder / NETWORK


def _checked_bits(images: Images, labels: Int64, bits: int | None) -> int:
    """Refuse images that are no unsigned integers of so many bits."""
    remedy = "Give unsigned integers, shape (n, ...), and a label for each frame"
    if images.dtype.kind not in "iu" or images.ndim < 2 or not len(images):
        problem = f"are {images.dtype} of shape {images.shape}"
        raise DataError("images", problem, remedy)
    if np.shape(labels) != (len(images),):
        problem = f"have the shape {np.shape(labels)}, for {len(images)} images"
        raise DataError("labels", problem, remedy)
    if bits is None and images.dtype != np.uint8:
        raise DataError("images", f"are {images.dtype}", "Give input_bits, or uint8")
    bits = 8 if bits is None else bits
    low, high = int(images.min()), int(images.max())
    if low < 0 or high >= 2**bits:
        problem = f"reach from {low} to {high}, not from 0 to {2**bits - 1}"
        raise DataError("images", problem, remedy)
    return bits
