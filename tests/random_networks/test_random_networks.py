# SPDX-License-Identifier: Apache-2.0
"""Random networks: every rung equal, whatever the network. `make fuzz` runs more."""

import pytest

from tests.random_networks.campaign import run_batch
from tests.random_networks.features import BINS

BATCHES, CASES = 8, 25


@pytest.mark.parametrize("number", range(BATCHES))
def test_random_networks_are_equal_from_their_files_to_emulation(number):
    found = run_batch(number, CASES)
    assert not found.failures, found.failures
    assert found.cases == CASES
    assert set(found.bins) <= BINS
