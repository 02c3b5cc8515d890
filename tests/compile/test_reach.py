# SPDX-License-Identifier: Apache-2.0
import itertools

import numpy as np
import pytest

from hwgq.compile.reach import change


def brute_force(limits: list[int]) -> set[int]:
    choices = itertools.product(*(range(limit + 1) for limit in limits[1:]))
    return {sum(v * n for v, n in enumerate(taken, 1)) for taken in choices}


LIMITS = [
    [5, 3, 2, 1],  # every sum
    [0, 0, 3, 2],  # 1 and the last but one are missing
    [0, 0, 2, 0, 2],  # even ones alone
    [2, 1, 0, 0, 3],
    [0, 0, 0, 2, 1, 2],  # the greedy way misses some
    [0, 0, 0, 0, 5, 1, 0, 2],
    [3, 0, 0, 0],
]


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_every_amount_that_coins_make_is_paid_and_no_other(limits: list[int]) -> None:
    top = sum(v * n for v, n in enumerate(limits))
    amounts = np.arange(-2, top + 3)
    payable, coins = change(np.array([limits]), amounts[None])
    assert set(amounts[payable[0]].tolist()) == brute_force(limits)
    sums = coins[0] @ np.arange(len(limits))
    np.testing.assert_array_equal(sums, np.where(payable[0], amounts, 0))
    assert (coins >= 0).all()
    assert (coins[..., 1:] <= np.array(limits)[1:]).all()


def test_rows_do_not_share_coins() -> None:
    limits = np.array([row + [0] * (8 - len(row)) for row in LIMITS])
    amounts = np.tile(np.arange(30), (len(limits), 1))
    together = change(limits, amounts)
    for row in range(len(limits)):
        alone = change(limits[row : row + 1], amounts[row : row + 1])
        np.testing.assert_array_equal(alone[0][0], together[0][row])
        np.testing.assert_array_equal(alone[1][0], together[1][row])
