# SPDX-License-Identifier: Apache-2.0
"""`train`: from a recipe to a run folder, resumable."""

import time
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save
from torch import nn

import hwgq
from hwgq.errors import OptionError
from hwgq.progress import tell
from hwgq.stages import run_stage
from hwgq.storage import locked, sha256_bytes, write_bytes, write_json, write_toml
from hwgq.train import datasets
from hwgq.train.datasets import Dataset
from hwgq.train.exporter import export_run
from hwgq.train.networks import load_data
from hwgq.train.pictures import draw_confusion, draw_curves
from hwgq.train.recipe import Recipe, load_recipe
from hwgq.train.runs import default_folder
from hwgq.train.trainer import Fit, Hardware, finish, fit, is_worker, predict


def train(
    recipe: str | Path | Recipe,
    *,
    out: Path | None = None,
    seed: int | None = None,
    data: Path | None = None,
    accelerator: str = "auto",
    devices: int = 1,
) -> Path:
    """Train a network and export it. What is there already is not made again.

    Networks of float weights or ReLU are there to compare with, and are not exported.

    An interrupted training goes on after its last whole epoch, to the same weights.

    Parameters
    ----------
    recipe
        A TOML file, or the name of a recipe that comes with hwgq; or a recipe itself.
    out
        The run folder; by default runs/NAME, or runs/NAME-seedN where N is not 0.
    seed
        Decides the initial weights, and order and moves of the images; 0 by default.
    data
        File or folder of the data set, where it does not come with hwgq.
    accelerator, devices
        "auto", "cpu" or "gpu", and how many of them share every batch.

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
    OptionError
        If this machine has no such devices.
    StorageError
        If the folder cannot be written, or is being written.
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    hardware = Hardware(accelerator=accelerator, devices=devices)
    seed = checked_seed(0 if seed is None else seed)
    dataset = load_data(chosen, data)
    run = out or default_folder(chosen, seed)
    inputs = fit_inputs(chosen, dataset, str(seed))

    def learn() -> Fit:
        title = f"train {chosen.name}, seed {seed}"
        return fit(
            *(chosen, dataset, seed),
            title=title,
            folder=run,
            identity=inputs,
            hardware=hardware,
        )

    def work() -> None:
        start = time.monotonic(), time.process_time()
        result = learn()
        spent = time.monotonic() - start[0], time.process_time() - start[1]
        place = datasets.source(chosen.data.set, data)
        origin = {
            "seed": seed,
            "data": str(place) if place else None,
            "sha256": dataset.fingerprint(),
        }
        write_toml(run / "recipe.toml", resolved(chosen))
        write_json(run / "run.json", origin)
        write_bytes(run / "weights.safetensors", packed(result.model))
        write_bytes(run / "curves.png", draw_curves(chosen.name, result.epochs))
        _assess(run, result, dataset, spent)
        finish(run)

    if is_worker():  # Lightning began this process; the first one writes
        learn()
        return run
    with locked(run):
        outputs = [run / name for name in OUTPUTS]
        run_stage(run, "train", inputs=inputs, outputs=outputs, work=work)
    if chosen.network.exact:
        export_run(run)
    else:
        tell("not exported: float weights or ReLU leave no integers to export")
    return run


OUTPUTS = (
    "recipe.toml",
    "run.json",
    "weights.safetensors",
    "metrics.json",
    "curves.png",
    "confusion.png",
)
"""Files that training writes."""


def packed(model: nn.Module) -> bytes:
    """Write a network's state as safetensors, which take no channels-last order."""
    return save({k: v.contiguous() for k, v in model.state_dict().items()})


def resolved(recipe: Recipe) -> dict[str, object]:
    """Write a recipe out, with every default; TOML has no null."""
    return recipe.model_dump(mode="json", exclude_none=True)


def fit_inputs(recipe: Recipe, dataset: Dataset, seeds: str) -> dict[str, str]:
    """Name everything that decides a training, for its stage's stamp."""
    return {
        "recipe": recipe_hash(recipe),
        "data": dataset.fingerprint(),
        "seeds": seeds,
        "hwgq": hwgq.__version__,
    }


def recipe_hash(recipe: Recipe) -> str:
    """SHA-256 of what a recipe says other than the defaults, in hexadecimal."""
    return sha256_bytes(recipe.model_dump_json(exclude_defaults=True).encode())


def checked_seed(seed: int) -> int:
    """Refuse a seed that PyTorch would refuse or fold."""
    if not 0 <= seed < 2**32:
        raise OptionError("seed", f"cannot be {seed}", "Choose 0 ... 4294967295")
    return seed


def _assess(
    run: Path, result: Fit, dataset: Dataset, spent: tuple[float, float]
) -> None:
    """Write metrics and confusion; here the test part is first read."""
    found = [predict(result.model, part) for part in dataset.parts]
    shares: list[float | None] = [
        float((classes == part.labels).mean())
        for classes, part in zip(found, dataset.parts, strict=True)
    ]
    picture = draw_confusion(dataset.test.labels, found[-1], dataset.classes)
    write_bytes(run / "confusion.png", picture)
    if result.epochs[-1].validation is None:  # it was learned, and says nothing
        shares[1] = None
    metrics = {
        **dict(zip(("train", "validation", "test"), shares, strict=True)),
        "seconds": round(spent[0], 3),
        "cpu_seconds": round(spent[1], 3),
        "device": result.device,
        "epochs": [asdict(epoch) for epoch in result.epochs],
    }
    write_json(run / "metrics.json", metrics)
