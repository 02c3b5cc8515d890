# SPDX-License-Identifier: Apache-2.0
"""Make a folder of train/shipped/ from a row of the table of accuracies.

Run `python -m benchmarks.ship ROW [--data SET=PLACE]` in the project's root, after
`python -m benchmarks.accuracy --train ROW`. It takes the checkpoint of seed 0, as no
seed is picked, and the first frames of the test part as samples.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.accuracy import checkpoint, read_records, source
from benchmarks.accuracy_rows import named
from hwgq.errors import OptionError
from hwgq.storage import (
    read_bytes,
    sha256_bytes,
    write_bytes,
    write_json,
    write_npz,
    write_text,
    write_toml,
)
from hwgq.train.deployed import unpack
from hwgq.train.networks import assemble, load_data
from hwgq.train.pretrained import Card, card_text, check_pretrained
from hwgq.train.qonnx_writer import export_network
from hwgq.train.samples import collect
from hwgq.train.training import recipe_hash, resolved

SHIPPED = Path("train") / "shipped"
FRAMES = 64
"""Frames of the samples."""

LICENCE_LINE = "# SPDX-License-Identifier: Apache-2.0"

LICENCES = {
    "digits": "CC BY 4.0 (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository)",
    "fashion-mnist": "MIT (Zalando SE)",
    "cifar10": "none stated by its authors (A. Krizhevsky, 2009)",
}


def ship(name: str, data: dict[str, str]) -> Path:
    """Write the folder of a row, and check it against itself."""
    row, seed = named(name), 0
    records = [r for r in read_records().get(name, []) if r.seed == seed]
    if not records:
        remedy = f"Run python -m benchmarks.accuracy --train {name}"
        raise OptionError(name, "is not trained", remedy)
    (record,) = records
    recipe = row.resolved()
    dataset = load_data(recipe, source(recipe, data))
    weights = read_bytes(checkpoint(row, seed))
    model = assemble(recipe, dataset.shape, dataset.classes)
    unpack(model, weights, str(checkpoint(row, seed)))
    network = export_network(model.eval(), dataset.shape, dataset.input_bits)
    card = Card(
        recipe_sha256=recipe_hash(recipe),
        seed=seed,
        commit=record.commit,
        epochs=record.epochs,
        seconds=record.seconds,
        device=record.device,
        data=record.note or recipe.data.set,
        data_licence=LICENCES[recipe.data.set],
        data_sha256=record.data_sha256,
        shape=dataset.shape,
        classes=dataset.classes,
        input_bits=dataset.input_bits,
        test=record.test,
        weights_sha256=sha256_bytes(weights),
        network_sha256=sha256_bytes(network),
    )
    folder, test = SHIPPED / name, dataset.test
    write_toml(folder / "recipe.toml", resolved(recipe))
    text = (folder / "recipe.toml").read_text()
    write_text(folder / "recipe.toml", f"{LICENCE_LINE}\n{text}")
    write_json(folder / "card.json", card.as_json())
    write_bytes(folder / "weights.safetensors", weights)
    write_bytes(folder / "network.onnx", network)
    samples = collect(model, test.images[:FRAMES], test.labels[:FRAMES])
    write_npz(folder / "samples.npz", **samples)
    write_text(folder / "README.md", card_text(recipe, card))
    check_pretrained(folder)
    return folder


def main(
    row: str,
    data: Annotated[
        list[str] | None, typer.Option(help="SET=FOLDER or SET=FILE, repeatable.")
    ] = None,
) -> None:
    """Ship a row's network."""
    print(ship(row, dict(entry.split("=", 1) for entry in data or [])))


if __name__ == "__main__":
    typer.run(main)
