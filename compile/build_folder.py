# SPDX-License-Identifier: Apache-2.0
"""A build folder: what `compile` leaves on disk, and how it is read again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwgq.compile.evaluate import Float64, FloatArray
from hwgq.compile.graph import ElementType, Graph, IntArray
from hwgq.compile.network import on_device
from hwgq.compile.onnx_file import load_network
from hwgq.compile.serialize import load_graph
from hwgq.errors import DataError, StorageError
from hwgq.foreign import guarded
from hwgq.storage import check_keys, read_toml, sha256_file

SETTINGS = "build.toml"
NETWORK = "network.onnx"
SAMPLES = "samples.npz"
DATAFLOW = "dataflow.json"
TENSORS = "tensors"
RTL = "rtl"
STAGES = "stages"
BEFORE = "host_before.onnx"
AFTER = "host_after.onnx"

_SETTINGS = {"board": str, "clock_mhz": float | int, "input": dict, "hashes": dict}


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A compiled network.

    Parameters
    ----------
    folder
        Where it is.
    settings
        What build.toml says.
    graph
        The dataflow graph behind all passes.
    before, after
        The host's parts; `before` is None where the network gets integers.
    """

    folder: Path
    settings: dict[str, Any]
    graph: Graph
    before: Float64 | None
    after: Float64

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one frame of the network's own input."""
        return tuple(self.settings["input"]["shape"])

    @property
    def rtl(self) -> Path:
        """Folder of the SystemVerilog and the memory images."""
        return self.folder / RTL

    def codes(self, inputs: npt.NDArray[np.generic], place: str) -> IntArray:
        """Turn the network's inputs into codes of the device's input stream.

        Parameters
        ----------
        inputs
            Frames, shape (frames, *input shape): integers of the declared type, or
            real numbers where the host computes the first part.
        place
            The file or option that they come from, for messages.

        Returns
        -------
        Codes of shape (frames, *shape of the input stream).

        Raises
        ------
        DataError
            If they have another shape, or numbers outside the input's range.
        """
        check_shape(inputs, self.input_shape, place)
        stream = self.graph.streams[self.graph.input]
        if self.before is None:
            integers = check_integers(inputs, stream.type, place)
        else:
            integers = self.before.run(inputs).astype(np.int64)
        return stream.type.codes(on_device(integers, stream.shape))

    def outputs(self, codes: IntArray) -> FloatArray:
        """Turn codes of the device's output stream into the network's outputs."""
        kind = self.graph.streams[self.graph.output].type
        return self.after.run(kind.values(codes).reshape(len(codes), -1))


def load_build(folder: Path) -> Build:
    """Read a build folder.

    Raises
    ------
    StorageError
        If it is none, is damaged, or is of a newer format.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise StorageError(
            folder, "is no build folder", "Name one that `hwgq compile` wrote"
        )
    settings = read_toml(path)
    check_keys(path, settings, _SETTINGS)
    check_keys(path, settings["input"], {"shape": list})
    graph = load_graph(folder / DATAFLOW, folder / TENSORS)
    for name, wanted in settings["hashes"].items():
        if sha256_file(folder / name) != wanted:
            raise StorageError(
                folder / name,
                "is not what `hwgq compile` wrote",
                "Compile the network again",
            )
    before = folder / BEFORE
    return Build(
        folder=folder,
        settings=settings,
        graph=graph,
        before=Float64(load_network(before)) if before.exists() else None,
        after=Float64(load_network(folder / AFTER)),
    )


def load_frames(path: Path) -> npt.NDArray[Any]:
    """Read frames from a .npy file.

    Raises
    ------
    DataError
        If it is no array of numbers.
    """
    # Opened here, so that what np.load leaves open of an archive is closed.
    with (
        guarded(DataError, str(path), "is no .npy file", "Write it by np.save"),
        path.open("rb") as file,
    ):
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise DataError(path, "holds no array of numbers", "Save one array by np.save")
    return array


def check_shape(
    inputs: npt.NDArray[np.generic], shape: tuple[int, ...], place: str
) -> None:
    """Refuse frames of another shape than the network's."""
    if inputs.shape[1:] != shape or not len(inputs):
        wanted = ", ".join(map(str, shape))
        raise DataError(
            place,
            f"has the shape {inputs.shape}",
            f"Give frames of shape (n, {wanted})",
        )


def check_integers(
    inputs: npt.NDArray[np.generic], kind: ElementType, place: str
) -> IntArray:
    """Refuse numbers that are no integers of a type."""
    with np.errstate(invalid="ignore"):  # NaN and infinity turn into other numbers
        integers = inputs.astype(np.int64)
    if np.any(integers != inputs):
        raise DataError(place, "has fractions or NaN", "Give the network's integers")
    codes = kind.codes(integers)
    wrong = (codes < kind.low) | (codes > kind.high) | (kind.values(codes) != integers)
    if np.any(wrong):
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        low, high = (int(kind.values(np.asarray(c))) for c in (kind.low, kind.high))
        raise DataError(
            f"{place}, index {index}",
            f"{integers[index]} is outside {low} to {high}",
            "Give integers of the network's input type",
        )
    return integers
