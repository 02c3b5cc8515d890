# SPDX-License-Identifier: Apache-2.0
from itertools import chain

import torch
from hypothesis import given
from hypothesis import strategies as st

from hwgq.train.batches import EpochBatches, generator, in_order


@given(st.integers(1, 200), st.integers(1, 50), st.integers(1, 4), st.integers(0, 3))
def test_processes_share_each_batch_and_an_epoch_takes_no_image_twice(
    images, batch, processes, epoch
):
    ranks = [EpochBatches(images, batch, 5, r, processes) for r in range(processes)]
    for sampler in ranks:
        sampler.set_epoch(epoch)
    whole = EpochBatches(images, batch, 5)
    whole.set_epoch(epoch)
    steps = [list(chain(*parts)) for parts in zip(*ranks, strict=True)]
    assert [sorted(step) for step in steps] == [sorted(step) for step in whole]
    seen = list(chain(*steps))
    assert len(set(seen)) == len(seen) == len(whole) * min(batch, images)


def test_the_order_depends_on_seed_and_epoch_alone():
    first, other = EpochBatches(100, 10, 1), EpochBatches(100, 10, 2)
    assert list(first) == list(EpochBatches(100, 10, 1)) != list(other)
    before = list(first)
    first.set_epoch(1)
    assert list(first) != before


@given(st.integers(1, 100), st.integers(1, 4), st.integers(1, 30))
def test_evaluation_takes_every_image_once(images, processes, batch):
    dealt = [in_order(images, rank, processes, batch) for rank in range(processes)]
    flat = sorted(chain.from_iterable(chain.from_iterable(dealt)))
    assert flat == list(range(images))
    assert all(len(indices) <= batch for part in dealt for indices in part)


def test_each_number_of_a_key_changes_what_is_drawn():
    keys = [(0, 0), (0, 1), (1, 0), (2**32 - 1, 7, 3)]
    drawn = {tuple(torch.randint(2**30, (4,), generator=generator(*k))) for k in keys}
    drawn = {tuple(int(v) for v in values) for values in drawn}
    assert len(drawn) == len(keys)
