# SPDX-License-Identifier: Apache-2.0
"""Networks written by hand, through files and commands to every clock cycle."""

import re
import subprocess
import sys

import numpy as np
import onnx
import pytest

from hwgq.compile import compile_network, simulate, verify
from hwgq.compile.build_folder import load_build
from hwgq.compile.netlist import core_map
from tests.compile.onnx_nets import Chain, inputs, literal, recorded
from tests.compile.test_record import NETWORKS
from tests.end_to_end.command import run


def saved(chain, path):
    path.write_bytes(chain.model().SerializeToString())
    return path


@pytest.mark.parametrize(
    "name",
    [
        "weights on the left",
        "float first layer of integers",
        "falling integers",
        "multithreshold",
        "mean before a transpose",
        "bias",
    ],
)
def test_a_build_computes_what_a_file_by_hand_says(name, tmp_path):
    chain = NETWORKS[name]()
    network = saved(chain, tmp_path / "network.onnx")
    build = compile_network(network, "ulx3s-85f", out=tmp_path / "build")
    frames = inputs(recorded(chain.model()))
    expected = literal(chain.model(), frames)
    np.save(tmp_path / "x.npy", frames)
    ends = {"inputs": tmp_path / "x.npy", "outputs": tmp_path / "y.npy"}
    simulate(build, engine="emulate", **ends)
    found = np.load(ends["outputs"], allow_pickle=False)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, 1e-9, 1e-9)


def test_a_simulation_tells_what_happened_on_every_stream(tmp_path, capsys):
    network = saved(NETWORKS["bias"](), tmp_path / "network.onnx")
    build = compile_network(network, "ulx3s-85f", out=tmp_path / "build")
    graph = load_build(build).graph
    np.save(tmp_path / "x.npy", inputs(recorded(onnx.load(network))))
    ends = {"inputs": tmp_path / "x.npy", "outputs": tmp_path / "y.npy"}
    report = simulate(build, engine="rtl", **ends)
    assert [use.stream for use in report.streams] == list(core_map(graph))
    for use in report.streams:
        assert use.beats == report.frames * graph.streams[use.stream].beats
        assert use.beats + max(use.blocked, use.starved) <= report.cycles
    assert simulate(build, engine="emulate", **ends).streams == ()
    files = [word for key, path in ends.items() for word in (f"--{key}", path)]
    run("simulate", build, "--engine", "rtl", *files)
    printed = capsys.readouterr().out
    assert re.search(r"stream +beats +blocked +starved", printed)
    assert all(name in printed for name in graph.streams)


def test_every_cycle_where_never_needs_a_bit_more(tmp_path):
    chain = Chain(85).annotate("UINT2")
    far = np.array([[0, 1e6, np.inf]])
    for columns, rows in ((85, 5), (5, 1), (1, 5)):
        chain.linear(rows, columns, 1.0)
        chain.node("MultiThreshold", far, out_dtype="UINT2")
    network = saved(chain.linear(2, 5), tmp_path / "network.onnx")
    build = compile_network(network, "ulx3s-85f", out=tmp_path / "build")
    report = verify(build)
    assert all(rung.mismatches == 0 for rung in report.rungs)
    assert {"rtl", "rtl, stalled", "boundary, rtl"} <= {r.rung for r in report.rungs}


def test_nothing_of_other_libraries_is_printed(tmp_path):
    network = saved(NETWORKS["divided by 255"](), tmp_path / "network.onnx")
    command = (sys.executable, "-m", "hwgq", "compile", str(network))
    result = subprocess.run(
        [*command, "--board", "ulx3s-85f", "--out", str(tmp_path / "build")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "arning" not in result.stderr
    assert all(line.startswith("compile") for line in result.stderr.splitlines())
