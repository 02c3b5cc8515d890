# SPDX-License-Identifier: Apache-2.0
"""train's reference and compile's evaluation of network.onnx are the same numbers.

They share no code: one walks PyTorch layers, the other ONNX nodes.
"""

import numpy as np
import onnx
import pytest

from hwgq.compile.options import declared_input
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.passes.record import record
from hwgq.compile.tape import Tape
from hwgq.train import export_network, reference
from tests.train.networks import images, network, put_means_on_the_grid


def recorded(model):
    """What the compiler's front end reads from the exported file."""
    tape = Tape(normalize(onnx.load_from_string(export_network(model, (12,), 5))))
    return record(tape, declared_input(tape.annotations[tape.input], None, None))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"affine": True},
        {"bits": 4},
        {"bias": False},
        {"sign": True},
        {"grid": True},
    ],
    ids=str,
)
def test_every_code_accumulator_and_logit_is_equal(seed, options):
    model = network(seed, **{k: v for k, v in options.items() if k != "grid"})
    if "grid" in options:
        put_means_on_the_grid(model)
    frames = images(500, seed)
    exact, compiled = reference(model, frames), recorded(model)
    integers = compiled.integers(frames)
    *hidden, last = compiled.sections
    assert [section.name for section in hidden] == list(exact.levels)
    for section in hidden:
        codes = section.codes(section.accumulate(integers))
        assert np.array_equal(codes, exact.levels[section.name])
        integers = section.quantizer.type.values(codes)
    accumulators = last.accumulate(integers)
    assert np.array_equal(accumulators, exact.accumulators)
    logits = compiled.after.run(accumulators)
    assert np.array_equal(logits.reshape(exact.logits.shape), exact.logits)
