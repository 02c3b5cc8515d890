# SPDX-License-Identifier: Apache-2.0
"""Make a network of a plan: weights at random, statistics and thresholds calibrated."""

import numpy as np
from onnx import ModelProto, TensorProto, helper

from hwgq.compile.options import parse_input_type
from tests.compile.onnx_nets import Chain, literal
from tests.random_networks.plan import (
    Affine,
    Average,
    Convolution,
    Function,
    Linear,
    MaxPool,
    Norm,
    Plan,
    Quantizer,
)

CALIBRATION = 6
"""Frames that statistics are taken of."""
STEP = 0.538
"""Of HWGQ levels, where x is normal."""


def build(plan: Plan) -> ModelProto:
    """Make the network."""
    builder = _Builder(plan)
    for step in plan.steps:
        builder.step(step)
    return builder.chain.model()


def draw_frames(plan: Plan, count: int) -> np.ndarray:
    """Draw frames: the least and the largest of all inputs, then random ones."""
    rng = np.random.default_rng(plan.seed + 1)
    size = (count, *plan.shape)
    if plan.kind == "FLOAT32":
        return rng.normal(size=size).astype(np.float32)
    kind = parse_input_type(plan.kind, None, "plan").type
    codes = rng.integers(kind.low, kind.high + 1, size)
    codes[:2] = np.reshape([kind.low, kind.high], (2, *(1,) * len(plan.shape)))
    return kind.values(codes)


