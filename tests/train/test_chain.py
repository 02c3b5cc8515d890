# SPDX-License-Identifier: Apache-2.0
"""Which modules are a chain of layers, and what is said of those that are not."""

import lightning
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwgq.errors import UnsupportedLayerError
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, reference
from hwgq.train.chain import chain
from tests.train.networks import network, pictures


class Net(nn.Module):
    """A network of one's own, whose forward is given."""

    def __init__(self, forward):
        super().__init__()
        self.conv1, self.act1 = BinaryConv2d(3, 4, 3), HWGQ()
        self.norm1 = nn.BatchNorm2d(4, affine=False)
        self.drop = nn.Dropout()
        head = nn.Sequential(nn.Identity(), BinaryLinear(196, 2))
        self.body = nn.Sequential(nn.Sequential(nn.Identity()), head)
        self.call = forward

    def features(self, x):
        return self.act1(self.norm1(self.conv1(x)))

    def forward(self, x):
        return self.call(self, x)


def flat(net, x):
    return net.body(net.features(x).flatten(1))


def viewed(net, x):
    x = net.features(x)
    return net.body(x.view(x.size(0), -1))


def reshaped(net, x):
    x = net.drop(net.features(x))
    return net.body(x.reshape((x.shape[0], -1)))


def dropped(net, x):
    x = functional.dropout(net.features(x), training=net.training)
    return net.body(torch.flatten(x.contiguous(), start_dim=1))


PATHS = ["conv1", "norm1", "act1", "body.1.1"]


@pytest.mark.parametrize("forward", [flat, viewed, reshaped, dropped])
def test_a_plain_forward_is_a_chain(forward):
    net = Net(forward)
    found = chain(net)
    assert [
        path for path, _ in found if path not in {"flatten", "view", "reshape"}
    ] == (PATHS)
    assert [type(layer) for _, layer in found][3] is nn.Flatten
    frames = pictures(4)
    with torch.no_grad():
        net(torch.from_numpy(frames).float())
        expected = net.eval()(torch.from_numpy(frames).float()).argmax(1)
    assert (reference(net, frames).classes == expected.numpy()).all()


def test_paths_are_those_of_nested_modules_and_idle_layers_vanish():
    inner = nn.Sequential(BinaryLinear(12, 4), nn.Dropout(), nn.Identity(), HWGQ())
    model = nn.Sequential(nn.Sequential(inner), BinaryLinear(4, 2))
    assert [path for path, _ in chain(model)] == ["0.0.0", "0.0.3", "1"]


def test_wrappers_are_taken_off():
    net = Net(flat)
    paths = [path for path, _ in chain(net)]
    for wrapped in (torch.compile(net), nn.DataParallel(torch.compile(net))):
        assert [path for path, _ in chain(wrapped)] == paths


def test_a_network_is_left_in_its_mode():
    net = Net(flat).train()
    net.norm1.eval()
    chain(net)
    assert net.training
    assert net.act1.training
    assert not net.norm1.training


def branching(net, x):
    y = net.norm1(net.conv1(x))
    return net.body((y + net.act1(y)).flatten(1))


JOIN = "Networks with joins are not exported yet"
BAD = {
    "max pool": (
        lambda net, x: net.body(functional.max_pool2d(net.features(x), 2).flatten(1)),
        r"max_pool2d: is a function. Use nn\.MaxPool2d\.",
    ),
    "relu": (
        lambda net, x: net.body(functional.relu(net.features(x)).flatten(1)),
        r"relu: is a function. Use hwgq\.train\.HWGQ",
    ),
    "scaled": (lambda net, x: flat(net, x / 255), r"truediv: .* Use .*\.PixelScale"),
    "softmax": (
        lambda net, x: flat(net, x).log_softmax(1),
        "log_softmax: is a function. Use a layer of torch.nn",
    ),
    "residual": (branching, f"add: joins or branches off values. {JOIN}"),
    "shortcut": (
        lambda net, x: net.body(net.conv1(x * net.features(x)).flatten(1)),
        f"mul: joins or branches off values. {JOIN}",
    ),
    "two outputs": (
        lambda net, x: (flat(net, x), x),
        "the network: joins or branches off values",
    ),
    "twice": (
        lambda net, x: net.body(net.act1(net.features(x)).flatten(1)),
        "act1: is called more than once. Make a layer of its own for each place",
    ),
    "control flow": (
        lambda net, x: flat(net, x) if x.sum() > 0 else x,
        "the network: cannot be traced: .* Write its forward as one layer after",
    ),
    "forgotten": (
        lambda net, x: net.body(net.conv1(x).flatten(1)),
        "act1: is never called. Call it in the network's forward, once",
    ),
    "flattened frames": (
        lambda net, x: net.body(net.features(x).flatten()),
        "flatten: gives the tensor another shape. Flatten each frame",
    ),
    "mean": (lambda net, x: net.body(net.features(x).mean((2, 3))), "mean: is a"),
}


@pytest.mark.parametrize(("forward", "message"), BAD.values(), ids=BAD)
def test_what_is_no_chain_is_named_with_its_remedy(forward, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        chain(Net(forward))


def compiled_inside():
    net = Net(flat)
    net.body = torch.compile(net.body)
    return net


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (compiled_inside, "body: is compiled. Compile the whole network, or export"),
        (
            lightning.LightningModule,
            "the network: is a LightningModule. Export the network inside it",
        ),
        (lambda: BinaryLinear(4, 2), "is a single BinaryLinear. Put it into an nn.Seq"),
        (lambda: network().double(), r"weight: is float64. Convert .* by \.float\(\)"),
    ],
)
def test_modules_that_hide_a_network_are_refused(make, message):
    with pytest.raises(UnsupportedLayerError, match=message):
        chain(make())
