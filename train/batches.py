# SPDX-License-Identifier: Apache-2.0
"""Which images make a batch: the same whether a training was interrupted or not."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler


class EpochBatches(Sampler[list[int]]):
    """Shuffles a part by seed and epoch alone, and deals batches out to processes.

    A last batch that is not full is left out.

    Parameters
    ----------
    images
        Number of images.
    batch
        Images a step, of all processes together.
    seed
        Seed of the order.
    rank, processes
        This process, and how many there are; each takes its share of every batch.
    """

    def __init__(
        self, images: int, batch: int, seed: int, rank: int = 0, processes: int = 1
    ) -> None:
        self.images, self.batch = images, min(batch, images)
        self.seed, self.rank, self.processes = seed, rank, processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the steps of an epoch."""
        return self.images // self.batch

    def __iter__(self) -> Iterator[list[int]]:
        """Go through the epoch's batches, as lists of indices."""
        draw = generator(self.seed, self.epoch)
        order = torch.randperm(self.images, generator=draw).tolist()
        for step in range(len(self)):
            batch = order[step * self.batch : (step + 1) * self.batch]
            yield batch[self.rank :: self.processes]


class _Indices(Dataset[Tensor]):
    """Hands indices through: the images lie where they are needed already."""

    def __getitem__(self, indices: list[int]) -> Tensor:
        return torch.tensor(indices)


def loader(sampler: Iterable[list[int]]) -> DataLoader[Tensor]:
    """Make what Lightning iterates over: a tensor of indices a batch."""
    return DataLoader(_Indices(), sampler=sampler, batch_size=None)


def in_order(images: int, rank: int, processes: int, batch: int) -> list[list[int]]:
    """Deal all images out in order, in batches, for evaluation."""
    mine = list(range(rank, images, processes))
    return [mine[start : start + batch] for start in range(0, len(mine), batch)]


def generator(*key: int) -> torch.Generator:
    """Make a random generator on the CPU that depends on all the numbers of a key."""
    (seed,) = np.random.SeedSequence(key).generate_state(1, np.uint64).tolist()
    return torch.Generator().manual_seed(seed % 2**63)
