# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's digits, the data set that is always there."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from hwgq.train.datasets.checks import part, split
from hwgq.train.datasets.parts import Dataset


def load(data: Path | None) -> Dataset:
    """Load the 1797 digits of scikit-learn, flat 8 x 8 images of levels 0 ... 16."""
    from sklearn.datasets import load_digits  # it takes a second

    digits = load_digits()
    whole = part("digits", digits.data.astype(np.uint8), digits.target)
    return replace(split("digits", whole), grid=(8, 8))
