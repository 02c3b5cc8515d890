# SPDX-License-Identifier: Apache-2.0
"""The layers in a user's own training: Lightning's, and of several processes."""

import os
from collections import OrderedDict

import lightning
import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, TensorDataset

from hwgq.errors import UnsupportedLayerError
from hwgq.storage import read_npz
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, Sign, export

PROCESSES = 2
SHAPE = (2, 6, 6)


def layers(*, norms):
    """Make a network of all of the layers."""
    torch.manual_seed(0)
    body = {
        "conv": BinaryConv2d(2, 4, 3, bias=True),
        "norm1": nn.BatchNorm2d(4, affine=False) if norms else nn.Identity(),
        "act1": HWGQ(bits=2),
        "flatten": nn.Flatten(),
        "linear1": BinaryLinear(64, 12, scale="tensor"),
        "norm2": nn.BatchNorm1d(12) if norms else nn.Identity(),
        "act2": Sign(),
        "linear2": BinaryLinear(12, 3, bias=True),
    }
    return nn.Sequential(OrderedDict(body))


def pictures(count=24):
    """Make images of 8 bits and labels that a network can tell by their brightness."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    noise = rng.integers(0, 60, (count, *SHAPE))
    return (noise + 90 * labels[:, None, None, None]).astype(np.uint8), labels


def loss_of(model, images, labels):
    x = torch.from_numpy(images).float() / 255 - 0.5
    return nn.functional.cross_entropy(model(x), torch.from_numpy(labels))


class Mine(lightning.LightningModule):
    """A module as a user would write it."""

    def __init__(self):
        super().__init__()
        self.network = layers(norms=True)
        self.losses = []

    def forward(self, x):
        return self.network(x)

    def training_step(self, batch, _):
        images, labels = batch
        loss = nn.functional.cross_entropy(self(images.float()), labels)
        self.losses.append(float(loss.detach()))
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.02)


@pytest.fixture(scope="module")
def trained():
    """A user's module after one epoch of 60 steps."""
    torch.manual_seed(0)
    images, labels = (torch.from_numpy(array) for array in pictures(480))
    module = Mine()
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(images, labels), batch_size=8))
    return module


def test_a_plain_lightning_trainer_trains_them(trained):
    assert len(trained.losses) == 60
    assert np.mean(trained.losses[-10:]) < 0.5 * np.mean(trained.losses[:10])
    before = layers(norms=True).state_dict()
    for path, value in trained.network.state_dict().items():
        assert not torch.equal(value, before[path]), path


def test_a_lightning_module_is_refused_and_the_network_inside_it_exported(
    trained, tmp_path
):
    images, labels = pictures()
    with pytest.raises(UnsupportedLayerError) as error:
        export(trained, tmp_path / "own", images, labels)
    assert str(error.value) == (
        "the network: is a LightningModule. Export the network inside it."
    )
    assert not list((tmp_path / "own").glob("*.*z")), "something half-written"
    network = export(trained.network, tmp_path / "own", images, labels)
    samples = read_npz(network.with_name("samples.npz"))
    assert np.mean(samples["logits"].argmax(1) == labels) > 0.9


def files(model, folder):
    """Export a network, and give back what was written."""
    network = export(model, folder, *pictures())
    return [network.read_bytes(), network.with_name("samples.npz").read_bytes()]


def test_a_compiled_network_gives_the_same_files(trained, tmp_path):
    compiled = torch.compile(trained.network)
    expected = files(trained.network, tmp_path / "plain")
    assert files(compiled, tmp_path / "compiled") == expected


def part_of_a_training(rank, folder):
    """Take a step on this process's share of the images, and tell what came out."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo",
        init_method=(folder / "meeting").as_uri(),
        rank=rank,
        world_size=PROCESSES,
    )
    model = layers(norms=False)
    if rank:  # what DDP must replace by the first process's
        for parameter in model.parameters():
            parameter.data.zero_()
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.1)
    images, labels = pictures()
    loss_of(parallel, images[rank::PROCESSES], labels[rank::PROCESSES]).backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    optimizer.step()
    torch.save((gradients, model.state_dict()), folder / f"{rank}.pt")
    if rank == 0:
        same = files(parallel, folder / "wrapped") == files(model, folder / "bare")
        (folder / "same").write_text(str(same))
    distributed.destroy_process_group()
    os._exit(0)  # some PyTorch hangs in the interpreter's own end after DDP


def test_processes_that_share_a_batch_find_the_gradients_of_the_whole(tmp_path):
    multiprocessing.spawn(part_of_a_training, (tmp_path,), nprocs=PROCESSES)
    model = layers(norms=False)
    loss_of(model, *pictures()).backward()
    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(PROCESSES)]
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 1e-3, name
        for gradients, _ in found:
            assert torch.allclose(gradients[name], parameter.grad, 1e-4, 1e-6), name
        assert torch.equal(found[0][1][name], found[1][1][name]), name
    assert (tmp_path / "same").read_text() == "True"  # exported with DDP around it
