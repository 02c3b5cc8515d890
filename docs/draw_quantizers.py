# SPDX-License-Identifier: Apache-2.0
"""Draw the quantizers and their gradients: `python -m docs.draw_quantizers`."""

import io
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from hwgq.storage import write_bytes
from hwgq.train.lloyd_max import Codebook, nearest, solve
from hwgq.train.options import PUBLISHED_STEPS, Form, Spacing

FAR = 3.6
"""How far the axes reach, in standard deviations."""

INK, PALE = "#1f4e79", "#dfe3e8"
COLOURS = {"vanilla": "#d95f02", "clipped": "#1b9e77", "log-tailed": "#7570b3"}


def draw() -> bytes:
    """Draw levels over the density of x and, right, what stands in for them backwards.

    Returns
    -------
    bytes
        An SVG, the same at each call.
    """
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    axes = figure.subplots(2, 4, width_ratios=(1, 1, 1, 1.35))
    for axis, (title, book) in zip(axes[:, :3].flat, _books().items(), strict=True):
        _draw_forward(axis, title, book)
    _draw_backward(axes[0, 3], _published(3))
    _draw_sign(axes[1, 3])
    axes[0, 0].legend(fontsize=8, loc="upper left", frameon=False)
    for axis in axes[1]:
        axis.set_xlabel("x, normalized")
    for axis in axes[:, 0]:
        axis.set_ylabel("Q(x)")
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "hwgq"}):
        unnamed = {"Date": None, "Creator": None}
        figure.savefig(buffer, format="svg", metadata=unnamed)
    return buffer.getvalue()


def _published(levels: int) -> Codebook:
    step = PUBLISHED_STEPS[levels]
    return nearest([step * index for index in range(1, levels + 1)])


def _books() -> dict[str, Codebook]:
    """Choose what to draw, by title."""
    uniform = {
        f"{levels.bit_length()} bit{'s' * (levels > 1)}, Δ = {step}": _published(levels)
        for levels, step in PUBLISHED_STEPS.items()
    }
    return {
        **uniform,
        "2 bits, Lloyd-Max levels": solve(3, Spacing.LLOYD_MAX),
        "2 bits, rounding": solve(3, Spacing.UNIFORM, Form.ROUND),
    }


def _draw_forward(axis: Axes, title: str, book: Codebook) -> None:
    x = np.linspace(0, FAR, 60)
    density = np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)
    axis.fill_between(x, density, color=PALE, label="density of x")
    axis.plot([0, FAR], [0, FAR], color="gray", lw=0.8, ls=":", label="ReLU")
    _draw_stairs(axis, book)
    error = f"error {book.mse:.4f}"
    axis.text(FAR, -0.35, error, ha="right", fontsize=8)
    _frame(axis, title, (-0.8, FAR), (-0.5, FAR))


def _draw_stairs(axis: Axes, book: Codebook) -> None:
    edges = [-FAR, *book.thresholds, 2 * FAR]
    axis.stairs([0, *book.levels], edges, baseline=None, color=INK, lw=1.6, label="Q")


def _draw_backward(axis: Axes, book: Codebook) -> None:
    """Draw the functions whose slope is taken for that of the staircase."""
    top = book.levels[-1]
    x = np.linspace(0, FAR, 100)
    functions = {
        "vanilla": x,
        "log-tailed": np.where(x > top, top + np.log(np.maximum(x - top + 1, 1)), x),
        "clipped": np.minimum(x, top),
    }
    _draw_stairs(axis, book)
    # Up to the top level all three are one line: the last drawn is the thinnest.
    for width, (name, y) in zip((3.6, 2.4, 1.2), functions.items(), strict=True):
        axis.plot([-FAR, *x], [0, *y], color=COLOURS[name], lw=width, label=name)
    axis.plot([top, top], [-1, top], color="gray", lw=0.8, ls=":")
    axis.text(top + 0.05, -0.35, "$q_m$", fontsize=9)
    _frame(axis, "2 bits: Q, integrals of its gradients", (-0.8, FAR), (-0.5, FAR))
    axis.legend(fontsize=8, loc="upper left", frameon=False)


def _draw_sign(axis: Axes) -> None:
    axis.step([-FAR, 0, FAR], [-1, -1, 1], color=INK, lw=1.6, label="sign")
    x = [-FAR, -1, 1, FAR]
    axis.plot(x, np.clip(x, -1, 1), color=COLOURS["clipped"], lw=1.2, label="hard tanh")
    _frame(axis, "sign, integral of its gradient", (-2.2, 2.2), (-1.4, 2))
    axis.legend(fontsize=8, loc="upper left", frameon=False)


def _frame(
    axis: Axes, title: str, x: tuple[float, float], y: tuple[float, float]
) -> None:
    axis.set(xlim=x, ylim=y)
    axis.xaxis.set_major_locator(MultipleLocator(1))
    axis.yaxis.set_major_locator(MultipleLocator(1))
    axis.set_title(title, fontsize=10)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    write_bytes(Path(__file__).parent / "quantizers.svg", draw())
