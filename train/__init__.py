# SPDX-License-Identifier: Apache-2.0
"""Train HWGQ networks, export them, and say exactly what they compute."""

import logging
import warnings

# Advice of libraries about what hwgq does not use; it would drown our own messages.
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", "fast_hadamard_transform package not found")
warnings.filterwarnings("ignore", "Named tensors and all their associated APIs")

from hwgq.train.accuracy import Accuracy, measure_accuracy  # noqa: E402
from hwgq.train.exact import Reference, reference  # noqa: E402
from hwgq.train.exporter import export_network, export_run  # noqa: E402
from hwgq.train.float_witness import Witness, witness  # noqa: E402
from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear, Sign  # noqa: E402
from hwgq.train.training import train  # noqa: E402

__all__ = [
    "HWGQ",
    "Accuracy",
    "BinaryConv2d",
    "BinaryLinear",
    "Reference",
    "Sign",
    "Witness",
    "export_network",
    "export_run",
    "measure_accuracy",
    "reference",
    "train",
    "witness",
]
