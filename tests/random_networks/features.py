# SPDX-License-Identifier: Apache-2.0
"""Which bins of features a plan covers."""

from collections.abc import Iterator
from itertools import pairwise

from tests.random_networks.plan import (
    Affine,
    Average,
    Convolution,
    Linear,
    MaxPool,
    Norm,
    Plan,
    Quantizer,
)

KINDS = ("convolution", "depthwise")
STRIDES = ("stride 1", "stride within the kernel", "stride beyond the kernel")
PADS = ("no padding", "even padding", "uneven padding")
WEIGHTS = ("1-bit weights", "2…4-bit weights", "5…8-bit weights")
INPUTS = ("bipolar", "1…2 bits", "3…4 bits", "5…8 bits", "signed")
POOLS = ("at the input", "behind levels", "before the norm", "before the quantizer")
GAMMAS = ("positive", "mixed", "negative", "zeros")

BINS = frozenset(
    [f"{kind}, {what}" for kind in KINDS for what in INPUTS]
    + [f"{kind}, dilation" for kind in (*KINDS, "max pooling")]
    + [f"{kind}, auto_pad" for kind in (*KINDS, "max pooling")]
    + [f"{kind}, K rows and L columns" for kind in (*KINDS, "max pooling")]
    + [f"linear, {what}" for what in (*WEIGHTS, "of an image", "of a vector")]
    + [f"max pooling, {what}" for what in (*STRIDES, *PADS, *POOLS, "ceil_mode")]
    + [f"mean over pixels, before a {what}" for what in ("product", "quantizer")]
    + ["mean over pixels, at the end", "scales of rows", "bias"]
    + [f"{gammas} gammas" for gammas in GAMMAS]
    + [f"{gammas} gammas behind a pooling" for gammas in GAMMAS]
    + [f"quant, {bits} bits" for bits in range(1, 5)]
    + [f"hwgq, {bits} bits" for bits in range(1, 5)]
    + [f"thresholds, {bits} bits" for bits in range(1, 5)]
    + ["bipolar, 1 bits", "signed levels", "narrow levels", "a zero point"]
    + ["means on the grid", "thresholds on the grid", "an offset before a product"]
    + ["levels of levels", "float input", "vector input", "one row or column"]
)
"""All that a plan covers."""


def features(plan: Plan) -> set[str]:
    """Name the bins that a plan covers."""
    return {f for f in _features(plan) if f in BINS}


def _features(plan: Plan) -> Iterator[str]:
    if plan.kind == "FLOAT32":
        yield "float input"
    yield "vector input" if len(plan.shape) == 1 else "images"
    levels, pooled, behind = plan.kind, False, "the input"
    for step, shape in plan.trace():
        if len(shape) == 3 and 1 in shape[1:]:
            yield "one row or column"
        match step:
            case Convolution() | Linear():
                yield from _product(step, shape, levels)
                pooled, behind = False, "a product"
            case MaxPool():
                yield from _pool(step, shape, behind)
                pooled = True
            case Norm(gammas=gammas, grid=grid):
                yield f"{gammas} gammas" + " behind a pooling" * pooled
                yield "means on the grid" if grid else ""
                behind = "a norm" if behind == "a product" else behind
            case Quantizer(form=form, bits=bits):
                yield from _quantizer(step, behind)
                levels = "INT2" if step.signed else f"UINT{bits}"
                levels = "BIPOLAR" if form == "bipolar" else levels
                pooled, behind = False, "levels"
    yield from _pairs(plan)


def _pairs(plan: Plan) -> Iterator[str]:
    """Name what depends on the step behind another one."""
    for step, following in pairwise((*plan.steps, None)):
        if isinstance(step, Average):
            product_ = isinstance(following, Convolution | Linear | Affine)
            yield "mean over pixels, " + (
                "at the end"
                if following is None
                else f"before a {'product' if product_ else 'quantizer'}"
            )
        if isinstance(step, Affine) and step.operator == "Sub":
            yield "an offset before a product"


def _product(step: Convolution | Linear, shape, levels: str) -> Iterator[str]:
    yield "scales of rows" if step.weights.scales else ""
    if isinstance(step, Linear):
        yield f"linear, {weights(step)}"
        yield "linear, of an image" if len(shape) == 3 else "linear, of a vector"
        return
    kind = KINDS[step.depthwise]
    yield f"{kind}, {_input(levels)}"
    yield "bias" if step.bias else ""
    yield from _window(kind, step.place)


def weights(step: Convolution | Linear) -> str:
    """Name the bin of a product's weights."""
    return WEIGHTS[(step.weights.bits > 1) + (step.weights.bits > 4)]


def _input(levels: str) -> str:
    if levels == "BIPOLAR":
        return "bipolar"
    if not levels.startswith("UINT"):
        return "signed"
    bits = int(levels.removeprefix("UINT"))
    return INPUTS[1 + (bits > 2) + (bits > 4)]


def _pool(step: MaxPool, shape, behind: str) -> Iterator[str]:
    yield f"max pooling, {stride(step.place)}"
    yield f"max pooling, {pad(step.place)}"
    yield "max pooling, ceil_mode" if step.place.ceil else ""
    places = {
        "the input": "at the input",
        "levels": "behind levels",
        "a product": "before the norm",
        "a norm": "before the quantizer",
    }
    yield f"max pooling, {places[behind]}"
    yield from _window("max pooling", step.place)


def _window(kind: str, place) -> Iterator[str]:
    yield f"{kind}, dilation" if place.dilations != (1, 1) else ""
    yield f"{kind}, auto_pad" if place.auto_pad != "NOTSET" else ""
    rows, columns = place.kernel
    yield f"{kind}, K rows and L columns" if rows != columns else ""


def stride(place) -> str:
    """Name the bin of a window's strides."""
    if place.strides == (1, 1):
        return STRIDES[0]
    beyond = any(s > k for s, k in zip(place.strides, place.kernel, strict=True))
    return STRIDES[1 + beyond]


def pad(place) -> str:
    """Name the bin of a window's padding."""
    top, left, bottom, right = place.pads
    if not any(place.pads) and not place.auto_pad.startswith("SAME"):
        return PADS[0]
    return PADS[1 + ((top, left) != (bottom, right) or place.auto_pad != "NOTSET")]


def _quantizer(step: Quantizer, behind: str) -> Iterator[str]:
    yield f"{step.form}, {step.bits} bits"
    yield "signed levels" if step.signed else ""
    yield "narrow levels" if step.narrow else ""
    yield "a zero point" if step.zero_point else ""
    yield "thresholds on the grid" if step.grid and step.form == "thresholds" else ""
    yield "levels of levels" if behind == "levels" else ""
