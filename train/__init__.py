# SPDX-License-Identifier: Apache-2.0
"""Train HWGQ networks, export them, and say exactly what they compute."""

import logging
import warnings

# Advice of libraries about what hwgq does not use; it would drown our own messages.
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", "fast_hadamard_transform package not found")
warnings.filterwarnings("ignore", "Named tensors and all their associated APIs")

from hwgq.train.accuracy import Accuracy, measure_accuracy  # noqa: E402
from hwgq.train.augmentation import PixelScale  # noqa: E402
from hwgq.train.exact import Reference, reference  # noqa: E402
from hwgq.train.exporter import export, export_network, export_run  # noqa: E402
from hwgq.train.float_witness import Witness, witness  # noqa: E402
from hwgq.train.half_wave import HalfWave  # noqa: E402
from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear, Sign  # noqa: E402
from hwgq.train.lloyd_max import Codebook, solve  # noqa: E402
from hwgq.train.models import Style, build  # noqa: E402
from hwgq.train.pretrained import (  # noqa: E402
    Pretrained,
    fetch_pretrained,
    load_pretrained,
    pretrained_names,
)
from hwgq.train.training import train  # noqa: E402

__all__ = [
    "HWGQ",
    "Accuracy",
    "BinaryConv2d",
    "BinaryLinear",
    "Codebook",
    "HalfWave",
    "PixelScale",
    "Pretrained",
    "Reference",
    "Sign",
    "Style",
    "Witness",
    "build",
    "export",
    "export_network",
    "export_run",
    "fetch_pretrained",
    "load_pretrained",
    "measure_accuracy",
    "pretrained_names",
    "reference",
    "solve",
    "train",
    "witness",
]
