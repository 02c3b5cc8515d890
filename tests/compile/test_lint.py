# SPDX-License-Identifier: Apache-2.0
"""`lint` places every node of a network, or names each that does not map."""

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from hwgq.cli import app
from hwgq.compile import lint
from hwgq.errors import NetworkError
from tests.compile.onnx_nets import Chain


def written(chain, folder):
    path = folder / "network.onnx"
    onnx.save(chain.model(), path)
    return path


def test_each_node_has_its_place(tmp_path):
    chain = Chain(8).annotate("UINT4").linear(6, 8).norm(6).quant(2)
    path = written(chain.linear(3, 6).node("Softmax", axis=1), tmp_path)
    report = lint(path)
    assert not report.findings
    assert [(n.operator, n.where) for n in report.nodes] == [
        ("MatMul", "device"),
        ("BatchNormalization", "device"),
        ("Quant", "device"),
        ("MatMul", "device"),
        ("Softmax", "host, after"),
    ]
    assert {n.layer for n in report.nodes} == {"quant3", "matmul5", "-"}


def test_every_fault_is_named_at_once(tmp_path):
    chain = Chain(8).annotate("UINT4")
    flow, chain.tensor = chain.tensor, chain.constant(np.ones((8, 8)))
    chain.quant(1, signed=0)  # weights 0 and 1
    weights, chain.tensor = chain.tensor, flow
    chain.node("MatMul", weights).quant(9)
    chain.linear(8, 8).quant(2, scale=np.arange(1, 9)).linear(3, 8)
    report = lint(written(chain, tmp_path))
    assert [f.problem.partition(" (")[0] for f in report.findings] == [
        "has unsigned 1-bit weights",
        "quantizes to 9 bits",
        "has a different scale for each channel",
    ]
    assert all(f.node and f.remedy for f in report.findings)
    assert not report.nodes


def test_every_unknown_operator_is_named(tmp_path):
    chain = Chain(8).annotate("UINT4").node("Sin").node("Cos").linear(3, 8)
    findings = lint(written(chain, tmp_path)).findings
    assert [f.problem.split("'")[1] for f in findings] == ["Sin", "Cos"]


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"no protobuf \xff")
    with pytest.raises(NetworkError):
        lint(tmp_path / "x.onnx")


def test_the_command_fails_where_something_does_not_map(tmp_path):
    good = written(Chain(8).annotate("UINT4").linear(3, 8), tmp_path)
    assert CliRunner().invoke(app, ["lint", str(good)]).exit_code == 0
    bad = written(Chain(8).linear(3, 8), tmp_path)
    result = CliRunner().invoke(app, ["lint", str(bad)])
    assert result.exit_code == 1
    assert "--input-type" in result.stdout
    mended = ["lint", str(bad), "--input-type", "UINT4"]
    assert CliRunner().invoke(app, mended).exit_code == 0
