# SPDX-License-Identifier: Apache-2.0
"""The table of accuracies: print it, evaluating every checkpoint again; or train a row.

In the project's root:

    python -m benchmarks.accuracy [--data fashion-mnist=DIR] [--data cifar10=FILE]
    python -m benchmarks.accuracy --train ROW [--seed 1 --seed 2] --data ...

Checkpoints are evaluated on the whole test part under the integer contract, which
needs the data (by default, they are downloaded); each must give the very accuracy that
was recorded after training. Rows whose data or checkpoint are not at hand are marked.
Results and checkpoints are in benchmarks/results/.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import typer

from benchmarks.accuracy_rows import ROWS, Row, named
from benchmarks.provenance import commit
from hwgq.errors import HwgqError, MismatchError
from hwgq.progress import tell
from hwgq.storage import read_json, write_bytes, write_json, write_text
from hwgq.train import train
from hwgq.train.datasets import Dataset
from hwgq.train.deployed import pack, unpack
from hwgq.train.exact import accuracy
from hwgq.train.networks import assemble, load_data
from hwgq.train.options import check_choice
from hwgq.train.recipe import Recipe
from hwgq.train.runs import load_run
from hwgq.train.trainer import share_right
from hwgq.train.training import recipe_hash

RESULTS = Path(__file__).parent / "results"
TABLE, CURVES = RESULTS / "accuracy.json", RESULTS / "curves.json"
CHECKPOINTS = RESULTS / "checkpoints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a training of a row gave, and how.

    `test` is in percent, by the numeric contract where the row has one.
    """

    test: float
    validation: float | None
    seed: int
    recipe_sha256: str
    commit: str
    epochs: int
    seconds: float
    cpu_seconds: float
    device: str
    note: str
    data_sha256: str


def test_accuracy(model: Any, recipe: Recipe, dataset: Dataset) -> float:
    """Evaluate on the test part: exactly where there is a contract, else in float32."""
    share = accuracy if recipe.network.exact else share_right
    return 100 * share(model, dataset.test)


def train_row(
    row: Row, seeds: Sequence[int], data: dict[str, str], note: str
) -> list[Record]:
    """Train seeds of a row, and keep checkpoints of what can be deployed."""
    recipe, records = row.resolved(), []
    for seed in seeds:
        folder = Path("runs") / "accuracy" / f"{row.name}-seed{seed}"
        begun = commit()
        run = train(recipe, seed=seed, out=folder, data=source(recipe, data))
        found, metrics = load_run(run), read_json(run / "metrics.json")
        validation = metrics["validation"]  # none where it was learned
        records.append(
            Record(
                test=test_accuracy(found.model, recipe, found.dataset),
                validation=None if validation is None else 100 * validation,
                seed=seed,
                recipe_sha256=recipe_hash(recipe),
                commit=begun,
                epochs=len(metrics["epochs"]),
                seconds=metrics["seconds"],
                cpu_seconds=metrics["cpu_seconds"],
                device=metrics["device"],
                note=note,
                data_sha256=found.dataset.fingerprint(),
            )
        )
        if row.binary:
            write_bytes(checkpoint(row, seed), pack(found.model))
        if seed == row.seeds[0]:
            curves = read_json(CURVES) if CURVES.exists() else {}
            write_json(CURVES, {**curves, row.name: metrics["epochs"]})
    return records


def joined(old: list[Record], new: list[Record]) -> list[Record]:
    """Put newly trained seeds to the others that were trained by the same recipe."""
    recipe, seeds = new[0].recipe_sha256, {record.seed for record in new}
    kept = [r for r in old if r.recipe_sha256 == recipe and r.seed not in seeds]
    return sorted([*kept, *new], key=lambda record: record.seed)


def checkpoint(row: Row, seed: int) -> Path:
    """Name a checkpoint."""
    return CHECKPOINTS / f"{row.name}-seed{seed}.safetensors"


