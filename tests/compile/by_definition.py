# SPDX-License-Identifier: Apache-2.0
"""What every stream of a graph carries, by the definitions of its layers.

Codes are integers all along: nothing is packed, nothing is counted in bits.
"""

import itertools

import numpy as np

from hwgq.compile.graph import (
    Add,
    Mvau,
    Pool,
    SlidingWindow,
    SumPool,
    Thresholding,
    Vvau,
)
from hwgq.compile.popcount import corrections, layer_weights


def by_definition(graph, codes):
    """Give the codes of every stream by name, shape (frames, *stream shape)."""
    known = {graph.input: codes.astype(np.int64)}
    for layer in graph.layers:
        found = _outputs(graph, layer, [known[name] for name in layer.inputs])
        for name in layer.outputs:
            known[name] = found.reshape(len(codes), *graph.streams[name].shape)
    return known


def _outputs(graph, layer, inputs):
    codes = inputs[0]
    kinds = [graph.streams[name].type for name in layer.inputs]
    match layer:
        case Mvau():
            vectors = kinds[0].values(codes.reshape(-1, layer.columns))
            codes = _activated(graph, layer, vectors @ layer_weights(graph, layer).T)
        case Vvau():
            values = kinds[0].values(_taps(layer, codes))
            weights = layer_weights(graph, layer)
            codes = _activated(graph, layer, (values * weights.T).sum(axis=1))
        case Thresholding():
            codes = _counts(graph, layer, codes.reshape(-1, layer.channels))
        case SlidingWindow():
            codes = _windows(layer, codes)
        case Pool():
            codes = _taps(layer, codes).max(axis=1)
            if layer.flips is not None:
                inverted = (1 << kinds[0].bits) - 1 - codes
                codes = np.where(graph.tensors[layer.flips], inverted, codes)
        case SumPool():
            codes = codes.reshape(-1, layer.pixels, layer.channels).sum(axis=1)
        case Add():
            values = sum(k.values(c) for k, c in zip(kinds, inputs, strict=True))
            codes = graph.streams[layer.outputs[0]].type.codes(values)
    return codes


def _activated(graph, layer, dots):
    """Threshold dot products, or emit them; in terms of popcounts where those are."""
    kind = graph.streams[layer.inputs[0]].type
    if layer.popcount:
        constant = corrections(layer_weights(graph, layer), kind, layer.weight_bits)
        dots = (dots - constant) // kind.step
    if layer.thresholds is not None:
        return _counts(graph, layer, dots)
    bias = 0 if layer.bias is None else graph.tensors[layer.bias]
    return dots * 2**layer.shift + bias


def _counts(graph, layer, numbers):
    return (numbers[:, :, None] >= graph.tensors[layer.thresholds]).sum(axis=-1)


def _taps(layer, codes):
    """Bring groups of channels to the shape (positions, taps, channels)."""
    word = codes.shape[-1]
    groups = codes.reshape(-1, layer.channels // word, layer.taps, word)
    return np.concatenate(list(groups.swapaxes(0, 1)), axis=-1)


def _windows(layer, images):
    window, channels = layer.window, layer.channels
    out = np.full(
        (len(images), *window.output, *window.kernel, channels), layer.pad_code
    )
    for place in itertools.product(*map(range, (*window.output, *window.kernel))):
        position, tap = np.array(place[:2]), np.array(place[2:])
        pixel = position * window.stride + tap * window.dilation - window.pad
        if all(pixel >= 0) and all(pixel < window.input):
            out[:, *place] = images[:, *pixel]
    if not layer.grouped:
        return out
    return np.stack(np.split(out, channels // layer.word, axis=-1), axis=3)
