# SPDX-License-Identifier: Apache-2.0
import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from hwgq.errors import RecipeError
from hwgq.train.recipe import Schedule, parse_recipe
from hwgq.train.task import make_optimizer, rate

BASE = {"epochs": 10, "batch": 8, "learning_rate": 0.1}


def rates(steps=100, **options):
    schedule = Schedule(**BASE, **options)
    return [rate(schedule, step, steps) for step in range(steps)]


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("cosine", lambda x: (1 + math.cos(math.pi * x)) / 2),
        ("linear", lambda x: 1 - x),
        ("step", lambda x: 1 if x < 0.5 else 0.1 if x < 0.75 else 0.01),
    ],
)
def test_the_rate_falls_as_the_recipe_says(decay, expected):
    found = rates(decay=decay)
    assert found == pytest.approx([expected(i / 100) for i in range(100)])


def test_the_rate_rises_first():
    found = rates(warmup=0.1)
    assert all(low < high for low, high in pairwise(found[:11]))
    assert 0 < found[0] < 0.01
    assert found[10] == 1


def test_the_rate_rises_again_where_the_recipe_says():
    whole = rates(60, warmup=0.1)
    again = rates(100, warmup=0.1, restarts=({"epoch": 6, "learning_rate": 0.04},))
    assert again[:60] == whole
    assert again[60] == pytest.approx(0.4)
    assert again[60:] == pytest.approx([0.4 * r for r in rates(40)])


def test_restarts_out_of_order_are_refused():
    network = {"model": "tfc"}
    restarts = [{"epoch": e, "learning_rate": 0.1} for e in (5, 3)]
    table = {
        "name": "x",
        "data": {"set": "npz"},
        "network": network,
        "schedule": {**BASE, "restarts": restarts},
    }
    message = r"f, schedule: restarts after \[5, 3\] of 10 epochs\. Order them"
    with pytest.raises(RecipeError, match=message):
        parse_recipe("f", table)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_weights_decay_and_nothing_else_does(name):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    schedule = Schedule(**BASE, optimizer=name, weight_decay=0.3)
    optimizer = make_optimizer(model, schedule)
    decayed, others = optimizer.param_groups
    assert [p.shape for p in decayed["params"]] == [torch.Size([4, 3])]
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.3, 0.0)
    assert len(others["params"]) == 3
