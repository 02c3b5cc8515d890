# SPDX-License-Identifier: Apache-2.0
"""A recipe's accuracy over seeds, beside the float network trained alike."""

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Self

from hwgq.stages import run_stage
from hwgq.storage import locked, read_json, write_json
from hwgq.train import exact
from hwgq.train.datasets import Dataset
from hwgq.train.models.style import FLOAT
from hwgq.train.networks import load_data
from hwgq.train.recipe import Recipe, load_recipe
from hwgq.train.runs import RUNS
from hwgq.train.trainer import fit, share_right
from hwgq.train.training import checked_seed, fit_inputs


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Shares of test images right, in percent, one a seed.

    Parameters
    ----------
    seeds
        The seeds, none of them picked.
    hwgq
        Of the HWGQ network, evaluated by the numeric contract.
    float32
        Of the float network: same widths, data, epochs, batches and learning rate.
    """

    seeds: tuple[int, ...]
    hwgq: tuple[float, ...]
    float32: tuple[float, ...]

    @property
    def drop(self) -> float:
        """Points that the mean of HWGQ lies below that of float."""
        return mean(self.float32) - mean(self.hwgq)

    @classmethod
    def from_json(cls, table: dict[str, list[float]]) -> Self:
        """Read what `dataclasses.asdict` and JSON made of one."""
        seeds = tuple(int(seed) for seed in table["seeds"])
        return cls(seeds, tuple(table["hwgq"]), tuple(table["float32"]))

    def __str__(self) -> str:
        """Give means and standard deviations, a line a network."""
        lines = []
        for name, values in (("HWGQ", self.hwgq), ("float32", self.float32)):
            spread = stdev(values) if len(values) > 1 else 0.0
            each = ", ".join(f"{value:.2f}" for value in values)
            lines.append(f"{name:8}{mean(values):6.2f} ± {spread:.2f} %  ({each})")
        return "\n".join(lines)


def measure_accuracy(
    recipe: str | Path,
    *,
    seeds: tuple[int, ...] | None = None,
    out: Path | None = None,
    data: Path | None = None,
) -> Accuracy:
    """Train a recipe and the float network beside it with several seeds.

    Parameters
    ----------
    recipe
        A recipe's name or file.
    seeds
        Seeds to train with; by default 0, 1, ..., as many as the recipe says.
    out
        Folder where accuracy.json is kept; runs/NAME by default. There, nothing is
        trained again that did not change.
    data
        File or folder of the data set.
    """
    chosen = load_recipe(recipe)
    seeds = tuple(range(chosen.schedule.seeds)) if seeds is None else seeds
    dataset = load_data(chosen, data)
    folder = out or RUNS / chosen.name
    table = folder / "accuracy.json"
    for seed in seeds:
        checked_seed(seed)
    inputs = fit_inputs(chosen, dataset, str(seeds))

    def work() -> None:
        write_json(table, asdict(_measure(chosen, dataset, seeds)))

    with locked(folder):
        run_stage(folder, "accuracy", inputs=inputs, outputs=[table], work=work)
        return Accuracy.from_json(read_json(table))


def float_beside(recipe: Recipe) -> Recipe:
    """Change a recipe to that of the float network: affine normalization, ReLU."""
    network = recipe.network.model_copy(update=FLOAT)
    return recipe.model_copy(update={"network": network})


def _measure(recipe: Recipe, dataset: Dataset, seeds: tuple[int, ...]) -> Accuracy:
    test, plain = dataset.test, float_beside(recipe)
    found: tuple[list[float], list[float]] = ([], [])
    for seed in seeds:
        title = f"train {recipe.name}, seed {seed}"
        model = fit(recipe, dataset, seed, title=title).model
        found[0].append(100 * exact.accuracy(model, test))
        model = fit(plain, dataset, seed, title=f"{title}, float").model
        found[1].append(100 * share_right(model, test))
    return Accuracy(seeds, tuple(found[0]), tuple(found[1]))