class _Builder:
    """A network on its way, and what it makes of some frames."""

    def __init__(self, plan):
        self.plan = plan
        self.chain = Chain(*plan.shape, batch="frames", seed=plan.seed)
        if plan.kind != "FLOAT32":
            self.chain.annotate(plan.kind)
        self.rng = self.chain.rng
        self.values = draw_frames(plan, CALIBRATION).astype(np.float64)
        self.known = 0, "in"

    def step(self, step):
        """Append the nodes of a step, and evaluate them."""
        match step:
            case Convolution():
                self._convolution(step)
            case Linear():
                self._linear(step)
            case MaxPool(place=place):
                kernel = list(place.kernel)
                self._node("MaxPool", kernel_shape=kernel, **_window(place))
            case Average():
                self._node("GlobalAveragePool")
            case Norm():
                self._norm(step)
            case Affine():
                self._affine(step)
            case Function(operator=operator):
                self._node(operator)
            case Quantizer():
                self._quantizer(step)

    def _node(self, *operands, **attributes):
        self.chain.node(*operands, **attributes)
        self._evaluate()

    def _evaluate(self):
        """Evaluate the nodes that were appended since the last time."""
        start, tensor = self.known
        model = self.chain.model()
        alone = model.graph.node[start:]
        del model.graph.node[:]
        model.graph.node.extend(alone)
        del model.graph.input[:]
        shape = ("frames", *self.values.shape[1:])
        entry = helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape)
        model.graph.input.append(entry)
        self.values = literal(model, self.values)
        self.known = len(self.chain.nodes), self.chain.tensor

    def _scale(self, spread):
        """Draw a scale near `spread`; a power of two where all shall be exact."""
        spread = max(float(spread), 2.0**-6)
        if self.plan.exact:
            return 2.0 ** np.round(np.log2(spread))
        return spread * self.rng.uniform(0.7, 1.4)

    def _weight_scale(self, weights, rows, axes):
        """Draw one scale, or one a row along the first of `axes` dimensions."""
        if not weights.scales:
            return self._scale(0.25)
        scales = [
            self._scale(0.25 * 2.0 ** self.rng.integers(-1, 2)) for _ in range(rows)
        ]
        return np.reshape(scales, (rows, *(1,) * (axes - 1)))

    def _convolution(self, step):
        channels, rows = self.values.shape[1], step.rows
        groups = channels if step.depthwise else 1
        self.chain.conv(
            rows,
            channels // groups,
            step.place.kernel,
            scale=self._weight_scale(step.weights, rows, 4),
            bits=step.weights.bits,
            bias=np.round(self.rng.normal(size=rows) * 8) / 8 if step.bias else None,
            group=groups,
            **_window(step.place),
        )
        self._evaluate()

    def _linear(self, step):
        if self.values.ndim > 2:
            self.chain.node("Flatten", axis=1)
        columns = int(np.prod(self.values.shape[1:]))
        scale = np.transpose(self._weight_scale(step.weights, step.rows, 2))
        weights = self.chain.weights(
            columns, step.rows, scale=scale, bits=step.weights.bits
        )
        if step.gemm:
            self.chain.node("Gemm", weights, np.round(self.rng.normal(size=step.rows)))
        else:
            self.chain.node("MatMul", weights)
        self._evaluate()

    def _channels(self):
        """Bring what there is to the shape (channels, values)."""
        return np.moveaxis(self.values, 1, 0).reshape(self.values.shape[1], -1)

    def _norm(self, step):
        values = self._channels()
        channels = len(values)
        mean, deviation = values.mean(axis=1), values.std(axis=1)
        if step.grid:
            picked = self.rng.integers(0, values.shape[1], channels)
            mean = values[np.arange(channels), picked]
        gamma = np.abs(self.rng.normal(size=channels)) + 0.1
        signs = self.rng.choice([-1, 1], channels)
        gamma *= {"positive": 1, "negative": -1}.get(step.gammas, signs)
        if step.gammas == "zeros":
            gamma[self.rng.integers(0, channels)] = 0
        beta = np.zeros(channels) if step.grid else self.rng.normal(size=channels) / 2
        variance = np.maximum(deviation, 2.0**-4) ** 2
        if self.plan.exact:
            mean, gamma, beta = (np.round(v * 16) / 16 for v in (mean, gamma, beta))
            # Its root is a power of two, and so no rounding is left.
            variance = 4.0 ** np.round(np.log2(variance) / 2)
        operands = map(np.float32, (gamma, beta, mean, variance))
        epsilon = 0.0 if self.plan.exact else 1e-5
        self._node("BatchNormalization", *operands, epsilon=epsilon)

    def _affine(self, step):
        value = np.float32(step.value)
        if step.channels:
            channels = self.values.shape[1]
            factors = np.linspace(-1, 1, channels) if channels > 1 else np.ones(1)
            value = np.float32(np.round(16 * step.value * factors) / 16)
            value = value.reshape(-1, *(1,) * (self.values.ndim - 2))
        self._node(step.operator, value)

    def _quantizer(self, step):
        spread = max(self.values.std(), np.abs(self.values).max() / 8)
        if step.form == "bipolar":
            self._node("BipolarQuant", np.float32(self._scale(1)))
        elif step.form == "quant":
            self._quant(step, spread)
        elif step.form == "hwgq":
            self._hwgq(step, self._scale(spread))
        else:
            self._thresholds(step)

    def _quant(self, step, spread):
        levels = 2**step.bits - 1
        scale = self._scale(spread * 2 / levels)
        self.chain.quant(
            step.bits,
            scale=scale,
            zero=step.zero_point,
            signed=int(step.signed),
            narrow=int(step.narrow),
        )
        self._evaluate()

    def _hwgq(self, step, spread):
        count = 2**step.bits - 1
        exact = np.concatenate([[0], np.arange(1, count) + 0.5]) * STEP * spread
        thresholds = np.nextafter(np.float32(exact), np.float32(np.inf))
        kind = f"UINT{step.bits}"
        self.chain.node("MultiThreshold", thresholds[np.newaxis], out_dtype=kind)
        self._node("Mul", np.float32(self._scale(spread / 2)))

    def _thresholds(self, step):
        values, count = self._channels(), 2**step.bits - 1
        quantiles = np.linspace(0, 1, count + 2)[1:-1]
        rows = np.quantile(values, quantiles, axis=1, method="nearest").T
        if not step.grid:
            rows = rows + self.rng.normal(size=rows.shape) * (values.std() + 0.01) / 8
        if self.plan.exact:
            rows = np.round(rows * 16) / 16
        half = 2 ** (step.bits - 1) if step.signed else 0
        self._node(
            "MultiThreshold",
            np.float32(np.sort(rows, axis=1)),
            out_dtype=f"{'' if step.signed else 'U'}INT{step.bits}",
            out_bias=float(-half),
            data_layout="NCHW" if self.values.ndim > 2 else "NC",
        )


def _window(place):
    """Write a place as the attributes of a node."""
    attributes = {
        "strides": list(place.strides),
        "dilations": list(place.dilations),
    }
    if place.ceil:
        attributes["ceil_mode"] = 1
    if place.auto_pad != "NOTSET":
        return attributes | {"auto_pad": place.auto_pad}
    return attributes | {"pads": list(place.pads)}
