# SPDX-License-Identifier: Apache-2.0
"""Draw and check plans by the batch, and keep count of what they cover."""

import logging
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

from hwgq.compile.emulate import emulate
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.reference import evaluate
from hwgq.compile.verilator import Stalls
from tests.compile.agreement import agree_on, compiled
from tests.compile.by_definition import by_definition
from tests.compile.graphs import finished
from tests.random_networks.build import build, draw_frames
from tests.random_networks.features import features
from tests.random_networks.folding import folded
from tests.random_networks.hardware import hardware_features
from tests.random_networks.plan import Folding
from tests.random_networks.rtl import hold_rtl
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
    simulated
        Networks whose RTL was simulated, too.
    rtl_values
        Codes of that RTL that are equal to emulation.
    cycles
        Clock cycles of it.
    pace
        The least part of the rate of the slowest layer that one of them had.
    failures
        Each as small as it got.
    """

    cases: int = 0
    bins: Counter[str] = field(default_factory=Counter)
    values: int = 0
    ties: int = 0
    bound: float = 0.0
    excused: int = 0
    sides: int = 0
    simulated: int = 0
    rtl_values: int = 0
    cycles: int = 0
    pace: float = 1.0
    failures: list[Failure] = field(default_factory=list)

    def count(self, found, simulated, bins):
        """Count one network in."""
        self.cases += 1
        self.bins.update(bins)
        if simulated is not None:
            self.simulated += 1
            self.rtl_values += simulated.values
            self.cycles += simulated.cycles
            self.pace = min(self.pace, simulated.pace)
        self.values += found.values
        self.ties += found.ties
        self.bound = max(self.bound, float(found.bound) if found.ties else 0.0)
        self.excused += found.excused
        self.sides += found.sides

    def add(self, other):
        """Count another tally in."""
        for name in vars(self).keys() - {"bound", "pace"}:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bound = max(self.bound, other.bound)
        self.pace = min(self.pace, other.pace)


def check(plan, *, rtl):
    """Hold a network's rungs equal, `rtl` among them where that is asked for.

    Returns
    -------
    How much was compared from the file to emulation, how much in RTL, and the bins of
    features that the network covers.
    """
    model, frames = build(plan), draw_frames(plan, FRAMES)
    state = compiled(model)
    evaluation = evaluate(state.network, frames)
    found = agree_on(state, model, frames, evaluation)
    graph = finished(folded(absorb_offsets(state.graph), plan.folding))
    codes = state.network.input_type.codes(evaluation.integers)
    emulated = emulate(graph, codes)
    for name, wanted in evaluation.codes.items():
        np.testing.assert_array_equal(emulated[name], wanted, f"{name}, folded")
    for name, wanted in by_definition(graph, codes).items():
        np.testing.assert_array_equal(emulated[name], wanted, f"{name}, by definition")
    bins = features(plan) | hardware_features(plan, graph, rtl=rtl)
    if not rtl:
        return found, None, bins
    chosen = plan.folding
    stalls = Stalls(chosen.seed, chosen.source / 100, chosen.sink / 100)
    return found, hold_rtl(graph, codes, stalls), bins


def run_batch(number, cases, simulated=0):
    """Check as many different networks as `cases`, drawn by the seed `number`.

    So many as `simulated`, evenly among them, are checked up to RTL. Hypothesis draws
    each by itself: from those that it draws together it makes many by repeating parts.
    """
    logging.getLogger("finn_logger").setLevel(logging.CRITICAL)
    tally, done, draws = Tally(), set(), count()
    while len(done) < cases:
        failure = _run_draw(f"{number}, {next(draws)}", cases, simulated, tally, done)
        if failure is not None and failure not in tally.failures:
            tally.failures.append(failure)
    return tally


def _run_draw(name, cases, simulated, tally, done):
    """Draw a network, and check it unless it is done; give its failure, made small."""
    failed = {}

    @seed(name)
    @settings(
        max_examples=2,  # of which the first is the simplest
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def hold(plan):
        network = replace(plan, folding=Folding())
        number = len(done)
        if not failed and (network in done or number == cases):
            return
        rtl = (number + 1) * simulated // cases > number * simulated // cases
        try:
            found = check(plan, rtl=rtl)
        except Exception as error:  # whatever a network raises is its failure
            failed[plan] = f"{type(error).__name__}: {error}".strip()[:600]
            raise
        if not failed:
            tally.count(*found)
            done.add(network)

    try:
        hold()
    except Exception:
        # Hypothesis raises what a network raised, or that it is flaky. Either is a
        # failure to record; only a fault of the strategy itself is none.
        if not failed:
            raise
        done.add(replace(next(iter(failed)), folding=Folding()))
        smallest = min(failed, key=lambda plan: len(repr(plan)))
        return Failure(plan=repr(smallest), error=failed[smallest])
    return None
