# SPDX-License-Identifier: Apache-2.0
"""The committed table of accuracies belongs to committed recipes and checkpoints."""

from dataclasses import replace

import pytest

from benchmarks.accuracy import (
    RESULTS,
    checkpoint,
    evaluated,
    joined,
    line,
    main,
    read_records,
)
from benchmarks.accuracy_rows import ROWS, named
from hwgq.errors import MismatchError, OptionError
from hwgq.train.training import recipe_hash

RECORDS = read_records()
TRAINED = [row for row in ROWS if row.name in RECORDS]


def test_every_record_is_a_row():
    assert set(RECORDS) <= {row.name for row in ROWS}
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_resolves_to_a_recipe(row):
    assert row.resolved().name == row.name


@pytest.mark.parametrize("row", TRAINED, ids=lambda row: row.name)
def test_a_record_is_of_its_recipe_and_has_all_seeds(row):
    records = RECORDS[row.name]
    assert tuple(record.seed for record in records) == row.seeds
    for record in records:
        assert record.recipe_sha256 == recipe_hash(row.resolved())
        assert record.epochs == row.resolved().schedule.epochs
        assert checkpoint(row, record.seed).exists() == row.binary


def test_the_page_shows_the_records():
    page = (RESULTS / "accuracy.md").read_text().splitlines()
    for row, shown in zip(ROWS, page[2:], strict=True):
        how = shown.split("|")[-2].strip()
        assert shown == line(row, RECORDS.get(row.name, []), how)


def test_checkpoints_give_the_recorded_accuracy_to_the_image():
    row = named("digits")
    assert evaluated(row, RECORDS["digits"], {}) == "computed again"
    other = [*RECORDS["digits"][1:], RECORDS["digits"][0]]
    swapped = [replace(record, seed=seed) for seed, record in enumerate(other)]
    with pytest.raises(MismatchError, match=r"digits-seed0\.safetensors, test part"):
        evaluated(row, swapped, {})


def test_an_unknown_row_is_refused():
    with pytest.raises(OptionError, match="accuracy: has no row 'lenet'"):
        named("lenet")


def test_seeds_trained_later_join_those_of_the_same_recipe():
    first, second, third = RECORDS["digits"]
    again = replace(second, test=0.0)
    assert joined([first, third], [again]) == [first, again, third]
    assert joined([first, second, third], [again]) == [first, again, third]
    other = replace(again, recipe_sha256="0" * 64)
    assert joined([first, second, third], [other]) == [other]


def test_only_a_seed_of_the_row_is_trained():
    with pytest.raises(OptionError, match=r"digits: has no seed 7\. Choose one of 0, "):
        main(train="digits", seed=[7])
    assert read_records() == RECORDS
