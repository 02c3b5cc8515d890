# SPDX-License-Identifier: Apache-2.0
"""What can be chosen of quantizers and binary weights, by the names that recipes use.

References
----------
Cai et al., Deep Learning with Low Precision by Half-wave Gaussian Quantization,
CVPR 2017.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from hwgq.errors import OptionError

PUBLISHED_STEPS: Mapping[int, float] = MappingProxyType(
    {1: 0.798, 3: 0.538, 7: 0.3217, 15: 0.185}
)
"""The authors' step of the uniform quantizer, paper's form, by positive levels."""

PUBLISHED_LEVELS: Mapping[int, tuple[float, ...]] = MappingProxyType({2: (0.453, 1.51)})
"""The authors' levels of the non-uniform quantizer, by their number."""


class Backward(StrEnum):
    """What stands in for the derivative of the staircase, section 3.2 of the paper."""

    VANILLA = "vanilla"
    """That of the ReLU: 1 for x > 0."""

    CLIPPED = "clipped"
    """1 for 0 < x <= q_m, the top level; 0 elsewhere."""

    LOG_TAILED = "log-tailed"
    """As clipped, and 1 / (x - tau) above the top level, tau = q_m - 1."""


class Spacing(StrEnum):
    """Where the positive levels lie."""

    UNIFORM = "uniform"
    """At multiples of one step."""

    LLOYD_MAX = "lloyd-max"
    """Where they minimize the squared error; hardware cannot have them."""


class Form(StrEnum):
    """Where the first threshold lies."""

    PAPER = "paper"
    """At 0: no positive number is level 0."""

    ROUND = "round"
    """In the middle between 0 and the first positive level, as rounding has it."""


class WeightScale(StrEnum):
    """Over what the scale of binary weights, alpha = mean |w|, is taken."""

    CHANNEL = "channel"
    """Over the inputs of one output channel, as in the paper."""

    TENSOR = "tensor"
    """Over the whole tensor: keeps the order of the logits of a last layer."""


def check_choice(place: str, what: str, value: object, known: Iterable[object]) -> None:
    """Refuse a value that is none of the known ones.

    Raises
    ------
    OptionError
        If it is not; `place` has no `what` `value`.
    """
    choices = list(known)
    if value not in choices:
        remedy = f"Choose one of {', '.join(map(str, choices))}"
        raise OptionError(place, f"has no {what} {value!r}", remedy)
