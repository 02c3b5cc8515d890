# SPDX-License-Identifier: Apache-2.0
"""Draw plans of networks that the compiler takes."""

from dataclasses import replace

from hypothesis import strategies as st

from tests.random_networks.plan import (
    Affine,
    Average,
    Convolution,
    Folding,
    Function,
    Linear,
    MaxPool,
    Norm,
    Place,
    Plan,
    Quantizer,
    Weights,
    shape_behind,
)

UNSIGNED = [f"UINT{bits}" for bits in range(1, 9)]
SIGNED = [f"INT{bits}" for bits in range(2, 9)]
KINDS = [*UNSIGNED, "UINT8", *SIGNED, "BIPOLAR", "TERNARY", "FLOAT32"]
FUNCTIONS = ["Relu", "Relu", "LeakyRelu", "Tanh", "Sigmoid", "HardSigmoid"]
SHARES = [40, 0, 10, 80]
REACHES = ["stride 1", "within", "beyond"]
"""Of the stride, in the kernel or beyond it."""
ENDS = st.tuples(st.integers(0, 2), st.integers(0, 2))
PADS = ENDS.map(lambda sides: [(side, side) for side in sides]) | st.lists(
    ENDS, min_size=2, max_size=2
)
"""Even ones and uneven ones: pixels before and behind rows, and columns."""
GAMMAS = ["positive", "mixed", "mixed", "negative", "zeros"]


class _Drawing:
    """A plan on its way.

    Attributes
    ----------
    steps, shape
        What was drawn, and the shape behind it.
    padded
        Whether 0 is a level of what was made last, so that it can be padded.
    """

    def __init__(self, draw, shape, kind):
        self.draw, self.shape = draw, shape
        self.steps, self.padded = [], kind != "BIPOLAR"

    @property
    def images(self):
        return len(self.shape) == 3

    def one_of(self, *choices):
        return self.draw(st.sampled_from(choices))

    def number(self, low, high):
        return self.draw(st.integers(low, high))

    def percent(self, share):
        """Say yes in so many of 100 cases, and no where it can be shrunk."""
        return self.number(0, 99) >= 100 - share

    def add(self, step):
        self.steps.append(step)
        self.shape = shape_behind(step, self.shape)

    def quantize(self, step):
        self.add(step)
        self.padded = step.form != "bipolar"


@st.composite
def plans(draw):
    """Draw a network."""
    kind = draw(st.sampled_from(KINDS))
    if draw(st.integers(0, 99)) < 85:
        sides = st.integers(1, 10)
        shape = (draw(st.integers(1, 8)), draw(sides), draw(sides))
    else:
        shape = (draw(st.integers(1, 40)),)
    drawing = _Drawing(draw, shape, kind)
    if kind == "FLOAT32":
        drawing.quantize(_quantizer(drawing))
    for last in [False] * draw(st.integers(0, 3)) + [True]:
        _block(drawing, last)
    return Plan(
        shape=shape,
        kind=kind,
        steps=tuple(drawing.steps),
        seed=draw(st.integers(0, 999)),
        exact=draw(st.booleans()),
        folding=draw(foldings()),
    )


@st.composite
def foldings(draw):
    """Draw lanes and pauses; even lanes or uneven ones, even pauses or at one end."""
    return Folding(
        picks=tuple(draw(st.lists(st.integers(0, 99), max_size=6))),
        seed=draw(st.integers(0, 99)),
        source=draw(st.sampled_from(SHARES)),
        sink=draw(st.sampled_from(SHARES)),
    )


def _block(drawing, last):
    """Draw poolings of levels, a product and what is behind it, a quantizer."""
    for _ in range(drawing.one_of(0, 0, 0, 0, 1, 1, 2) if drawing.images else 0):
        drawing.add(MaxPool(place=_place(drawing, pooling=True)))
    if not last and drawing.percent(8):
        _requantize(drawing)
        return
    if drawing.percent(12):
        drawing.add(Affine(operator=drawing.one_of("Mul", "Div"), value=0.25))
    if drawing.images and drawing.percent(12):
        drawing.add(Average())
        drawing.padded = False
        if drawing.percent(25):
            _requantize(drawing)
    _product(drawing)
    if last and drawing.percent(60):
        _host(drawing)
        return
    _chain(drawing)
    drawing.quantize(_quantizer(drawing))
    if last and drawing.images and drawing.percent(20):
        drawing.add(drawing.one_of(Average(), MaxPool(place=Place(kernel=(1, 1)))))


def _requantize(drawing):
    """Draw a quantizer of levels, and what may stand before it."""
    if drawing.percent(60):
        drawing.add(Norm(gammas="positive", grid=drawing.percent(30)))
    drawing.quantize(_quantizer(drawing))


