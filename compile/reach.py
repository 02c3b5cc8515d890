# SPDX-License-Identifier: Apache-2.0
"""Which sums limited numbers of coins make, and how: coins are weights' magnitudes.

A row has ``limits[m]`` coins of value m. Taking as many of the largest as fit, then of
the next, makes every sum up to that of all coins as soon as a row has enough small
ones. For what is left over in another row, the sums that can be made are found one
value after the other, as the bits of a Python integer.
"""

import numpy as np
import numpy.typing as npt

from hwgq.compile.graph import IntArray

_Flags = npt.NDArray[np.bool_]


def change(limits: IntArray, amounts: IntArray) -> tuple[_Flags, IntArray]:
    """Pay amounts exactly.

    Parameters
    ----------
    limits
        Coins of value 0, 1, 2, … that each row has, shape (rows, values).
    amounts
        What is to be paid from each row's coins, shape (rows, amounts).

    Returns
    -------
    Which amounts can be paid, shape (rows, amounts); and how many coins of each value
    do, shape (rows, amounts, values), zero for amounts that cannot be paid.
    """
    coins, rest = _greedy(limits, amounts)
    total = limits @ np.arange(limits.shape[1])
    left = (rest != 0) & (amounts > 0) & (amounts <= total[:, None])
    for row in np.nonzero(left.any(axis=1))[0]:
        reached = _sums(limits[row])
        for j in np.nonzero(left[row])[0]:
            if reached[-1] >> int(amounts[row, j]) & 1:
                coins[row, j] = _pay(limits[row], reached, int(amounts[row, j]))
                rest[row, j] = 0
    payable = rest == 0
    return payable, np.where(payable[..., None], coins, 0)


def _greedy(limits: IntArray, amounts: IntArray) -> tuple[IntArray, IntArray]:
    """Take as many of the largest coin as fit, then of the next; also what is left."""
    rest = amounts.copy()
    coins = np.zeros((*amounts.shape, limits.shape[1]), dtype=np.int64)
    for value in range(limits.shape[1] - 1, 0, -1):
        most = limits[:, value, None]
        coins[..., value] = np.minimum(rest // value, most).clip(min=0)
        rest -= value * coins[..., value]
    return coins, rest


def _sums(limits: IntArray) -> list[int]:
    """Find the sums of the coins up to each value, sum s as bit s."""
    reached, found = 1, []
    for value, limit in enumerate(limits.tolist()):
        taken = 0  # coins that `reached` makes use of; doubled until all are
        while value and taken < limit:
            more = min(taken + 1, limit - taken)
            reached |= reached << value * more
            taken += more
        found.append(reached)
    return found


def _pay(limits: IntArray, reached: list[int], amount: int) -> IntArray:
    """Find coins whose sum is an amount that can be paid."""
    coins = np.zeros_like(limits)
    for value in range(len(limits) - 1, 0, -1):
        count = min(amount // value, int(limits[value]))
        while not reached[value - 1] >> amount - count * value & 1:
            count -= 1
        coins[value] = count
        amount -= count * value
    return coins
