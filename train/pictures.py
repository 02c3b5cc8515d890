# SPDX-License-Identifier: Apache-2.0
"""Pictures of a training, for people who look rather than read."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from hwgq.train.task import Epoch

ANNOTATED_CLASSES = 20
"""Up to so many classes, numbers are written into the confusion matrix."""


def draw_curves(title: str, epochs: Sequence[Epoch]) -> bytes:
    """Draw loss and, where there is one, validation accuracy over epochs, as PNG."""
    validated = [100 * e.validation for e in epochs if e.validation is not None]
    figure = Figure(figsize=(7 if validated else 3.5, 3), layout="constrained")
    axes = figure.subplots(1, 2 if validated else 1, squeeze=False)[0]
    counted = range(1, len(epochs) + 1)
    axes[0].semilogy(counted, [epoch.loss for epoch in epochs])
    names = ["training loss"]
    if validated:
        axes[1].plot(counted, validated)
        names.append("validation accuracy, %")
    for axis, label in zip(axes, names, strict=True):
        axis.set(xlabel="epoch", title=f"{title}: {label}")
        axis.grid(visible=True, alpha=0.3)
    return _png(figure)


def draw_confusion(
    labels: npt.NDArray[np.int64], found: npt.NDArray[np.int64], classes: int
) -> bytes:
    """Draw which class was taken for which, in percent of the true one, as PNG.

    Parameters
    ----------
    labels, found
        True and predicted class of each image, shape (n,).
    classes
        Number of classes.
    """
    counts = np.zeros((classes, classes))
    np.add.at(counts, (labels, found), 1)
    percent = 100 * counts / np.maximum(1, counts.sum(1, keepdims=True))
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    right = 100 * float(np.mean(labels == found))
    axes.set(xlabel="predicted", ylabel="true", title=f"test part, {right:.2f} % right")
    if classes <= ANNOTATED_CLASSES:
        axes.set(xticks=range(classes), yticks=range(classes))
        for (row, column), value in np.ndenumerate(percent):
            if value >= 0.5:
                colour = "white" if value > 50 else "black"
                place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7}
                axes.text(column, row, f"{value:.0f}", color=colour, **place)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
