# SPDX-License-Identifier: Apache-2.0
"""What a user asks of the compiler, and what contradicts itself."""

import numpy as np
import pytest

from hwgq.compile.cost import Lanes
from hwgq.compile.options import declared_input, parse_input_type, read_pins
from hwgq.errors import FoldingError, OptionError


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("UINT8", 0, 255),
        ("UINT1", 0, 1),
        ("INT8", -128, 127),
        ("INT2", -2, 1),
        ("BIPOLAR", -1, 1),
        ("BINARY", 0, 1),
        ("TERNARY", -1, 1),
    ],
)
def test_types_of_inputs(text, low, high):
    kind = parse_input_type(text, None, "here").type
    ends = kind.values(np.array([kind.low, kind.high]))
    assert ends.tolist() == [low, high]


@pytest.mark.parametrize(
    "text", ["UINT0", "UINT9", "INT1", "INT16", "uint8", "FLOAT32"]
)
def test_other_types_are_refused(text):
    with pytest.raises(OptionError, match=f"here: '{text}' is no type"):
        parse_input_type(text, None, "here")


@pytest.mark.parametrize(
    ("text", "value"), [("1/255", 1 / 255), ("0.5", 0.5), ("1e-2", 0.01), (None, 1.0)]
)
def test_scales(text, value):
    assert parse_input_type("UINT8", text, "here").step == value


@pytest.mark.parametrize("text", ["0", "-1", "1/0", "nan", "inf", "x", "1e999", ""])
def test_a_scale_is_a_positive_number(text):
    with pytest.raises(OptionError, match=r"--input-scale: .* is no positive number"):
        parse_input_type("UINT8", text, "here")


def test_the_file_and_the_options_may_say_the_same():
    assert declared_input("UINT8", None, None) == declared_input("UINT8", "UINT8", None)
    assert declared_input(None, "UINT8", None) == declared_input("UINT8", None, None)
    assert declared_input("FLOAT32", None, None) is None
    assert declared_input(None, None, None) is None


def test_they_may_not_contradict_each_other():
    with pytest.raises(OptionError, match="is INT8, but the network says UINT8"):
        declared_input("UINT8", "INT8", None)


def test_a_scale_needs_a_type():
    with pytest.raises(OptionError, match="comes without a type"):
        declared_input(None, None, "1/255")
    assert declared_input("UINT8", None, "1/255").step == 1 / 255


def test_pins_are_read(tmp_path):
    path = tmp_path / "folding.toml"
    path.write_text("format = 1\n[layers.a]\npe = 2\nsimd = 4\n")
    assert read_pins(path) == {"a": Lanes(2, 4)}
    assert read_pins(None) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[layer.a]\npe = 2",
        "layers = 3",
        "[layers]\na = 3",
        "[layers.a]\npe = 2",
        "[layers.a]\npe = 2\nsimd = 0",
        '[layers.a]\npe = 2\nsimd = "4"',
        "[layers.a]\npe = 2\nsimd = 4\nmem = 1",
    ],
)
def test_pins_of_another_form_are_refused(text, tmp_path):
    path = tmp_path / "folding.toml"
    path.write_text(f"format = 1\n{text}")
    with pytest.raises(FoldingError, match=r"folding\.toml"):
        read_pins(path)
