# SPDX-License-Identifier: Apache-2.0
"""Networks that come with hwgq, trained, in their deployable form.

Each has a folder of its recipe's name in `shipped/`: recipe.toml, card.json (what
it is, and how good), weights.safetensors (see `hwgq.train.deployed`), network.onnx and
samples.npz (the first frames of the test part), and README.md, the card for people.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from hwgq.errors import MismatchError, RecipeError, StorageError
from hwgq.stages import run_stage
from hwgq.storage import (
    locked,
    read_bytes,
    read_json,
    read_npz,
    read_toml,
    sha256_bytes,
    write_bytes,
)
from hwgq.train.deployed import unpack
from hwgq.train.exact import reference
from hwgq.train.networks import assemble
from hwgq.train.qonnx_writer import export_network
from hwgq.train.recipe import Recipe, parse_recipe
from hwgq.train.runs import RUNS

FILES = ("network.onnx", "samples.npz", "card.json", "recipe.toml")
"""What a run folder gets of a shipped network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a shipped network is.

    Parameters
    ----------
    recipe_sha256, seed, commit
        What it was trained by.
    epochs, seconds, device
        How long, and on what.
    data, data_licence, data_sha256
        What it was trained on.
    shape, classes, input_bits
        Of its images.
    test
        Test images right, in percent, by the numeric contract.
    weights_sha256, network_sha256
        Of its files.
    """

    recipe_sha256: str
    seed: int
    commit: str
    epochs: int
    seconds: float
    device: str
    data: str
    data_licence: str
    data_sha256: str
    shape: tuple[int, ...]
    classes: int
    input_bits: int
    test: float
    weights_sha256: str
    network_sha256: str

    def as_json(self) -> dict[str, Any]:
        """Give it to `write_json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A shipped network, in evaluation mode, with its recipe and card."""

    model: nn.Sequential
    recipe: Recipe
    card: Card


def pretrained_names() -> list[str]:
    """List the networks that come with hwgq."""
    folder = resources.files("hwgq.train") / "shipped"
    return sorted(item.name for item in folder.iterdir() if item.is_dir())


def load_pretrained(name: str) -> Pretrained:
    """Load a network that comes with hwgq.

    Parameters
    ----------
    name
        One of `pretrained_names`.

    Raises
    ------
    RecipeError
        If none of this name comes with hwgq.
    StorageError
        If its files are damaged.
    """
    return read_pretrained(_folder(name))


def read_pretrained(folder: Path) -> Pretrained:
    """Read a network's folder; errors as `load_pretrained`."""
    place = folder / "weights.safetensors"
    recipe = parse_recipe(str(folder), read_toml(folder / "recipe.toml"))
    card = _card(folder)
    data = read_bytes(place)
    if sha256_bytes(data) != card.weights_sha256:
        raise StorageError(place, "is not what its card says", "Install hwgq anew")
    model = assemble(recipe, card.shape, card.classes)
    unpack(model, data, str(place))
    return Pretrained(model.eval(), recipe, card)


def fetch_pretrained(name: str, *, out: Path | None = None) -> Path:
    """Make a run folder of a network that comes with hwgq, and check what it computes.

    Parameters
    ----------
    name
        One of `pretrained_names`.
    out
        The run folder; by default runs/NAME-pretrained.

    Returns
    -------
    Path
        The run folder, with network.onnx and samples.npz.

    Raises
    ------
    RecipeError, StorageError
        As `load_pretrained`; or if the folder cannot be written.
    MismatchError
        If the weights do not give the logits of the samples, or the network, bit for
        bit.
    """
    folder, run = _folder(name), out or RUNS / f"{name}-pretrained"
    inputs = {file: sha256_bytes(read_bytes(folder / file)) for file in FILES}
    inputs["weights"] = sha256_bytes(read_bytes(folder / "weights.safetensors"))

    def work() -> None:
        check_pretrained(folder)
        for file in FILES:
            write_bytes(run / file, read_bytes(folder / file))

    with locked(run):
        outputs = [run / file for file in FILES]
        run_stage(run, "pretrained", inputs=inputs, outputs=outputs, work=work)
    return run


def check_pretrained(folder: Path) -> None:
    """Compare a network's folder with itself: weights, samples, network.onnx."""
    found = read_pretrained(folder)
    samples = read_npz(folder / "samples.npz")
    exact = reference(found.model, samples["images"])
    wrong = np.argwhere(exact.logits != samples["logits"])
    if len(wrong):
        index = tuple(wrong[0].tolist())
        pair = float(samples["logits"][index]), float(exact.logits[index])
        raise MismatchError("weights.safetensors", "logits", index, *pair)
    data = export_network(found.model, found.card.shape, found.card.input_bits)
    files = (sha256_bytes(data), sha256_bytes(read_bytes(folder / "network.onnx")))
    for digest in files:
        if digest != found.card.network_sha256:
            expected = found.card.network_sha256[:16]
            raise MismatchError("network.onnx", "", (), expected, digest[:16])


def card_text(recipe: Recipe, card: Card) -> str:
    """Write a network's card for people, in Markdown."""
    network, shape = recipe.network, " × ".join(map(str, card.shape))
    return f"""# {recipe.name}

{network.model} with {network.ends} ends: {network.style().text()}.
Images: {shape} integers of {card.input_bits} bits, in {card.classes} classes.

| | |
|---|---|
| test accuracy, by the numeric contract | {card.test:.2f} % |
| data | {card.data}; licence: {card.data_licence} |
| SHA-256 of its images and labels | `{card.data_sha256}` |
| seed, epochs | {card.seed}, {card.epochs} |
| trained in | {card.seconds:.0f} s on {card.device}, code of commit {card.commit} |
| SHA-256 of the recipe | `{card.recipe_sha256}` |
| SHA-256 of weights.safetensors | `{card.weights_sha256}` |
| SHA-256 of network.onnx | `{card.network_sha256}` |

`hwgq run {recipe.name} --pretrained` checks these files against each other. Seed 0 is
shipped, whatever the other seeds gave. The weights have hwgq's licence, Apache-2.0. The
network knows its data set and nothing else: do not decide by it about people.
"""


def _folder(name: str) -> Path:
    if name not in pretrained_names():
        remedy = f"Choose one of {', '.join(pretrained_names())}, or train it"
        raise RecipeError(name, "does not come trained", remedy)
    found = resources.files("hwgq.train") / "shipped" / name
    assert isinstance(found, Path), "hwgq is installed as files"
    return found


def _card(folder: Path) -> Card:
    table: Mapping[str, Any] = read_json(folder / "card.json")
    try:
        return Card(**{**table, "shape": tuple(table["shape"])})
    except (TypeError, KeyError) as error:
        problem = f"is no card ({error})"
        raise StorageError(
            folder / "card.json", problem, "Install hwgq anew"
        ) from error
