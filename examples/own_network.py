# SPDX-License-Identifier: Apache-2.0
"""Your own network and your own loop, to hardware that is proven equal.

Run `python examples/own_network.py` in the project's root: half a minute.
"""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from hwgq.compile import compile_network, simulate, verify
from hwgq.train import HWGQ, BinaryLinear, export, reference

torch.manual_seed(0)
digits = load_digits()  # 8 x 8 images of the levels 0 ... 16
order = np.random.default_rng(0).permutation(len(digits.target))
images, labels = digits.data.astype(np.uint8)[order], digits.target[order]
train, test = slice(0, 1400), slice(1400, None)


class Network(nn.Module):
    """Two hidden layers; any chain of layers will do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(BinaryLinear(64, 32), nn.BatchNorm1d(32))
        self.act1 = HWGQ(bits=2, backward="clipped")
        self.second = nn.Sequential(BinaryLinear(32, 32), nn.BatchNorm1d(32), HWGQ())
        self.last = BinaryLinear(32, 10, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Classify x, shape (n, 64)."""
        return self.last(self.second(self.act1(self.first(x))))


model = Network()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
for _ in range(40):
    for batch in torch.randperm(1400).split(100):
        x, y = torch.from_numpy(images[batch]).float(), torch.from_numpy(labels[batch])
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

exact = reference(model, images[test])
print(f"test accuracy {100 * np.mean(exact.classes == labels[test]):.2f} %")
network = export(model, Path("runs/own"), images[test], labels[test], input_bits=5)
build = compile_network(network, "icebreaker", out=Path("builds/own"))
np.save(build / "x.npy", images[test])
simulate(build, engine="emulate", inputs=build / "x.npy", outputs=build / "y.npy")
assert np.array_equal(np.load(build / "y.npy"), exact.logits)
report = verify(build, samples=network.with_name("samples.npz"))
print(f"mismatches: {sum(rung.mismatches for rung in report.rungs)}")
