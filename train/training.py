# SPDX-License-Identifier: Apache-2.0
"""`train`: from a recipe to a run folder, resumable."""

import io
import time
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure
from safetensors.torch import save

import hwgq
from hwgq.errors import OptionError
from hwgq.stages import run_stage
from hwgq.storage import locked, sha256_bytes, write_bytes, write_json, write_toml
from hwgq.train import datasets
from hwgq.train.datasets import Dataset
from hwgq.train.exporter import export
from hwgq.train.recipe import Recipe, load_recipe
from hwgq.train.runs import default_folder, load_data
from hwgq.train.trainer import Fit, fit, share_right


def train(
    recipe: str | Path,
    *,
    out: Path | None = None,
    seed: int | None = None,
    data: Path | None = None,
) -> Path:
    """Train a network and export it. What is there already is not made again.

    Parameters
    ----------
    recipe
        A TOML file, or the name of a recipe that comes with hwgq.
    out
        The run folder; by default runs/NAME, or runs/NAME-seedN where N is not 0.
    seed
        Decides the initial weights and the order of the images; 0 by default.
    data
        File or folder of the data set, where it does not come with hwgq.

    Returns
    -------
    Path
        The run folder, see `hwgq.train.runs`.

    Raises
    ------
    RecipeError
        If the recipe asks for what does not exist, or the loss is no longer a number.
    DataError
        If the data are missing or damaged.
    StorageError
        If the folder cannot be written, or is being written.
    """
    chosen = load_recipe(recipe)
    seed = checked_seed(0 if seed is None else seed)
    dataset = load_data(chosen, data)
    place = datasets.source(chosen.data.set, data)
    run = out or default_folder(chosen, seed)
    origin = {
        "seed": seed,
        "data": str(place) if place else None,
        "sha256": dataset.fingerprint(),
    }

    def work() -> None:
        start = time.monotonic()
        result = fit(chosen, dataset, seed)
        seconds = time.monotonic() - start
        write_toml(run / "recipe.toml", chosen.model_dump(mode="json"))
        write_json(run / "run.json", origin)
        write_bytes(run / "weights.safetensors", save(result.model.state_dict()))
        write_bytes(run / "curves.png", draw_curves(chosen.name, result))
        write_json(run / "metrics.json", _metrics(result, dataset, seconds))

    with locked(run):
        run_stage(
            run,
            "train",
            inputs=fit_inputs(chosen, dataset, str(seed)),
            outputs=[run / name for name in OUTPUTS],
            work=work,
        )
    export(run)
    return run


OUTPUTS = (
    "recipe.toml",
    "run.json",
    "weights.safetensors",
    "metrics.json",
    "curves.png",
)
"""Files that training writes."""


def fit_inputs(recipe: Recipe, dataset: Dataset, seeds: str) -> dict[str, str]:
    """Name everything that decides a training, for its stage's stamp."""
    return {
        "recipe": sha256_bytes(recipe.model_dump_json().encode()),
        "data": dataset.fingerprint(),
        "seeds": seeds,
        "hwgq": hwgq.__version__,
    }


def checked_seed(seed: int) -> int:
    """Refuse a seed that PyTorch would refuse or fold."""
    if not 0 <= seed < 2**32:
        raise OptionError("seed", f"cannot be {seed}", "Choose 0 ... 4294967295")
    return seed


def draw_curves(title: str, result: Fit) -> bytes:
    """Draw loss and validation accuracy over the epochs, as PNG."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots(1, 2)
    epochs = range(1, len(result.epochs) + 1)
    axes[0].semilogy(epochs, [epoch.loss for epoch in result.epochs])
    axes[1].plot(epochs, [100 * epoch.validation for epoch in result.epochs])
    names = ("training loss", "validation accuracy, %")
    for axis, label in zip(axes, names, strict=True):
        axis.set(xlabel="epoch", title=f"{title}: {label}")
        axis.grid(visible=True, alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _metrics(result: Fit, dataset: Dataset, seconds: float) -> dict[str, object]:
    """Describe a training; here, after the last epoch, the test part is first read."""
    shares = [share_right(result.model, part) for part in dataset.parts]
    return {
        **dict(zip(("train", "validation", "test"), shares, strict=True)),
        "seconds": round(seconds, 3),
        "epochs": [asdict(epoch) for epoch in result.epochs],
    }