def _product(drawing):
    weights = Weights(
        bits=drawing.one_of(1, 1, 1, *range(2, 9)), scales=drawing.percent(30)
    )
    linear = not drawing.images or drawing.percent(20)
    offset = drawing.percent(10)
    if offset:
        value = drawing.number(-3, 3) / 4
        channels = drawing.images and drawing.percent(50)
        drawing.add(Affine(operator="Sub", value=value, channels=channels))
    if linear:
        rows = drawing.number(1, 8)
        drawing.add(Linear(rows=rows, weights=weights, gemm=drawing.percent(30)))
        return
    depthwise = drawing.percent(50)
    drawing.add(
        Convolution(
            rows=drawing.shape[0] if depthwise else drawing.number(1, 8),
            place=_place(drawing, padded=drawing.padded and not offset),
            weights=weights,
            bias=drawing.percent(20),
            depthwise=depthwise,
        )
    )


def _chain(drawing):
    """Draw what stands between a product and its quantizer."""
    parts = []
    if drawing.percent(80):
        gammas = drawing.one_of(*GAMMAS)
        parts.append(Norm(gammas=gammas, grid=drawing.percent(30)))
    if drawing.percent(15):
        parts.append(Function(operator=drawing.one_of(*FUNCTIONS)))
    if drawing.percent(15):
        value = drawing.number(-8, 8) / 8
        channels = drawing.percent(50)
        parts.append(Affine(operator="Add", value=value, channels=channels))
    if drawing.percent(10):
        operator = drawing.one_of("Mul", "Div")
        parts.append(Affine(operator=operator, value=drawing.one_of(2.0, -0.5, 0.3)))
    if drawing.images and drawing.percent(30):
        parts.append(MaxPool(place=_place(drawing, pooling=True)))
    for part in drawing.draw(st.permutations(parts)):
        drawing.add(part)


def _host(drawing):
    """Draw what follows the last product, on the host."""
    if drawing.percent(40):
        drawing.add(Norm(gammas=drawing.one_of(*GAMMAS)))
    if drawing.images and drawing.percent(30):
        pool = MaxPool(place=_place(drawing, pooling=True))
        drawing.add(drawing.one_of(pool, Average()))
    if drawing.percent(20):
        drawing.add(Affine(operator="Add", value=0.375, channels=True))


def _quantizer(drawing):
    form = drawing.one_of("quant", "hwgq", "quant", "thresholds", "bipolar")
    if form == "bipolar":
        return Quantizer(form=form, bits=1)
    bits = drawing.number(1, 4)
    signed = form != "hwgq" and bits > 1 and drawing.percent(40)
    result = Quantizer(form=form, bits=bits, signed=signed, grid=drawing.percent(25))
    if form != "quant":
        return result
    high = 2 ** (bits - signed) - 1
    narrow = bits > 1 and drawing.percent(20)
    zero = drawing.number(0, high - narrow) if drawing.percent(15) else 0
    return replace(result, narrow=narrow, zero_point=zero)


def _place(drawing, *, pooling=False, padded=True):
    """Draw where a window lies on the images that there are."""
    size = drawing.shape[1:]
    pads = drawing.draw(PADS) if padded else [(0, 0), (0, 0)]
    alike = drawing.one_of(*REACHES, None)  # both axes; None draws two
    axes = [
        _axis(drawing, pixels + sum(ends), alike or drawing.one_of(*REACHES))
        for pixels, ends in zip(size, pads, strict=True)
    ]
    kernel, strides, dilations = zip(*axes, strict=True)
    (top, bottom), (left, right) = pads
    place = Place(
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        pads=(top, left, bottom, right),
        ceil=pooling and drawing.percent(30),
    )
    if drawing.percent(15):
        modes = ["VALID", *(["SAME_UPPER", "SAME_LOWER"] if padded else [])]
        automatic = replace(
            place, pads=(0, 0, 0, 0), auto_pad=drawing.one_of(*modes), ceil=False
        )
        place = automatic if min(automatic.output(size)) > 0 else place
    unpadded = replace(place, pads=(0, 0, 0, 0), kernel=(1, 1), dilations=(1, 1))
    if not pooling:
        return place
    # The compiler refuses others: onnxruntime, which is a witness, does not take them.
    outside = zip(pads, place.padding(size), kernel, strict=True)
    near = all(max(*given, *found) < taps for given, found, taps in outside)
    return place if near and place.reaches(size) else unpadded


def _axis(drawing, room, reach):
    """Draw kernel, stride and dilation along a side of so many padded pixels."""
    longest = min(4, room)
    if reach == "stride 1":
        stride, kernel = 1, drawing.number(1, longest)
    elif reach == "within":
        stride = min(room, drawing.one_of(2, 2, 3))
        kernel = drawing.number(stride, longest)
    else:
        stride = drawing.one_of(2, 3)
        kernel = drawing.number(1, min(stride - 1, room))
    dilation = 2 if 2 * kernel - 1 <= room and drawing.percent(20) else 1
    return kernel, stride, dilation
