# SPDX-License-Identifier: Apache-2.0
"""Keep a graph on disk: its structure as JSON, its tensors beside it by hash.

Weights are packed, eight signs to a byte; everything is read back exactly as it was,
and a tensor whose contents do not have the hash of its name is refused.
"""

import dataclasses
import io
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import (
    Add,
    ElementType,
    Fifo,
    Fork,
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    Stream,
    SumPool,
    Thresholding,
    Vvau,
    WidthConverter,
    Window,
    tensor_key,
)
from hwgq.errors import StorageError
from hwgq.storage import read_json, write_bytes, write_json

Tensor = npt.NDArray[np.generic]

_KINDS: Mapping[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        *(Mvau, Vvau, Thresholding, SlidingWindow, Pool, SumPool),
        *(Fork, Add, WidthConverter, Fifo),
    )
}
_MADE_ANEW = "Compile the network again"


def save_graph(graph: Graph, path: Path, tensors: Path) -> None:
    """Write a graph.

    Parameters
    ----------
    graph
        The graph.
    path
        JSON file of its structure.
    tensors
        Folder of its tensors, one ``<hash>.npy`` each; those there are not rewritten.

    Raises
    ------
    StorageError
        If something cannot be written.
    """
    used = {key: graph.tensors[key] for key in graph.tensor_keys()}
    for key, tensor in used.items():
        if not (tensors / f"{key}.npy").exists():
            write_bytes(tensors / f"{key}.npy", _encode(tensor))
    shapes = {
        key: {"shape": list(t.shape), "type": t.dtype.str} for key, t in used.items()
    }
    write_json(path, {**structure(graph), "tensors": shapes})


def structure(graph: Graph) -> dict[str, Any]:
    """Describe a graph without its tensors, ready for JSON."""
    return {
        "input": graph.input,
        "output": graph.output,
        "layers": [
            {"kind": type(n).__name__, **dataclasses.asdict(n)} for n in graph.layers
        ],
        "streams": [dataclasses.asdict(s) for s in graph.streams.values()],
    }


def load_graph(path: Path, tensors: Path) -> Graph:
    """Read what :func:`save_graph` wrote.

    Raises
    ------
    StorageError
        If a file is missing, damaged or of a newer format.
    """
    table = read_json(path)
    try:
        streams = [_stream(row) for row in table["streams"]]
        graph = Graph(
            layers=tuple(_layer(row) for row in table["layers"]),
            streams={stream.name: stream for stream in streams},
            input=table["input"],
            output=table["output"],
        )
        shapes = {str(key): row for key, row in table["tensors"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"does not describe a graph ({error!r})"
        raise StorageError(path, problem, _MADE_ANEW) from error
    loaded = {key: _decode(tensors, key, row) for key, row in shapes.items()}
    return graph.replace(tensors=MappingProxyType(loaded))


def _layer(row: Mapping[str, Any]) -> Layer:
    fields = {key: value for key, value in row.items() if key != "kind"}
    for key in ("inputs", "outputs"):
        fields[key] = tuple(fields[key])
    if "accumulator" in fields:
        fields["accumulator"] = ElementType(**fields["accumulator"])
    if "window" in fields:
        pairs = fields["window"].items()
        fields["window"] = Window(**{key: tuple(pair) for key, pair in pairs})
    return _KINDS[row["kind"]](**fields)


def _stream(row: Mapping[str, Any]) -> Stream:
    element = ElementType(**row["type"])
    return Stream(**{**row, "type": element, "shape": tuple(row["shape"])})


def _encode(tensor: Tensor) -> bytes:
    is_bits = tensor.dtype == np.bool_
    packed = np.packbits(tensor.astype(np.bool_)) if is_bits else tensor
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, packed, allow_pickle=False)
    return buffer.getvalue()


def _decode(folder: Path, key: str, row: Mapping[str, Any]) -> Tensor:
    path = folder / f"{key}.npy"
    if not re.fullmatch("[0-9a-f]{16}", key):
        raise StorageError(path, "is no name of a tensor", _MADE_ANEW)
    try:
        tensor: Tensor = np.load(path, allow_pickle=False)
        if row["type"] == np.dtype(np.bool_).str:
            count = int(np.prod(row["shape"]))
            packed = tensor.astype(np.uint8, casting="safe")
            tensor = np.unpackbits(packed, count=count).astype(np.bool_)
        tensor = tensor.reshape(row["shape"])
    except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
        raise StorageError(path, f"cannot be read ({error})", _MADE_ANEW) from error
    if tensor_key(tensor) != key:
        raise StorageError(path, "does not hold what its name says", _MADE_ANEW)
    return tensor
