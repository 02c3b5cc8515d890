# SPDX-License-Identifier: Apache-2.0
"""The layers: what they compute, keep, and allow to be done with them."""

import copy
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional

from hwgq.errors import OptionError
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, Sign
from hwgq.train.half_wave import HalfWave
from hwgq.train.options import Backward, Form, Spacing
from hwgq.train.quantizers import binary_weight, half_wave, sign

ACTS = [
    *(HWGQ(backward=backward, form=form) for backward, form in product(Backward, Form)),
    HWGQ(levels=2, spacing=Spacing.LLOYD_MAX),
]


def binary_layers():
    """Make each binary layer, with an input of it and its float function."""
    torch.manual_seed(0)
    yield BinaryLinear(7, 5), torch.randn(50, 7), functional.linear
    yield BinaryLinear(7, 5, scale="tensor"), torch.randn(50, 7), functional.linear
    for scale in ("channel", "tensor"):
        conv = BinaryConv2d(3, 5, 3, padding=1, stride=2, scale=scale)
        yield (
            conv,
            torch.randn(4, 3, 9, 8),
            lambda x, w: functional.conv2d(x, w, padding=1, stride=2),
        )


def binary_block(conv):
    """Make a small network of all of the layers."""
    torch.manual_seed(0)
    if not conv:
        norm = nn.BatchNorm1d(6, affine=False)
        return nn.Sequential(BinaryLinear(8, 6), norm, HWGQ(), BinaryLinear(6, 3))
    return nn.Sequential(
        BinaryConv2d(3, 6, 3),
        nn.BatchNorm2d(6, affine=False),
        HWGQ(),
        BinaryConv2d(6, 4, 3, bias=True),
        Sign(),
    )


def block_input(conv):
    """Make what a block takes."""
    return torch.randn(8, 3, 9, 9) if conv else torch.randn(8, 8)


def gradients(function, *inputs):
    """Values of a function, and gradients of its inputs by weights of no symmetry."""
    variables = [x.detach().clone().requires_grad_() for x in inputs]
    values = function(*variables)
    values = values if isinstance(values, tuple) else (values,)
    total = sum(
        (v * torch.linspace(1, 2, v.numel()).view(v.shape)).sum() for v in values
    )
    total.backward()
    return [*(v.detach() for v in values), *(x.grad for x in variables)]


def test_activations_compute_what_the_functions_compute():
    x = torch.randn(50, 7)
    layer = HWGQ(levels=7, backward="vanilla", form="round")
    quantizer = HalfWave(7, "vanilla", form="round")
    assert torch.equal(layer(x), half_wave(x, quantizer))
    assert torch.equal(HWGQ(3)(x), half_wave(x, HalfWave(7)))
    assert torch.equal(Sign()(x), sign(x))


def test_binary_layers_multiply_by_alpha_times_the_sign():
    for layer, x, function in binary_layers():
        weight = layer.weight.detach()
        axes = tuple(range(1, weight.ndim)) if layer.alpha().ndim else ()
        mean = weight.abs().mean(axes or None, keepdim=bool(axes))
        assert torch.allclose(layer.alpha(), mean, rtol=1e-6)
        expected = torch.where(weight >= 0, 1.0, -1.0) * layer.alpha()
        assert torch.equal(layer(x), function(x, expected))
        assert torch.equal(layer.signs() * layer.alpha(), expected)


def test_gradients_pass_through_the_binary_layers_unchanged():
    for layer, x, function in binary_layers():
        layer(x).pow(2).sum().backward()
        weight = (layer.signs() * layer.alpha()).requires_grad_()
        function(x, weight).pow(2).sum().backward()
        assert torch.equal(layer.weight.grad, weight.grad)
        assert weight.grad.abs().min() > 0


def test_checkpoints_hold_weights_and_nothing_else():
    for layer, _, _ in binary_layers():
        assert set(layer.state_dict()) == {"weight"}
    assert set(BinaryConv2d(1, 1, 1, bias=True).state_dict()) == {"weight", "bias"}
    assert not HWGQ().state_dict()
    assert not Sign().state_dict()


@pytest.mark.parametrize("conv", [False, True])
def test_networks_are_copied_saved_and_loaded(conv):
    model, x = binary_block(conv), block_input(conv)
    twin = copy.deepcopy(model)
    model(x).sum().backward()
    other = binary_block(conv)
    for parameter in other.parameters():
        parameter.data.normal_()
    other.load_state_dict(twin.state_dict())
    for same in (twin, other):
        same.train()(x).sum().backward()
        pairs = zip(model.parameters(), same.parameters(), strict=True)
        assert all(torch.equal(a.grad, b.grad) for a, b in pairs)
        assert torch.equal(same.eval()(x), model.eval()(x))
        model.train()


