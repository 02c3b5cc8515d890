# SPDX-License-Identifier: Apache-2.0
"""The rows of the table of accuracies: which recipe, changed how, with which seeds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hwgq.train.models.style import FLOAT
from hwgq.train.options import check_choice
from hwgq.train.recipe import Recipe, load_recipe, parse_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row.

    Parameters
    ----------
    name
        Of the row; files and `--train` use it.
    recipe
        Name of the shipped recipe.
    quantizers
        What the table says of weights and activations.
    network, schedule
        Keys of the recipe's tables that this row has otherwise.
    seeds
        Seeds, none of them picked.
    mark
        What the mean of the seeds is to reach, in percent.
    """

    name: str
    recipe: str
    quantizers: str = "HWGQ n = 3, clipped"
    network: Mapping[str, Any] = field(default_factory=dict)
    schedule: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    mark: float | None = None

    def resolved(self) -> Recipe:
        """Read the recipe, with this row's changes."""
        chosen = load_recipe(self.recipe)
        table = chosen.model_dump(mode="json", exclude_none=True)
        table["name"] = self.name
        if "levels" in self.network:
            table["network"].pop("bits", None)
        table["network"] |= self.network
        table["schedule"] |= self.schedule
        return parse_recipe(self.name, table)

    @property
    def words(self) -> str:
        """What the table says of weights, activations, and of affine normalization.

        That of a float network is its usual one, and not named.
        """
        affine = self.binary and self.resolved().network.affine
        return self.quantizers + (", affine normalization" if affine else "")

    @property
    def binary(self) -> bool:
        """Whether it has a deployable form, and so a checkpoint."""
        return self.network.get("weights") != "float"


VARIANTS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("float", "float32", FLOAT),
    ("w1", "1-bit weights, ReLU", {"activation": "relu"}),
    ("sign", "1-bit weights, sign", {"activation": "sign"}),
    ("n2-vanilla", "HWGQ n = 2, vanilla", {"levels": 2, "backward": "vanilla"}),
    ("n2-clipped", "HWGQ n = 2, clipped", {"levels": 2}),
    ("n2-log", "HWGQ n = 2, log-tailed", {"levels": 2, "backward": "log-tailed"}),
    ("n3-vanilla", "HWGQ n = 3, vanilla", {"backward": "vanilla"}),
    ("n3-clipped", "HWGQ n = 3, clipped", {}),
    ("n3-log", "HWGQ n = 3, log-tailed", {"backward": "log-tailed"}),
)
"""What the table sets beside each other: name, words, changes of the network."""


def _variants(recipe: str) -> list[Row]:
    """Make the rows of a network in every variant, normalized as in the paper."""
    return [
        Row(
            name=f"{recipe}-{variant}",
            recipe=recipe,
            quantizers=words,
            network={"affine": False, **changes},
        )
        for variant, words, changes in VARIANTS
    ]


def _float(recipe: str, **options: Any) -> Row:
    """Make the row of the float network beside a recipe's."""
    words = VARIANTS[0][1]
    name = f"{recipe}-float"
    return Row(name=name, recipe=recipe, quantizers=words, network=FLOAT, **options)


ROWS: tuple[Row, ...] = (
    Row(name="digits", recipe="digits", mark=97.0),
    _float("digits"),
    Row(name="fashion-tfc", recipe="fashion-tfc", mark=87.5),
    *_variants("fashion-tfc"),
    Row(name="fashion-sfc", recipe="fashion-sfc", mark=89.0),
    _float("fashion-sfc"),
    Row(name="fashion-cnn", recipe="fashion-cnn"),
    _float("fashion-cnn", seeds=(0,)),
    Row(name="fashion-lenet", recipe="fashion-lenet", mark=91.0),
    _float("fashion-lenet", seeds=(0,)),
    Row(name="cifar10-cnv", recipe="cifar10-cnv", seeds=(0,), mark=82.0),
    Row(name="cifar10-cnv-gpu", recipe="cifar10-cnv-gpu", seeds=(0,), mark=87.8),
    Row(
        name="cifar10-vgg-small-hardware",
        recipe="cifar10-vgg-small-hardware",
        seeds=(0,),
        mark=91.5,
    ),
    Row(name="cifar10-vgg-small", recipe="cifar10-vgg-small", seeds=(0,), mark=91.5),
    _float("cifar10-vgg-small", seeds=(0,), mark=92.8),
)
"""The table, from top to bottom."""


def named(name: str) -> Row:
    """Find a row.

    Raises
    ------
    OptionError
        If there is none of this name.
    """
    check_choice("accuracy", "row", name, [row.name for row in ROWS])
    return next(row for row in ROWS if row.name == name)