def evaluated(row: Row, records: list[Record], data: dict[str, str]) -> str:
    """Evaluate a row's checkpoints again; say what was done.

    Raises
    ------
    MismatchError
        If one gives another accuracy than the recorded one.
    """
    kept = [record for record in records if checkpoint(row, record.seed).exists()]
    if not kept:
        return "recorded"
    recipe = row.resolved()
    try:
        dataset = load_data(recipe, source(recipe, data))
    except HwgqError as error:
        tell(f"{row.name}: {error}")
        return "recorded, no data"
    if dataset.fingerprint() != kept[0].data_sha256:
        return "recorded, on other data"
    for record in kept:
        path = checkpoint(row, record.seed)
        model = assemble(recipe, dataset.shape, dataset.classes)
        unpack(model, path.read_bytes(), str(path))
        found = test_accuracy(model.eval(), recipe, dataset)
        if found != record.test:
            raise MismatchError(path.name, "test part", (), record.test, found)
    return "computed again"


def source(recipe: Recipe, data: dict[str, str]) -> Path | None:
    """Find where the user says that a recipe's data set is."""
    found = data.get(recipe.data.set)
    return Path(found) if found else None


def line(row: Row, records: list[Record], how: str) -> str:
    """Write a row of the table, in Markdown."""
    if not records:
        words = "not run"
        cells = [row.name, row.words, words, _mark(row), "", "", "", "", "", how]
        return f"| {' | '.join(cells)} |"
    values = [record.test for record in records]
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    first = records[0]
    cells = [
        row.name,
        row.words,
        f"{mean(values):.2f}{spread}",
        _mark(row),
        ", ".join(str(record.seed) for record in records),
        f"{first.epochs}",
        f"{mean(record.cpu_seconds for record in records):.0f}",
        first.device,
        first.note or row.resolved().data.set,
        how,
    ]
    return f"| {' | '.join(cells)} |"


def _mark(row: Row) -> str:
    return "" if row.mark is None else f"{row.mark:g}"


HEAD = (
    "| row | weights, activations | test accuracy, % | mark | seeds | epochs "
    "| CPU s a seed | device | data | this table |"
    "\n|---|---|---|---|---|---|---|---|---|---|"
)


def read_records() -> dict[str, list[Record]]:
    """Read what was recorded, by the row's name."""
    if not TABLE.exists():
        return {}
    rows = read_json(TABLE)["rows"]
    return {name: [Record(**r) for r in records] for name, records in rows.items()}


def _train(
    row: Row, chosen: list[int] | None, places: dict[str, str], note: str
) -> None:
    """Train seeds of a row, by default all of its own, and record them."""
    seeds = chosen or row.seeds
    for seed in seeds:
        check_choice(row.name, "seed", seed, row.seeds)
    new = train_row(row, seeds, places, note)
    # Read after the hours of training: another row may have been trained meanwhile.
    records = read_records()
    records[row.name] = joined(records.get(row.name, []), new)
    rows = {name: [asdict(r) for r in found] for name, found in records.items()}
    write_json(TABLE, {"rows": rows})


def main(
    train: Annotated[str | None, typer.Option(help="Row to train anew.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Of the row's seeds only this, repeatable.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="SET=FOLDER or SET=FILE, repeatable.")
    ] = None,
    note: Annotated[str, typer.Option(help="What to say of the data.")] = "",
) -> None:
    """Print the table of accuracies, each checkpoint evaluated again."""
    places = dict(entry.split("=", 1) for entry in data or [])
    if train is not None:
        _train(named(train), seed, places, note)
    records = read_records()
    lines = [HEAD]
    for row in ROWS:
        found = records.get(row.name, [])
        only = train is None or row.name == train
        how = evaluated(row, found, places) if found and only else "recorded"
        lines.append(line(row, found, how if found else ""))
    text = "\n".join(lines)
    print(text)
    if train is None:
        write_text(RESULTS / "accuracy.md", f"{text}\n")


if __name__ == "__main__":
    typer.run(main)
