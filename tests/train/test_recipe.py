# SPDX-License-Identifier: Apache-2.0
import tomllib
from pathlib import Path

import pytest
import tomli_w

from hwgq.errors import RecipeError, StorageError
from hwgq.train.recipe import load_recipe, names, parse_recipe

DIGITS = {
    "name": "mine",
    "data": {"set": "digits"},
    "network": {"model": "mlp", "hidden": [64, 64]},
    "schedule": {"epochs": 1, "batch": 64, "learning_rate": 0.01},
}


def changed(path, value):
    """A copy of DIGITS with one key set."""
    table = tomllib.loads(tomli_w.dumps(DIGITS))
    *folders, key = path.split(".")
    place = table
    for folder in folders:
        place = place[folder]
    place[key] = value
    return table


@pytest.mark.parametrize("name", names())
def test_shipped_recipes_load(name):
    assert load_recipe(name).name == name


def test_a_recipe_file_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(tomli_w.dumps({"format": 1, **DIGITS}))
    recipe = load_recipe(path)
    assert recipe.network.hidden == (64, 64)
    assert (recipe.network.style().levels, recipe.network.backward) == (3, "clipped")
    assert parse_recipe("again", recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "schedule.epoch",
            3,
            "f, schedule.epoch: extra inputs are not permitted. Did you mean epochs?"
            " The keys here are epochs, batch,",
        ),
        (
            "xyz",
            3,
            "f, xyz: extra inputs are not permitted. The keys here are name, data,"
            " network, schedule.",
        ),
        (
            "network.bits",
            9,
            "f, network: HWGQ has no number of bits 9. Choose one of 1, 2, 3, 4.",
        ),
        ("network.levels", 4, "f, network: HWGQ has no number of levels 4. Choose"),
        ("network.model", "cn", "f, network.model: input should be 'mlp', 'tfc',"),
        ("network.model", "cnn", "f, network: cnn has hidden layers of its own."),
        ("network.hidden", [], "f, network: an mlp has no hidden layers. Add hidden"),
        (
            "data.augmentation",
            "hardware",
            "f: mlp takes rows, whose pixels cannot be moved. Set data.augmentation",
        ),
        ("network.backward", "none", "f, network.backward: input should be 'vanilla',"),
        (
            "network.hidden",
            [64, 0],
            "f, network.hidden.1: input should be greater than",
        ),
        ("schedule.epochs", "many", "f, schedule.epochs: input should be a valid int"),
        ("name", "../up", "f, name: string should match pattern"),
    ],
)
def test_what_does_not_exist_is_refused(path, value, message):
    with pytest.raises(RecipeError) as error:
        parse_recipe("f", changed(path, value))
    assert str(error.value).startswith(message)


def test_a_missing_key_is_named():
    table = changed("schedule.epochs", 1)
    del table["schedule"]["epochs"]
    with pytest.raises(RecipeError, match=r"f, schedule.epochs: .* Add the key\."):
        parse_recipe("f", table)


def test_an_unknown_name_lists_the_recipes():
    with pytest.raises(
        RecipeError, match=r"digit: is no recipe\. .*one of .*digits, .*mlp"
    ):
        load_recipe("digit")


def test_a_newer_format_and_no_toml_are_refused(tmp_path):
    path: Path = tmp_path / "f.toml"
    path.write_text(tomli_w.dumps({"format": 2, **DIGITS}))
    with pytest.raises(StorageError, match="has format 2"):
        load_recipe(path)
    path.write_text("[[[")
    with pytest.raises(StorageError, match="is not valid TOML"):
        load_recipe(path)


def test_moving_borders_of_pixels_that_are_no_integers_needs_float_ends():
    table = changed("data.augmentation", "paper")
    table["network"] = {"model": "lenet"}
    with pytest.raises(RecipeError, match=r'f: data.augmentation = "paper" makes'):
        parse_recipe("f", table)
    table["network"] = {"model": "lenet", "ends": "paper"}
    assert parse_recipe("f", table).network.style().paper_ends
