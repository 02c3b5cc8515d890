# SPDX-License-Identifier: Apache-2.0
"""The draw of a fault."""

import numpy as np
import pytest


@pytest.fixture
def rng(request):
    """Draw by the command line's seed, and by the test's own name."""
    name = request.node.name.encode()
    return np.random.default_rng([request.config.getoption("sabotage_seed"), *name])
