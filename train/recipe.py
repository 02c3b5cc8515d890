# SPDX-License-Identifier: Apache-2.0
"""Recipes: a TOML file that says what is trained, on what, and how."""

import difflib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hwgq.errors import RecipeError
from hwgq.storage import read_toml
from hwgq.train.quantizers import STEPS, Backward

Positive = Annotated[int, Field(gt=0)]


class Table(BaseModel):
    """A table of a recipe: every key is known, and none is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Table):
    """What is learned: the name of a data set, see `hwgq.train.datasets`."""

    set: str


class Network(Table):
    """The network, see `hwgq.train.models`."""

    model: Literal["mlp"]
    hidden: Annotated[tuple[Positive, ...], Field(min_length=1)]
    bits: Annotated[int, Field(ge=min(STEPS), le=max(STEPS))] = 2
    backward: Backward = Backward.CLIPPED


class Schedule(Table):
    """AdamW, whose learning rate falls to zero along a cosine.

    Parameters
    ----------
    epochs, batch
        Times through the train part, and images a step.
    learning_rate, weight_decay
        Of AdamW, at the start.
    threads
        CPU threads. The same number gives the same weights again, bit for bit.
    """

    epochs: Positive
    batch: Annotated[int, Field(gt=1)]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    threads: Positive = 1


class Recipe(Table):
    """Everything that decides a training, but for the seed.

    Parameters
    ----------
    name
        Name of the run's folder.
    data, network, schedule
        See the tables.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    data: Data
    network: Network
    schedule: Schedule


def names() -> list[str]:
    """List the recipes that come with hwgq."""
    folder = resources.files("hwgq.train") / "recipes"
    return sorted(
        item.name.removesuffix(".toml")
        for item in folder.iterdir()
        if item.name.endswith(".toml")
    )


def load_recipe(recipe: str | Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    recipe
        A file, or the name of a recipe that comes with hwgq.

    Raises
    ------
    RecipeError
        If there is none of this name, or a key or value in it does not exist.
    StorageError
        If the file is no TOML, or of a newer format.
    """
    if str(recipe) in names():
        folder = resources.files("hwgq.train") / "recipes"
        with resources.as_file(folder / f"{recipe}.toml") as file:
            return parse_recipe(str(recipe), read_toml(file))
    if not Path(recipe).is_file():
        remedy = f"Name a TOML file, or one of {', '.join(names())}"
        raise RecipeError(recipe, "is no recipe", remedy)
    return parse_recipe(str(recipe), read_toml(Path(recipe)))


def parse_recipe(place: str, table: dict[str, Any]) -> Recipe:
    """Check a recipe that was read from `place`; errors as `load_recipe`."""
    try:
        return Recipe.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(str(part) for part in first["loc"])
        raise RecipeError(
            f"{place}, {'.'.join(path)}", _problem(first["msg"]), _remedy(path, first)
        ) from error


def _problem(message: str) -> str:
    return message[0].lower() + message[1:].removesuffix(".")


def _remedy(path: tuple[str, ...], error: Any) -> str:
    if error["type"] == "missing":
        return "Add the key"
    if error["type"] != "extra_forbidden":
        return "Change the value"
    keys = list(_table_at(path[:-1]).model_fields)
    close = difflib.get_close_matches(path[-1], keys, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}The keys here are {', '.join(keys)}"


def _table_at(path: tuple[str, ...]) -> type[Table]:
    """Find the class of the table at a path of keys."""
    table: type[Table] = Recipe
    for key in path:
        annotation: Any = table.model_fields[key].annotation
        table = annotation
    return table
