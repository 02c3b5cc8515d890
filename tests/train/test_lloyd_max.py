# SPDX-License-Identifier: Apache-2.0
"""The solver against published tables, sampling, and the conditions on a minimum."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgq.errors import OptionError
from hwgq.train.lloyd_max import half_wave_mse, nearest, solve
from hwgq.train.options import PUBLISHED_LEVELS, PUBLISHED_STEPS, Form, Spacing

USED = (1, 2, 3, 7, 15)
KINDS = list(product(USED, Spacing, Form))
ANY = {
    "levels": st.integers(1, 20),
    "spacing": st.sampled_from(Spacing),
    "form": st.sampled_from(Form),
}


def multiples(step, levels):
    """The levels of a uniform quantizer."""
    return [step * index for index in range(1, levels + 1)]


def quantize(x, book):
    """Q(x) by counting thresholds."""
    level = np.searchsorted(book.thresholds, x, side="left")
    return np.append(0.0, book.levels)[level]


def directions(book, spacing):
    """Every way in which the levels may move: all as multiples, or each alone."""
    if spacing == Spacing.UNIFORM:
        return [multiples(1, len(book.levels))]
    return np.eye(len(book.levels)).tolist()


@pytest.mark.parametrize(
    ("levels", "form", "step"),
    [
        # Found by SciPy's adaptive quadrature and bounded scalar minimization.
        (1, "paper", 0.7978845608),  # the mean of x > 0, sqrt(2 / pi)
        (2, "paper", 0.651014),
        (3, "paper", 0.538812),
        (7, "paper", 0.321729),
        (15, "paper", 0.184243),
        (3, "round", 0.650770),
        (7, "round", 0.353411),
        (15, "round", 0.193249),
    ],
)
def test_steps_are_those_found_by_an_independent_minimization(levels, form, step):
    book = solve(levels, "uniform", form)
    assert book.levels == pytest.approx(multiples(step, levels), abs=1e-6 * levels)
    assert book.levels[0] == pytest.approx(step, abs=1e-6)


@pytest.mark.parametrize(
    ("form", "table"),
    [
        # Max 1960, table I, N = 2, 4, 6, then N = 3, 5, 7: positive outputs.
        ("paper", [0.7980]),
        ("paper", [0.4528, 1.510]),
        ("paper", [0.3177, 1.000, 1.894]),
        ("round", [1.224]),
        ("round", [0.7646, 1.724]),
        ("round", [0.5606, 1.188, 2.033]),
    ],
)
def test_free_levels_are_those_of_max_1960(form, table):
    # His last digit, of three or four, is at times one off.
    book = solve(len(table), "lloyd-max", form)
    assert book.levels == pytest.approx(table, abs=6e-4)


@pytest.mark.parametrize("levels", PUBLISHED_STEPS)
def test_published_steps_cost_at_most_a_5000th_more_than_the_best(levels):
    published = nearest(multiples(PUBLISHED_STEPS[levels], levels))
    assert 1 <= published.mse / solve(levels).mse <= 1.0002


@pytest.mark.parametrize("levels", PUBLISHED_LEVELS)
def test_published_levels_cost_at_most_a_5000th_more_than_the_best(levels):
    published = nearest(PUBLISHED_LEVELS[levels])
    assert 1 <= published.mse / solve(levels, "lloyd-max").mse <= 1.0002


@pytest.mark.parametrize(("levels", "spacing", "form"), KINDS)
def test_error_is_that_of_a_sample(levels, spacing, form):
    book = solve(levels, spacing, form)
    x = np.abs(np.random.default_rng(0).standard_normal(200_000))
    squares = (x - quantize(x, book)) ** 2
    # Five standard errors of the mean: a right one is farther off once in 1.7 million.
    assert abs(squares.mean() - book.mse) < 5 * squares.std() / math.sqrt(x.size)


@settings(deadline=None)
@given(**ANY)
def test_moving_levels_off_the_optimum_raises_the_error(levels, spacing, form):
    book = solve(levels, spacing, form)
    for direction, size in product(directions(book, spacing), (-1e-4, 1e-4)):
        moved = np.add(book.levels, np.multiply(direction, size))
        assert half_wave_mse(moved, book.thresholds) > book.mse
        assert nearest(moved, form).mse > book.mse


@settings(deadline=None)
@given(**ANY)
def test_thresholds_are_in_the_middle_of_neighbouring_levels(levels, spacing, form):
    book = solve(levels, spacing, form)
    all_levels = np.append(0, book.levels)
    middles = (all_levels[:-1] + all_levels[1:]) / 2
    first = 0 if form == Form.PAPER else book.levels[0] / 2
    assert book.thresholds == pytest.approx([first, *middles[1:]], abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(**ANY)
def test_levels_are_the_means_of_their_cells(levels, spacing, form):
    """By 40-point Gauss-Legendre quadrature, which shares nothing with the solver."""
    book = solve(levels, spacing, form)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    low = np.array(book.thresholds)[:, None]
    half = (np.append(low[1:], low[-1] + 10)[:, None] - low) / 2
    x = low + half * (nodes + 1)
    mass = weights * half * np.exp(-(x**2) / 2)
    pull = (mass * (x - np.array(book.levels)[:, None])).sum(1) / mass.sum(1)
    if spacing == Spacing.UNIFORM:
        factors = np.arange(1, levels + 1) * mass.sum(1)
        assert (factors @ pull) / factors.sum() == pytest.approx(0, abs=1e-8)
    else:
        assert pull == pytest.approx(np.zeros(levels), abs=1e-8)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("levels", USED)
def test_no_other_step_is_better(levels, form):
    steps = np.linspace(0.01, 3, 1000)
    errors = [nearest(multiples(step, levels), form).mse for step in steps]
    assert solve(levels, "uniform", form).mse <= min(errors)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("levels", USED)
def test_free_levels_are_at_least_as_good_as_multiples(levels, form):
    free = solve(levels, "lloyd-max", form)
    assert free.mse <= solve(levels, "uniform", form).mse + 1e-15
    assert solve(levels, "lloyd-max", "round").mse < solve(levels, "lloyd-max").mse


@pytest.mark.parametrize("levels", [31, 76, 255])
def test_many_levels_reach_the_known_limit(levels):
    # Panter and Dite 1951: sqrt(3) pi / 2 per squared number of levels, of which the
    # whole Gaussian has twice as many. What is left falls as 1 / levels.
    limit = math.sqrt(3) * math.pi / 2 / (2 * levels) ** 2
    assert solve(levels, "lloyd-max").mse == pytest.approx(limit, rel=2 / levels)


def test_error_of_no_gain_is_the_variance():
    assert half_wave_mse([1.0], [50.0]) == pytest.approx(1, abs=1e-12)
    assert half_wave_mse([0.0], [0.0]) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("levels", [0, -1, 256, 2.0, True, "3", None])
def test_impossible_numbers_of_levels_are_refused(levels):
    with pytest.raises(OptionError, match=r"Lloyd-Max: cannot place .* from 1 to 255"):
        solve(levels)


def test_unknown_spacings_and_forms_are_refused():
    with pytest.raises(OptionError, match=r"no spacing 'even'. .* uniform, lloyd-max"):
        solve(3, "even")
    with pytest.raises(OptionError, match=r"no form 'floor'. .* paper, round"):
        solve(3, "uniform", "floor")
    with pytest.raises(OptionError, match="no form 'floor'"):
        nearest([1.0], "floor")


@pytest.mark.parametrize(
    ("levels", "thresholds"),
    [
        ([], []),
        ([1.0], [0.0, 1.0]),
        ([2.0, 1.0], [0.0, 1.0]),
        ([1.0, 2.0], [1.0, 0.0]),
        ([1.0], [-1.0]),
        ([math.nan], [0.0]),
        ([1.0], [math.nan]),
        ([math.inf], [0.0]),
    ],
)
def test_what_is_no_codebook_is_refused(levels, thresholds):
    with pytest.raises(OptionError, match="is no codebook: levels"):
        half_wave_mse(levels, thresholds)


@pytest.mark.parametrize("levels", [[], [2.0, 1.0], [-1.0, 1.0], [math.nan]])
@pytest.mark.parametrize("form", Form)
def test_no_thresholds_lie_between_what_are_no_positive_levels(levels, form):
    with pytest.raises(OptionError, match="is no codebook"):
        nearest(levels, form)
