# SPDX-License-Identifier: Apache-2.0
"""What users build on stays: a name that goes, or changes its options, breaks them."""

import inspect

import pytest

import hwgq.train

PROMISED = {
    "HWGQ": ["bits", "backward", "levels", "spacing", "form"],
    "Sign": [],
    "BinaryLinear": ["in_features", "out_features", "bias", "scale"],
    "BinaryConv2d": [
        "in_channels",
        "out_channels",
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "scale",
    ],
    "PixelScale": ["args", "kwargs"],
    "HalfWave": ["levels", "backward", "spacing", "form"],
    "Style": [
        "weights",
        "activation",
        "ends",
        "levels",
        "spacing",
        "form",
        "backward",
        "affine",
        "momentum",
    ],
    "build": ["model", "shape", "classes", "style", "width", "hidden"],
    "export": ["model", "folder", "images", "labels", "input_bits"],
    "export_network": ["model", "shape", "input_bits"],
    "export_run": ["run"],
    "fetch_pretrained": ["name", "out"],
    "load_pretrained": ["name"],
    "measure_accuracy": ["recipe", "seeds", "out", "data"],
    "pretrained_names": [],
    "reference": ["model", "images"],
    "solve": ["levels", "spacing", "form"],
    "train": ["recipe", "out", "seed", "data", "accelerator", "devices"],
    "witness": ["model", "images"],
}


@pytest.mark.parametrize("name", PROMISED)
def test_a_public_name_keeps_its_options(name):
    assert name in hwgq.train.__all__
    found = getattr(hwgq.train, name)
    assert list(inspect.signature(found).parameters) == PROMISED[name]
    assert inspect.getdoc(found)
