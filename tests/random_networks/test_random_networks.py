# SPDX-License-Identifier: Apache-2.0
"""Random networks: every rung equal, whatever the network. `make fuzz` runs more."""

import pytest

from tests.random_networks.campaign import run_batch
from tests.random_networks.hardware import ALL_BINS

BATCHES, CASES, SIMULATED = 8, 25, 5


@pytest.mark.parametrize("number", range(BATCHES))
def test_random_networks_are_equal_from_their_files_to_rtl(number):
    found = run_batch(number, CASES, SIMULATED)
    assert not found.failures, found.failures
    assert (found.cases, found.simulated) == (CASES, SIMULATED)
    assert set(found.bins) <= ALL_BINS
