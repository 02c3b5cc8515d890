# SPDX-License-Identifier: Apache-2.0
"""The frames to verify on, and what the PyTorch reference computed of them.

`hwgq.train.samples` describes the file.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwgq.compile.build_folder import check_integers
from hwgq.compile.evaluate import FloatArray
from hwgq.compile.graph import BIPOLAR, ElementType, IntArray
from hwgq.compile.ladder import Climb
from hwgq.compile.network import Network, Shape
from hwgq.compile.reference import Evaluation
from hwgq.compile.streams import channels_first
from hwgq.errors import DataError, MismatchError
from hwgq.storage import read_npz

DRAWN_FRAMES = 64
KEPT_FRAMES = 32
"""Frames of samples.npz whose codes are kept whole."""

FLOAT_END_TOLERANCE = 1e-12
"""Error of logits, as a share of the largest, that the order of float64 sums makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Frames, and the PyTorch reference where there is one.

    Parameters
    ----------
    inputs
        Frames, shape (n, *input shape).
    levels, digests
        Codes of the first frames, and a SHA-256 of each frame's codes, by quantizer.
    accumulators, logits
        The reference's last dot products and outputs; None without PyTorch.
    float32
        What float32 PyTorch said, by quantizer: levels compared, and ties.
    host
        Quantizers before the device, the last of which makes its input.
    source
        Codes of that input.
    float_end
        Whether the host ends in a float product, whose sums have no order of their own.
    """

    inputs: npt.NDArray[Any]
    levels: Mapping[str, IntArray]
    digests: Mapping[str, npt.NDArray[np.uint8]]
    accumulators: IntArray | None = None
    logits: FloatArray | None = None
    float32: Mapping[str, tuple[int, int]]
    host: tuple[str, ...] = ()
    source: ElementType = BIPOLAR
    float_end: bool = False

    def compare(self, climb: Climb, evaluation: Evaluation) -> None:
        """Compare an evaluation with the PyTorch reference, every integer of it.

        Frames whose codes are not kept are compared by their digests; of these a
        mismatch counts once a frame.
        """
        found_codes = dict(evaluation.codes)
        if self.host:
            found_codes[self.host[-1]] = self.source.codes(evaluation.integers)
        for name, digests in self.digests.items():
            if name in self.host[:-1]:
                continue
            codes = as_networks_do(found_codes[name])
            kept = self.levels[name].reshape(len(self.levels[name]), -1)
            climb.compare(name, kept, codes[: len(kept)])
            rest = codes[len(kept) :]
            found = np.stack([_digest(frame) for frame in codes])
            climb.values += rest.size
            wrong = np.flatnonzero((found != digests).any(axis=1))
            wrong = wrong[wrong >= len(kept)]
            climb.mismatches += len(wrong)
            if len(wrong) and climb.mismatch is None:
                frame = int(wrong[0])
                wanted, got = (d[frame].tobytes().hex()[:16] for d in (digests, found))
                climb.mismatch = MismatchError(
                    climb.rung, name, (frame,), f"digest {wanted}", got
                )
        if self.accumulators is not None:
            last = list(evaluation.codes)[-1]
            sums = as_networks_do(evaluation.accumulators[last])
            climb.compare(last, self.accumulators, sums)
        if self.logits is not None:
            climb.compare("output", self.logits, self._outputs(evaluation.outputs))

    def _outputs(self, outputs: FloatArray) -> FloatArray:
        """Take what float64 sums in another order give for the reference's own."""
        assert self.logits is not None
        if not self.float_end:
            return outputs
        error = np.abs(outputs - self.logits)
        near = error <= FLOAT_END_TOLERANCE * np.abs(self.logits).max(initial=0)
        return np.where(near, self.logits, outputs)


def as_networks_do(frames: IntArray) -> IntArray:
    """Lay frames of the device out as networks have them: flat, channels first."""
    return channels_first(frames).reshape(len(frames), -1)


def _digest(frame: IntArray) -> npt.NDArray[np.uint8]:
    data = hashlib.sha256(frame.astype(np.uint8).tobytes()).digest()
    return np.frombuffer(data, np.uint8)


