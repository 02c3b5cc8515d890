# SPDX-License-Identifier: Apache-2.0
"""Memory images: weights, thresholds and biases as the hardware's words.

An image is the text that ``$readmemh`` reads, one word a line. Bit 0 is the rightmost.
"""

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import Graph, IntArray, Layer, Mvau, Pool, Thresholding, Vvau
from hwgq.compile.popcount import layer_weights

Bits = npt.NDArray[np.bool_]


def memory_images(graph: Graph) -> dict[str, str]:
    """Make every memory image of a graph.

    Returns
    -------
    Text by file name: ``wN.hex`` holds the weights of layer number N and ``pN.hex``
    its thresholds or biases, or the channels that a pooling inverts.
    """
    images = {}
    for number, layer in enumerate(graph.layers):
        if isinstance(layer, Mvau | Vvau):
            images[f"w{number}.hex"] = hex_words(weight_bits(graph, layer))
        if isinstance(layer, Mvau | Vvau | Thresholding):
            images[f"p{number}.hex"] = hex_words(parameter_bits(graph, layer))
        if isinstance(layer, Pool) and layer.flips is not None:
            flips = graph.tensors[layer.flips].astype(np.bool_)
            images[f"p{number}.hex"] = hex_words(flips.reshape(-1, layer.pe))
    return images


def weight_bits(graph: Graph, layer: Mvau | Vvau) -> Bits:
    """Lay weights out for the datapath.

    Returns
    -------
    Shape (NF · SF, bits · PE · SIMD): word ``nf·SF + sf`` holds, at bit
    ``(k·PE + p)·SIMD + s``, bit k of the weight of row ``nf·PE + p`` and column
    ``sf·SIMD + s``. A row is a channel, a column of a :class:`Vvau` a tap.
    """
    folds = (layer.neuron_folds, layer.pe, layer.synapse_folds, layer.simd)
    weights = layer_weights(graph, layer).reshape(folds)
    if layer.weight_bits == 1:
        weights = (weights > 0).astype(np.int64)
    places = np.arange(layer.weight_bits)[:, None, None]
    planes = weights.swapaxes(1, 2)[:, :, None] >> places & 1
    return planes.astype(np.bool_).reshape(layer.cycles, -1)


def parameter_bits(graph: Graph, layer: Mvau | Vvau | Thresholding) -> Bits:
    """Lay thresholds, or else biases, out for the comparators.

    Returns
    -------
    One row a group of PE channels; in it the fields of one channel after those of the
    other, in two's complement, each as wide as :func:`parameter_width` says.
    """
    values = _parameters(graph, layer)
    fields = values.reshape(-1, layer.pe * values.shape[1], 1)
    bits = (fields >> np.arange(parameter_width(graph, layer)) & 1).astype(np.bool_)
    return bits.reshape(len(fields), -1)


def parameter_width(graph: Graph, layer: Mvau | Vvau | Thresholding) -> int:
    """Find the bits of one threshold, or of one bias where there are none."""
    if isinstance(layer, Mvau | Vvau):
        if layer.thresholds is None:
            return graph.streams[layer.outputs[0]].type.bits
        return layer.accumulator.bits
    largest = int(graph.tensors[layer.thresholds].max())
    return max(graph.streams[layer.inputs[0]].type.bits, largest.bit_length())


def hex_words(bits: Bits) -> str:
    """Write words as text for ``$readmemh``.

    Parameters
    ----------
    bits
        Shape (words, width); bit 0 of a word first.
    """
    digits = -(-bits.shape[1] // 4)
    data = np.packbits(bits, axis=1, bitorder="little")[:, ::-1]
    return "".join(word.tobytes().hex()[-digits:] + "\n" for word in data)


def _parameters(graph: Graph, layer: Layer) -> IntArray:
    """Find the numbers of a layer's parameter memory, shape (rows, fields a row)."""
    assert isinstance(layer, Mvau | Vvau | Thresholding)
    if layer.thresholds is not None:
        return graph.tensors[layer.thresholds].astype(np.int64)
    assert isinstance(layer, Mvau | Vvau)
    if layer.bias is None:
        return np.zeros((layer.neuron_folds * layer.pe, 1), dtype=np.int64)
    return graph.tensors[layer.bias].astype(np.int64)[:, None]
