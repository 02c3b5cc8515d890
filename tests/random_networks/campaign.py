# SPDX-License-Identifier: Apache-2.0
"""Draw and check plans by the batch, and keep count of what they cover."""

import logging
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.compile.agreement import agree
from tests.random_networks.build import build, draw_frames
from tests.random_networks.features import features
from tests.random_networks.strategy import plans

FRAMES = 6


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A network on which rungs differ, as small as it was found."""

    plan: str
    error: str


@dataclass(kw_only=True)
class Tally:
    """What was checked.

    Parameters
    ----------
    cases
        Networks, each counted once.
    bins
        How many of them cover each bin of features.
    values
        Codes that the literal evaluation and the reference agree on.
    ties
        Codes excused by float64 rounding.
    bound
        The largest distance from a threshold that counted as that.
    excused
        Codes of float32 executors within their own bound of a threshold.
    sides
        Sides of thresholds that boundary vectors met.
    failures
        One a batch at most: a batch ends with the first.
    """

    cases: int = 0
    bins: Counter[str] = field(default_factory=Counter)
    values: int = 0
    ties: int = 0
    bound: float = 0.0
    excused: int = 0
    sides: int = 0
    failures: list[Failure] = field(default_factory=list)

    def count(self, found, bins):
        """Count one network in."""
        self.cases += 1
        self.bins.update(bins)
        self.values += found.values
        self.ties += found.ties
        self.bound = max(self.bound, float(found.bound) if found.ties else 0.0)
        self.excused += found.excused
        self.sides += found.sides

    def add(self, other):
        """Count another tally in."""
        for name in ("cases", "bins", "values", "ties", "excused", "sides", "failures"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bound = max(self.bound, other.bound)


def check(plan):
    """Hold a network's rungs equal; say how much was compared."""
    return agree(build(plan), draw_frames(plan, FRAMES))


def run_batch(number, cases):
    """Check as many different networks as `cases`, drawn by the seed `number`."""
    logging.getLogger("finn_logger").setLevel(logging.CRITICAL)
    tally, checked, failed = Tally(), set(), {}

    @seed(number)
    @settings(
        max_examples=4 * cases,  # some are drawn more than once
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def hold(plan):
        if plan in checked or (not failed and len(checked) == cases):
            return
        try:
            found = check(plan)
        except Exception as error:
            failed[plan] = f"{type(error).__name__}: {error}".strip()[:600]
            raise
        if not failed:
            tally.count(found, features(plan))
            checked.add(plan)

    try:
        hold()
    except Exception:
        if not failed:
            raise
        smallest = min(failed, key=lambda plan: len(repr(plan)))
        tally.failures.append(Failure(plan=repr(smallest), error=failed[smallest]))
    return tally
