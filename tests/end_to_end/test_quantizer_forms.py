# SPDX-License-Identifier: Apache-2.0
"""Every uniform quantizer that trains compiles and verifies; others are refused.

So do scaled pixels, and networks whose ends are float.
"""

import numpy as np
import pytest
import torch

from hwgq.compile import compile_network, verify
from hwgq.errors import MismatchError, UnsupportedLayerError
from hwgq.storage import read_npz, write_npz
from hwgq.train.augmentation import MeanImage, PixelScale
from hwgq.train.exporter import export
from hwgq.train.models import Style, build
from hwgq.train.models.style import sequential
from tests.train.networks import calibrated, pictures

SHAPE = (20,)


def exported(folder, **style):
    """Export a small MLP, its pixels scaled, or centred where its ends are float."""
    torch.manual_seed(0)
    model = build("mlp", SHAPE, 4, Style(**style), hidden=(12, 10, 8))
    mean = np.random.default_rng(0).uniform(100, 150, SHAPE).astype(np.float32)
    pixels = MeanImage(mean) if style.get("ends") == "paper" else PixelScale()
    model = sequential({"pixels": pixels, **dict(model.named_children())})
    frames = pictures(40, shape=SHAPE)
    return export(calibrated(model, frames), folder, frames, np.arange(40) % 4)


FORMS = {
    "1 level": {"levels": 1},
    "2 levels": {"levels": 2},
    "3 levels": {},
    "7 levels": {"levels": 7},
    "15 levels, affine": {"levels": 15, "affine": True},
    "rounding": {"form": "round"},
    "rounding, 2 levels": {"form": "round", "levels": 2},
    "signs": {"activation": "sign"},
    "float ends": {"ends": "paper"},
    "float ends, signs": {"ends": "paper", "activation": "sign"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_trained_form_verifies_without_a_mismatch(form, tmp_path):
    network = exported(tmp_path, **FORMS[form])
    build_folder = compile_network(network, "icebreaker", out=tmp_path / "build")
    through = "rtl" if form == "2 levels" else "emulate"
    report = verify(build_folder, through=through)
    assert report.reference == "PyTorch"
    assert all(rung.mismatches == 0 and rung.values > 0 for rung in report.rungs)
    assert {"qonnx", "pytorch float32", "emulation"} <= {r.rung for r in report.rungs}


@pytest.mark.parametrize("name", ["levels/act1", "logits"])
def test_a_wrong_float_end_is_a_mismatch(name, tmp_path):
    network = exported(tmp_path, ends="paper")
    samples = network.with_name("samples.npz")
    arrays = dict(read_npz(samples))
    arrays[name] = arrays[name].copy()
    arrays[name].flat[3] += 1
    write_npz(samples, **arrays)
    build_folder = compile_network(network, "icebreaker", out=tmp_path / "build")
    place = "act1" if name.startswith("levels") else "output"
    with pytest.raises(MismatchError, match=f"qonnx, {place}, frame"):
        verify(build_folder, through="emulate")


@pytest.mark.parametrize("style", [{}, {"form": "round", "levels": 7}], ids=str)
def test_levels_that_are_not_uniform_are_refused_by_name(style, tmp_path):
    network = exported(tmp_path, spacing="lloyd-max", **style)
    with pytest.raises(UnsupportedLayerError) as error:
        compile_network(network, "icebreaker", out=tmp_path / "build")
    assert str(error.value) == (
        "act1: has non-uniform levels, which are no multiples of one step."
        ' Train with spacing = "uniform".'
    )
