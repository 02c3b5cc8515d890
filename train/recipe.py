# SPDX-License-Identifier: Apache-2.0
"""Recipes: a TOML file that says what is trained, on what, and how."""

import difflib
from dataclasses import fields
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hwgq.errors import OptionError, RecipeError
from hwgq.storage import read_toml
from hwgq.train.augmentation import Augmentation
from hwgq.train.half_wave import from_bits
from hwgq.train.models import NAMES, Activation, Ends, Style, Weights, takes_rows
from hwgq.train.options import Backward, Form, Spacing

Positive = Annotated[int, Field(gt=0)]


class _RefusalError(ValueError):
    """What a validator has to say: the problem, and the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


class Table(BaseModel):
    """A table of a recipe: every key is known, and none is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(Table):
    """What is learned.

    Parameters
    ----------
    set
        Name of a data set, see `hwgq.train.datasets`.
    size
        Rows and columns of the images of a folder, which are scaled and cut to it.
    augmentation
        What is done to images, see `hwgq.train.augmentation`.
    shift
        Pixels by which an augmented image is moved at most, in each direction.
    mirror
        Whether one in two augmented images is mirrored: not where left and right differ
        in what an image means.
    """

    set: str
    size: Positive | None = None
    augmentation: Augmentation = Augmentation.NONE
    shift: Annotated[int, Field(ge=0)] = 4
    mirror: bool = True


class Network(Table):
    """The network, see `hwgq.train.models`.

    Parameters
    ----------
    model, width, hidden
        As of `hwgq.train.models.build`.
    bits, levels
        Of an activation: one of the two, or none for 2 bits.
    weights, activation, ends, spacing, form, backward, affine, momentum
        As of `hwgq.train.models.Style`.
    """

    model: Literal[NAMES]  # type: ignore[valid-type]  # mypy wants the names themselves
    width: Annotated[float, Field(gt=0, le=16)] = 1.0
    hidden: tuple[Positive, ...] = ()
    weights: Weights = Weights.BINARY
    activation: Activation = Activation.HWGQ
    ends: Ends = Ends.HARDWARE
    bits: int | None = None
    levels: int | None = None
    spacing: Spacing = Spacing.UNIFORM
    form: Form = Form.PAPER
    backward: Backward = Backward.CLIPPED
    affine: bool = False
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1

    @model_validator(mode="after")
    def _exists(self) -> Self:
        """Refuse quantizers that do not exist, and widths of other networks."""
        if self.model == "mlp" and not self.hidden:
            raise _RefusalError("an mlp has no hidden layers", "Add hidden = [64, 64]")
        if self.model != "mlp" and self.hidden:
            problem = f"{self.model} has hidden layers of its own"
            raise _RefusalError(problem, 'Remove hidden, or set model = "mlp"')
        try:
            self.style()
        except OptionError as error:
            problem = f"{error.place} {error.problem}"
            raise _RefusalError(problem, error.remedy) from error
        return self

    @property
    def exact(self) -> bool:
        """Whether the numeric contract says what it computes, to the integer."""
        return self.weights == Weights.BINARY and self.activation != Activation.RELU

    def style(self) -> Style:
        """Say how the layers are made."""
        quantizer = from_bits(
            self.bits, self.levels, self.backward, self.spacing, self.form
        )
        known = {field.name for field in fields(Style)} & set(type(self).model_fields)
        chosen = {name: getattr(self, name) for name in known}
        return Style(**{**chosen, "levels": quantizer.levels})


class Restart(Table):
    """After how many epochs the learning rate rises again, and to what."""

    epoch: Positive
    learning_rate: Annotated[float, Field(gt=0, le=10)]


class Schedule(Table):
    """How it is learned.

    Parameters
    ----------
    epochs, batch
        Times through the train part, and images a step, of all processes together.
    with_validation
        Whether the validation part is learned, too: for the last training of a recipe
        that was chosen on it. Nothing is validated then.
    learning_rate, weight_decay
        At the start; biases and normalizations do not decay.
    optimizer
        AdamW, or SGD of momentum 0.9.
    decay
        How the learning rate falls: to zero along a cosine or a line, or to a tenth
        after a half and again after three quarters of the steps.
    warmup
        Share of the steps before the first restart in which it rises from zero.
    restarts
        Where the rate rises again, in order, to fall as before.
    init
        How weights begin: as PyTorch's layers do, from N(0, 0.01^2), or by He et al.
    normalize_logits
        Whether the loss takes logits of one mean and variance, times a learned number.
        The network's own logits stay what they are.
    precision
        Of products while learning: "32", "tf32" (on a GPU), or "bf16". Evaluation and
        export are exact: there is neither in them.
    compile
        Whether torch.compile makes the training step.
    threads
        CPU threads. The same number gives the same weights again, bit for bit.
    seeds
        Seeds 0, 1, ... that a table of accuracies is made from.
    """

    epochs: Positive
    batch: Annotated[int, Field(gt=1)]
    with_validation: bool = False
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    optimizer: Literal["adamw", "sgd"] = "adamw"
    decay: Literal["cosine", "linear", "step"] = "cosine"
    warmup: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    restarts: tuple[Restart, ...] = ()
    init: Literal["default", "gauss", "msra"] = "default"
    normalize_logits: bool = False
    precision: Literal["32", "tf32", "bf16"] = "32"
    compile: bool = False
    threads: Positive = 1
    seeds: Positive = 1

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        """Refuse restarts that do not follow one another within the training."""
        borders = [0, *(restart.epoch for restart in self.restarts), self.epochs]
        if any(first >= second for first, second in pairwise(borders)):
            problem = f"restarts after {borders[1:-1]} of {self.epochs} epochs"
            raise _RefusalError(problem, "Order them, before the last epoch")
        return self


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

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse augmentations that the network cannot take."""
        augmentation = self.data.augmentation
        if augmentation != Augmentation.NONE and takes_rows(self.network.model):
            problem = f"{self.network.model} takes rows, whose pixels cannot be moved"
            raise _RefusalError(problem, 'Set data.augmentation = "none"')
        if augmentation == Augmentation.PAPER and self.network.ends != Ends.PAPER:
            problem = 'data.augmentation = "paper" makes pixels that are no integers'
            raise _RefusalError(problem, 'Set network.ends = "paper"')
        return self


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
        where = f"{place}, {'.'.join(path)}" if path else place
        problem = _problem(first["msg"])
        raise RecipeError(where, problem, _remedy(path, first)) from error


def _problem(message: str) -> str:
    _, ours, own = message.partition("Value error, ")
    return own if ours else message[0].lower() + message[1:].removesuffix(".")


def _remedy(path: tuple[str, ...], error: Any) -> str:
    if error["type"] == "missing":
        return "Add the key"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"].remedy)
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
