# SPDX-License-Identifier: Apache-2.0
"""A whole board, asked through its pins, equals the reference down to its bitstream."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwgq import boards, tools
from hwgq.boards.design import read_design
from hwgq.boards.flows.flow import GATES, ROUTED, synthesize
from hwgq.compile import compile_network
from hwgq.compile.board_rungs import climb_board
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.gate_level import run_netlist
from hwgq.compile.ladder import Ladder
from hwgq.errors import MismatchError
from hwgq.storage import read_json, read_npz, sha256_file, write_text
from hwgq.train import HWGQ, BinaryConv2d, BinaryLinear, export, train
from tests.end_to_end.command import refused, run
from tests.end_to_end.spoiled import SPOILED, spoil, stamp_all

FRAMES = 3
RECIPE = """
format = 1
name = "small"
[data]
set = "digits"
[network]
model = "mlp"
hidden = [16, 16]
[schedule]
epochs = 4
batch = 64
learning_rate = 0.01
"""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a network on real images."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.toml").write_text(RECIPE)
    return train(folder / "small.toml", out=folder / "run") / "network.onnx"


@pytest.fixture(scope="module", params=boards.names())
def built(
    request: pytest.FixtureRequest,
    network: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Build its bitstream, not too wide; not to be written to."""
    folder = tmp_path_factory.mktemp(request.param) / "build"
    build = compile_network(network, request.param, fps=200_000, out=folder)
    boards.build(build)
    return build


def test_every_rung_down_to_the_bitstream_equals_the_reference(built: Path) -> None:
    run("verify", built, "--through", "bitstream", "--samples", str(FRAMES))
    report = read_json(built / "verify.json")
    rungs = {row["rung"]: row for row in report["rungs"]}
    assert not any(row["mismatches"] for row in rungs.values())
    outputs = 10 * FRAMES
    assert rungs["board, rtl"]["values"] == outputs
    for rung in ("board, netlist", "board, routed"):
        assert rungs[rung]["values"] == outputs + FRAMES  # the cycles, too
    again = rungs["board, bitstream"]["values"]
    assert again == outputs + FRAMES or again > 10_000_000  # every bit of an ECP5
    hashes = report["evidence"]
    flow = read_design(built).flow
    for name in (GATES, ROUTED, flow.routed_file, flow.bitstream_file):
        assert hashes[name] == sha256_file(built / name)
    assert f"{flow.bitstream_file}, unpacked" in hashes


def test_the_samples_are_of_several_classes(built: Path) -> None:
    logits = read_npz(built / "samples.npz")["logits"][:FRAMES]
    assert len(set(logits.argmax(axis=1))) == FRAMES


@pytest.mark.parametrize("rung", SPOILED)
def test_a_spoiled_form_of_the_design_is_found(
    rung: str, built: Path, tmp_path: Path
) -> None:
    build = Path(shutil.copytree(built, tmp_path / "build"))
    spoil(rung, build)
    message = refused(tmp_path, "verify", build, "--through", rung)
    assert f"{build}: has no bitstream of its sources: " in message
    assert message.endswith(f"Run `hwgq build {build}` first.")
    stamp_all(build)
    compiled = load_build(build)
    samples = read_npz(build / "samples.npz")
    codes = compiled.codes(samples["images"][:FRAMES], "samples")
    expected = emulate(compiled.graph, codes)[compiled.graph.output]
    ladder = Ladder()
    climb_board(ladder, compiled, codes, expected, through=rung)
    assert isinstance(ladder.mismatch, MismatchError)
    assert ladder.mismatch.rung == f"board, {rung}"
    assert [row.mismatches > 0 for row in ladder.rungs] == [False] * (
        len(ladder.rungs) - 1
    ) + [True]


def test_a_board_is_not_verified_before_it_is_built(compiled: Path) -> None:
    message = refused(compiled, "verify", compiled, "--through", "netlist")
    assert message == (
        f"{compiled}: has no bitstream of its sources: synthesize is to do."
        f" Run `hwgq build {compiled}` first."
    )


@pytest.mark.parametrize("samples", ["0", "-1", "some", ""])
def test_a_number_of_samples_that_is_none_is_refused(
    samples: str, compiled: Path
) -> None:
    message = refused(compiled, "verify", compiled, f"--samples={samples}")
    assert message == f"--samples: is {samples!r}. Use a number from 1, or all."


@pytest.mark.parametrize("board", boards.names())
def test_the_netlist_of_a_convolutional_network_gives_the_references_logits(
    board: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        *(BinaryConv2d(1, 4, 3, padding=1), nn.MaxPool2d(2)),
        *(nn.BatchNorm2d(4), HWGQ(), BinaryConv2d(4, 8, 3)),
        *(nn.BatchNorm2d(8), HWGQ(), nn.Flatten(), BinaryLinear(32, 10, bias=True)),
    )
    images = np.random.default_rng(0).integers(0, 17, (40, 1, 8, 8)).astype(np.uint8)
    model.train()(torch.from_numpy(images).float())
    labels = np.zeros(len(images), np.int64)
    network = export(model.eval(), tmp_path, images, labels, input_bits=5)
    build = compile_network(network, board, fps=20_000, out=tmp_path / "build")
    compiled, samples = load_build(build), read_npz(build / "samples.npz")
    design = read_design(build)
    for name, text in design.files.items():
        write_text(build / name, text)
    command = synthesize(design.flow)
    tools.run(command.argv, cwd=build, log=build / command.log)
    netlist = (build / GATES).read_text()
    assert "hwgq_mvau " not in netlist  # nothing but cells is left
    codes = compiled.codes(samples["images"][:FRAMES], "samples")
    found = run_netlist(build / GATES, compiled, design, codes)
    given = compiled.outputs(found.codes)
    np.testing.assert_array_equal(given, samples["logits"][:FRAMES])
    assert len(np.unique(given, axis=0)) == FRAMES
