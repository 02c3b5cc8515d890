# SPDX-License-Identifier: Apache-2.0
"""Run folders: what a training leaves on disk, and how it is read again.

A run folder holds recipe.toml (resolved), run.json (seed, data), weights.safetensors
(latent weights and batch-norm statistics), metrics.json and curves.png; `export` adds
network.onnx and samples.npz.
"""

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from hwgq.errors import DataError, StorageError, shorten
from hwgq.storage import read_bytes, read_json, read_toml
from hwgq.train.datasets import Dataset
from hwgq.train.networks import load_data, make_network
from hwgq.train.recipe import Recipe, parse_recipe

RUNS = Path("runs")
"""Folder of the run folders, where none is named."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished training, read from its folder.

    Parameters
    ----------
    recipe, seed
        What was trained.
    dataset
        The very data that it was trained on.
    model
        The network, in evaluation mode.
    """

    recipe: Recipe
    seed: int
    dataset: Dataset
    model: nn.Sequential


def default_folder(recipe: Recipe, seed: int) -> Path:
    """Name the folder of a run: runs/NAME, with the seed where it is not 0."""
    return RUNS / (f"{recipe.name}-seed{seed}" if seed else recipe.name)


def load_run(run: Path) -> Run:
    """Read a run folder.

    Raises
    ------
    StorageError
        If it is no run folder, or is damaged.
    DataError
        If the data are gone, or are no longer those of the training.
    """
    recipe = parse_recipe(str(run / "recipe.toml"), read_toml(run / "recipe.toml"))
    origin = read_json(run / "run.json")
    for key in ("seed", "data", "sha256"):
        if key not in origin:
            raise StorageError(run / "run.json", f"lacks {key}", "Train again")
    data = Path(origin["data"]) if origin["data"] else None
    dataset = load_data(recipe, data)
    if dataset.fingerprint() != origin["sha256"]:
        problem = f"is not what {run} was trained on"
        raise DataError(data or recipe.data.set, problem, "Train again")
    model = make_network(recipe, dataset)
    _load_weights(model, run / "weights.safetensors")
    return Run(recipe, origin["seed"], dataset, model.eval())


def _load_weights(model: nn.Module, path: Path) -> None:
    try:
        model.load_state_dict(load(read_bytes(path)))
    except (SafetensorError, RuntimeError) as error:
        reason = shorten(" ".join(str(error).split()))  # PyTorch's has a line a tensor
        problem = f"does not hold this network's weights ({reason})"
        raise StorageError(path, problem, "Train again") from error
