# SPDX-License-Identifier: Apache-2.0
"""Print the best half-wave quantizers, and beside them what the authors published.

Run `python -m benchmarks.quantizers` in the project's root. Errors are those of a
standard normal x given x > 0; "excess" is how much more a published one has.
"""

from itertools import product

from hwgq.train.lloyd_max import Codebook, nearest, solve
from hwgq.train.options import PUBLISHED_LEVELS, PUBLISHED_STEPS, Form, Spacing

LEVELS = (1, 2, 3, 7, 15)
HEAD = ["n", "spacing", "form", "mse", "published", "mse", "excess,%", "step_or_levels"]
WIDTHS = (3, 10, 6, 10, 12, 10, 9, 0)


def published(levels: int, spacing: str, form: str) -> Codebook | None:
    """Take what the authors give for a quantizer, or None."""
    if form != Form.PAPER:
        return None
    if spacing == Spacing.UNIFORM and (step := PUBLISHED_STEPS.get(levels)):
        return nearest([index * step for index in range(1, levels + 1)])
    if spacing == Spacing.LLOYD_MAX and levels in PUBLISHED_LEVELS:
        return nearest(PUBLISHED_LEVELS[levels])
    return None


def row(levels: int, spacing: str, form: str) -> list[str]:
    """Make one line of the table."""
    count = 1 if spacing == Spacing.UNIFORM else levels
    best = solve(levels, spacing, form)
    cells = [str(levels), spacing, form, f"{best.mse:.6f}"]
    if given := published(levels, spacing, form):
        constants = " ".join(f"{level:g}" for level in given.levels[:count])
        excess = f"{100 * (given.mse / best.mse - 1):.5f}"
        cells += [constants, f"{given.mse:.6f}", excess]
    else:
        cells += ["-"] * 3
    digits = 6 if count == 1 else 4
    return [*cells, " ".join(f"{level:.{digits}f}" for level in best.levels[:count])]


def main() -> None:
    """Print the table."""
    rows = [row(*choice) for choice in product(LEVELS, Spacing, Form)]
    for cells in (HEAD, *rows):
        line = (f"{cell:{w}}" for cell, w in zip(cells, WIDTHS, strict=True))
        print(" ".join(line).rstrip())


if __name__ == "__main__":
    main()
