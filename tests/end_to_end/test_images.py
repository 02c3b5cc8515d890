# SPDX-License-Identifier: Apache-2.0
"""Shipped convolutional networks are equal from PyTorch to every clock cycle."""

from importlib import resources
from pathlib import Path

import pytest

from hwgq.compile import compile_network, verify

SHIPPED = Path(str(resources.files("hwgq.train") / "shipped"))


# CNV through RTL is `python -m benchmarks.rates`: minutes.
@pytest.mark.parametrize(
    ("name", "through"), [("fashion-lenet", "rtl"), ("cifar10-cnv", "emulate")]
)
def test_a_trained_network_is_equal_on_every_rung(name, through, tmp_path):
    network = SHIPPED / name / "network.onnx"
    build = compile_network(network, "ulx3s-85f", out=tmp_path / name, fps=200)
    report = verify(build, through=through)
    assert all(rung.mismatches == 0 for rung in report.rungs)
    rungs = {rung.rung: rung for rung in report.rungs}
    assert rungs["qonnx"].values > 10_000
    assert all(layer.covered == layer.reachable > 0 for layer in report.boundary)
    if through == "rtl":
        assert rungs["rtl"].frames >= 20
        assert {"rtl, stalled", "boundary, rtl"} <= set(rungs)
