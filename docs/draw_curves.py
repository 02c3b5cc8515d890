# SPDX-License-Identifier: Apache-2.0
"""Draw how the networks of the table of accuracies learned: `make docs`."""

import io
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from hwgq.storage import read_json

CURVES = Path(__file__).parents[1] / "benchmarks" / "results" / "curves.json"


def draw() -> bytes:
    """Draw training loss and validation accuracy over the share of epochs, as SVG."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, right = figure.subplots(1, 2)
    for row, epochs in sorted(read_json(CURVES).items()):
        if row.count("-") > 1 and not row.startswith("cifar10"):
            continue  # variants would cover the networks themselves
        done = [(i + 1) / len(epochs) for i in range(len(epochs))]
        (curve,) = loss.semilogy(done, [epoch["loss"] for epoch in epochs], label=row)
        if epochs[-1]["validation"] is not None:
            shares = [100 * epoch["validation"] for epoch in epochs]
            right.plot(done, shares, color=curve.get_color())
    loss.set(xlabel="share of the epochs", title="training loss")
    right.set(
        xlabel="share of the epochs", title="validation accuracy, %", ylim=(60, 100)
    )
    for axis in (loss, right):
        axis.grid(visible=True, alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8)
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hwgq"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