def load_samples(path: Path, network: Network) -> Samples:
    """Read samples.npz.

    Raises
    ------
    DataError
        If it belongs to another network.
    StorageError
        If it cannot be read.
    """
    arrays = read_npz(path)
    for name, shape in _shapes(arrays, network).items():
        found = arrays[name].shape if name in arrays else None
        if found != shape or arrays[name].dtype.kind not in "biufU":
            raise DataError(
                path,
                f"is of another network: {name} has the shape {found}, not {shape}",
                "Give the samples.npz beside this network.onnx",
            )
    inputs = arrays["images"]
    if network.before is None:
        check_integers(inputs, network.source.type, f"{path}: images")
    counts = zip(arrays["witness/elements"], arrays["witness/ties"], strict=True)
    names = map(str, arrays["witness/layer"])
    after = network.after.model.graph.node
    return Samples(
        inputs=inputs,
        levels={k: v.astype(np.int64) for k, v in _by_layer(arrays, "levels/").items()},
        digests=_by_layer(arrays, "sha256/"),
        accumulators=arrays["accumulators"].astype(np.int64),
        logits=arrays["logits"],
        float32={k: (int(n), int(t)) for k, (n, t) in zip(names, counts, strict=True)},
        host=_host_quantizers(arrays, network),
        source=network.source.type,
        float_end=any(node.op_type == "MatMul" for node in after),
    )


def _host_quantizers(
    arrays: Mapping[str, npt.NDArray[Any]], network: Network
) -> tuple[str, ...]:
    """Name the quantizers that stand before the device, in order."""
    device = {section.name for section in network.sections}
    if network.before is None or "witness/layer" not in arrays:
        return ()
    names = np.atleast_1d(arrays["witness/layer"])
    return tuple(name for name in map(str, names) if name not in device)


def _shapes(
    arrays: Mapping[str, npt.NDArray[Any]], network: Network
) -> dict[str, tuple[int, ...]]:
    """Give the shapes that a network's arrays have for the number of images there."""
    images = arrays.get("images")
    frames = 1 if images is None or not images.size else len(images)
    quantized = [s for s in network.sections if s.quantizer is not None]
    last = network.sections[-1]
    outputs = network.after.run(np.zeros((1, math.prod(last.shape_out))))
    host = _host_quantizers(arrays, network)
    rows = (len(host) + len(quantized),)
    shapes = {
        "images": (frames, *network.input_shape),
        "accumulators": (frames, *_network_shape(last.shape)),
        "logits": (frames, *outputs.shape[1:]),
        **{f"witness/{k}": rows for k in ("layer", "elements", "ties")},
        **{f"sha256/{name}": (frames, 32) for name in host},
    }
    for section in quantized:
        name = section.name
        shapes[f"sha256/{name}"] = (frames, 32)
        kept = _network_shape(section.shape_out)
        shapes[f"levels/{name}"] = (min(frames, KEPT_FRAMES), *kept)
    if host:
        kept = _network_shape(network.shape)
        shapes[f"levels/{host[-1]}"] = (min(frames, KEPT_FRAMES), *kept)
    return shapes


def _network_shape(frame: Shape) -> Shape:
    """Give the shape in a network of what is a frame of this shape on the device."""
    return (frame[-1], *frame[:-1])


def _by_layer(
    arrays: Mapping[str, npt.NDArray[Any]], prefix: str
) -> dict[str, npt.NDArray[Any]]:
    return {
        k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)
    }


def draw_samples(network: Network) -> Samples:
    """Draw frames for a network that comes without samples.

    Integers are drawn from the whole input range; real inputs from a normal
    distribution.
    """
    generator = np.random.default_rng(0)
    size = (DRAWN_FRAMES, *network.input_shape)
    inputs: npt.NDArray[Any] = generator.standard_normal(size).astype(np.float32)
    if network.declared is not None:
        kind = network.declared.type
        inputs = kind.values(generator.integers(kind.low, kind.high + 1, size))
        if network.before is not None:
            inputs = network.declared.step * inputs
    return Samples(inputs=inputs, levels={}, digests={}, float32={})
