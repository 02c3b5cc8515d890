# SPDX-License-Identifier: Apache-2.0
"""Parameters and multiplications of the networks, as the authors' files have them."""

import pytest
import torch
from torch import nn

from hwgq.errors import OptionError, RecipeError
from hwgq.train.layers import HWGQ, BinaryConv2d, BinaryLinear, Sign
from hwgq.train.models import NAMES, Style, build, takes_rows

SHAPES = {"lenet": (1, 28, 28), "cnn": (1, 28, 28), "cnv": (3, 32, 32)}


def made(model, style=None, shape=None, **options):
    """Make a network for the images that it was made for."""
    rows = (784,) if takes_rows(model) else (3, 32, 32)
    options = {"hidden": (5, 4), **options} if model == "mlp" else options
    shape = shape or SHAPES.get(model, rows)
    return build(model, shape, 10, style or Style(), **options), shape


def counted(model, shape):
    """Count binary and float weights, and their multiplications, of one image."""
    weights, products = [0, 0], [0, 0]

    def count(layer, _, output):
        kind = int(not isinstance(layer, BinaryConv2d | BinaryLinear))
        places = output[0, 0].numel() if output.ndim == 4 else 1
        weights[kind] += layer.weight.numel()
        products[kind] += layer.weight.numel() * places

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model.eval()(torch.zeros(1, *shape))
    return weights, products


@pytest.mark.parametrize(
    ("model", "ends", "weights", "products"),
    [
        ("tfc", "hardware", [59_008, 0], [59_008, 0]),
        ("sfc", "hardware", [334_336, 0], [334_336, 0]),
        ("lfc", "hardware", [2_910_208, 0], [2_910_208, 0]),
        ("lenet", "hardware", [430_500, 0], [2_293_000, 0]),
        ("cnn", "hardware", [21_392, 0], [2_480_192, 0]),
        ("cnv", "hardware", [1_542_848, 0], [59_461_376, 0]),
        ("vgg-small", "paper", [4_571_136, 85_376], [603_979_776, 3_620_864]),
    ],
)
def test_a_network_has_its_weights_and_multiplications(model, ends, weights, products):
    network, shape = made(model, Style(ends=ends))
    assert counted(network, shape) == (weights, products)


@pytest.mark.parametrize("model", NAMES)
@pytest.mark.parametrize("ends", ["hardware", "paper"])
def test_ends_decide_the_first_and_the_last_layer_alone(model, ends):
    network, _ = made(model, Style(ends=ends), width=0.1)
    layers = [m for m in network if isinstance(m, nn.Conv2d | nn.Linear)]
    binary = [isinstance(m, BinaryConv2d | BinaryLinear) for m in layers]
    assert all(binary[1:-1])
    assert binary[0] == binary[-1] == (ends == "hardware")
    assert isinstance(network[-1], nn.Linear)
    acts = [m for m in network if isinstance(m, HWGQ | nn.ReLU)]
    assert [isinstance(m, nn.ReLU) for m in acts] == [False] * (len(acts) - 1) + [
        ends == "paper"
    ]
    norms = [m for m in network if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    assert [m.affine for m in norms] == [False] * (len(norms) - 1) + [ends == "paper"]


@pytest.mark.parametrize("model", NAMES)
def test_a_network_learns_in_every_style(model):
    for style in (
        Style(activation="sign"),
        Style(levels=2, spacing="lloyd-max", backward="log-tailed"),
        Style(form="round", levels=7, backward="vanilla"),
        Style(activation="relu"),
        Style().as_float(),
    ):
        network, shape = made(model, style, width=0.05)
        network(torch.rand(4, *shape)).square().sum().backward()
        assert all(p.grad is not None for p in network.parameters())
        kinds = {HWGQ: "hwgq", Sign: "sign", nn.ReLU: "relu"}
        found = {kinds[type(m)] for m in network if type(m) in kinds}
        assert found == {style.activation}


def test_width_multiplies_every_layer_but_the_last():
    network, _ = made("lenet", width=0.5)
    layers = [m for m in network if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [len(m.weight) for m in layers] == [10, 25, 250, 10]
    network, _ = made("mlp", hidden=(8, 6), width=2.0)
    layers = [m for m in network if isinstance(m, nn.Linear)]
    assert [len(m.weight) for m in layers] == [16, 12, 10]


def test_an_image_too_small_for_a_network_is_refused():
    with pytest.raises(RecipeError, match=r"cnv: has too many layers .*\(1, 8, 8\)"):
        made("cnv", shape=(1, 8, 8))


def test_unknown_networks_and_styles_are_refused():
    with pytest.raises(OptionError, match=r"network: has no model 'alexnet'\. Choose"):
        build("alexnet", (3, 32, 32), 10, Style())
    for options, message in [
        ({"weights": "ternary"}, "has no weights 'ternary'"),
        ({"activation": "gelu"}, "has no activation 'gelu'"),
        ({"ends": "soft"}, "has no ends 'soft'"),
        ({"levels": 5}, "HWGQ: has no number of levels 5"),
    ]:
        with pytest.raises(OptionError, match=message):
            Style(**options)
