# SPDX-License-Identifier: Apache-2.0
"""Foldings of all layers together: sums of cycles and costs, without the dominated."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hwgq.compile.cost import Lanes
from hwgq.compile.fabric import Cost

#: Plans beyond which, of those of about the same cost, only the first are kept.
_MANY = 500
#: Parts of a device that are about the same cost.
_GRAINS = 32


class Option(NamedTuple):
    """A folding of a unit.

    Parameters
    ----------
    matrix, rest
        Cycles of its matrix layer and of its other layer; 0 if there is none.
    luts, blocks
        What it costs.
    lanes
        Those of its layers.
    """

    matrix: int
    rest: int
    luts: int
    blocks: int
    lanes: tuple[Lanes, ...]


class Plan(NamedTuple):
    """Foldings of one or more units: their cycles and costs, summed."""

    latency: int
    luts: int
    blocks: int
    options: tuple[Option, ...]

    @property
    def matrix(self) -> int:
        """Cycles of the slowest matrix layer."""
        return max((option.matrix for option in self.options), default=0)

    @property
    def rest(self) -> int:
        """Cycles of the slowest other layer."""
        return max((option.rest for option in self.options), default=0)


def combined(
    options: Sequence[Sequence[Option]], limit: Cost, *, timeless: bool
) -> list[Plan]:
    """List the plans of all units that fit and are not dominated.

    A plan is dominated by one that is no worse in latency, LUTs and block RAMs;
    where `timeless`, latency does not count, and far fewer plans remain.

    Parameters
    ----------
    options
        The foldings of each unit.
    limit
        What a plan may cost.
    timeless
        Whether latency does not count.
    """
    plans = [Plan(0, 0, 0, ())]
    for listed in options:
        good = _undominated(
            (
                Plan(0 if timeless else max(o[:2]), o.luts, o.blocks, (o,))
                for o in listed
            ),
            limit,
        )
        plans = _undominated(
            (
                Plan(
                    plan.latency + option.latency,
                    plan.luts + option.luts,
                    plan.blocks + option.blocks,
                    plan.options + option.options,
                )
                for plan in plans
                for option in good
            ),
            limit,
        )
    return plans


def _undominated(plans: Iterable[Plan], limit: Cost) -> list[Plan]:
    """Keep the plans that fit and that no other one dominates."""
    most, blocks = limit
    kept: list[Plan] = []
    # Fewest LUTs so far among plans of as many block RAMs or less.
    least = [most + 1] * (blocks + 1)
    for plan in sorted(plans):
        if plan.blocks <= blocks and plan.luts < least[plan.blocks]:
            kept.append(plan)
            for more in range(plan.blocks, blocks + 1):
                if least[more] <= plan.luts:
                    break
                least[more] = plan.luts
    if len(kept) <= _MANY:
        return kept
    cells: dict[tuple[int, int], Plan] = {}
    for plan in kept:
        cell = (
            plan.luts * _GRAINS // (most + 1),
            plan.blocks * _GRAINS // (blocks + 1),
        )
        cells.setdefault(cell, plan)
    return list(cells.values())