@pytest.mark.parametrize("conv", [False, True])
def test_networks_move_and_change_their_precision(conv):
    model, x = binary_block(conv).eval(), block_input(conv)
    assert torch.equal(copy.deepcopy(model).to("cpu")(x), model(x))
    double = copy.deepcopy(model).double()(x.double())
    assert double.dtype == torch.float64
    assert torch.allclose(double.float(), model(x), rtol=1e-5, atol=1e-5)
    assert copy.deepcopy(model).to("meta")(x.to("meta")).shape == double.shape


@pytest.mark.parametrize("conv", [False, True])
def test_networks_learn_in_autocast_to_bf16(conv):
    model, x = binary_block(conv), block_input(conv)
    with torch.autocast("cpu", torch.bfloat16):
        product_ = model[0](x)
        levels = model[2](model[1](product_))
        y = model(x)
    assert product_.dtype == torch.bfloat16
    assert levels.float().unique().numel() == 4
    y.float().pow(2).sum().backward()
    for parameter in model.parameters():
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all()


def test_torch_compile_changes_no_bit_of_the_quantizers():
    torch.manual_seed(0)
    quantizers = [act.quantizer for act in ACTS]
    edges = [torch.from_numpy(n) for q in quantizers for n in (q.thresholds, q.values)]
    special = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 3e38, 1, -1, 2.614])
    middle = torch.cat([*edges, special, torch.randn(100)])
    ends = [torch.nextafter(middle, torch.tensor(to)) for to in (-9.0, 9.0)]
    x, weight = torch.cat([middle, *ends]), torch.randn(5, 4, 3, 3)
    weight.view(-1)[:2] = torch.tensor([0.0, -0.0])
    scale = torch.rand(5, 1, 1, 1)

    acts = [*ACTS, Sign()]

    def everything(x, w):
        return *(act(x) for act in acts), binary_weight(w, scale)

    torch.compiler.reset()
    compiled = gradients(torch.compile(everything, fullgraph=True), x, weight)
    for one, two in zip(compiled, gradients(everything, x, weight), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("conv", [False, True])
def test_networks_compile_as_one_graph(conv):
    model, x = binary_block(conv), block_input(conv)
    twin = copy.deepcopy(model)
    torch.compiler.reset()
    compiled = torch.compile(twin.forward, fullgraph=True)
    assert torch.allclose(compiled(x), model(x), rtol=1e-4, atol=1e-5)
    compiled(x).sum().backward()
    model(x).sum().backward()
    for one, two in zip(twin.parameters(), model.parameters(), strict=True):
        assert torch.allclose(one.grad, two.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: HWGQ(bits=5),
            "HWGQ: has no number of bits 5. Choose one of 1, 2, 3, 4.",
        ),
        (
            lambda: HWGQ(levels=4),
            "HWGQ: has no number of levels 4. Choose one of 1, 2, 3, 7, 15.",
        ),
        (
            lambda: HWGQ(bits=2, levels=7),
            "HWGQ: cannot have 7 levels in 2 bits. Give one of the two.",
        ),
        (
            lambda: HWGQ(backward="cliped"),
            "HWGQ: has no backward 'cliped'. Choose one of vanilla, clipped,"
            " log-tailed.",
        ),
        (
            lambda: HWGQ(spacing="even"),
            "HWGQ: has no spacing 'even'. Choose one of uniform, lloyd-max.",
        ),
        (
            lambda: HWGQ(form="floor"),
            "HWGQ: has no form 'floor'. Choose one of paper, round.",
        ),
        (
            lambda: BinaryLinear(2, 2, scale="row"),
            "BinaryLinear: has no scale 'row'. Choose one of channel, tensor.",
        ),
        (
            lambda: BinaryConv2d(2, 2, 1, scale="row"),
            "BinaryConv2d: has no scale 'row'. Choose one of channel, tensor.",
        ),
    ],
)
def test_unknown_options_are_refused(make, message):
    with pytest.raises(OptionError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.parametrize("layer", [HWGQ, lambda **k: BinaryConv2d(1, 1, 1, **k)])
def test_misspelt_keywords_are_refused(layer):
    with pytest.raises(TypeError, match="bit_widht"):
        layer(bit_widht=2)
