# SPDX-License-Identifier: Apache-2.0
"""`hwgq run` goes the whole way, and the second time it knows that it was there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hwgq.compile import compile_network, verify
from tests.end_to_end.command import refused

RECIPE = """
format = 1
name = "tiny"
[data]
set = "digits"
[network]
model = "mlp"
hidden = [4]
[schedule]
epochs = 2
batch = 64
learning_rate = 0.01
seeds = 3
"""
STAGES = ["train", "export", "accuracy", "compile", "synthesize", "place and route"]


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    argv = ["-m", "hwgq", "run", "tiny.toml", "--board", "icebreaker", "--json"]
    done = subprocess.run(
        [sys.executable, *argv], cwd=folder, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "tiny.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def first(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(folder)


def test_the_summary_tells_what_came_out(
    folder: Path, first: subprocess.CompletedProcess[str]
) -> None:
    summary = json.loads(first.stdout)
    assert [row["network"] for row in summary["accuracy"]] == ["HWGQ", "float32"]
    assert not sum(row["mismatches"] for row in summary["verification"]["rungs"])
    for layer in summary["verification"]["boundary"]:
        assert layer["covered"] == layer["reachable"] > 0
    assert summary["fmax_mhz"] >= summary["clock_mhz"] >= 24
    cycles = summary["verification"]["cycles_per_frame"]
    assert summary["core_fps"] == pytest.approx(summary["clock_mhz"] * 1e6 / cycles)
    assert summary["board_fps"] < summary["core_fps"]
    assert summary["limiter"] == "transport"
    assert 0 < summary["luts"]["used"] <= summary["luts"]["available"] == 5280
    assert (folder / summary["bitstream"]).stat().st_size > 100_000


def test_nothing_is_done_twice(
    folder: Path, first: subprocess.CompletedProcess[str]
) -> None:
    again = run(folder)
    for stage in STAGES:
        assert f"{stage}: up to date" not in first.stderr
        assert f"{stage}: up to date" in again.stderr
    bitstreams = [json.loads(done.stdout)["bitstream"] for done in (first, again)]
    assert bitstreams[0] == bitstreams[1]


def hwgq(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, whatever becomes of it."""
    argv = [sys.executable, "-m", "hwgq", *arguments]
    return subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True)


def test_without_a_board_it_ends_at_qonnx(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE.replace("seeds = 3", "seeds = 1"))
    done = hwgq(tmp_path, "run", "tiny.toml", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["network"] == "runs/tiny/network.onnx"
    assert [row["network"] for row in found["accuracy"]] == ["HWGQ"]
    assert (tmp_path / "runs" / "tiny" / "samples.npz").exists()
    assert not (tmp_path / "builds").exists()


def test_a_network_that_comes_trained_is_compiled_without_data(tmp_path: Path) -> None:
    done = hwgq(tmp_path, "run", "fashion-sfc", "--pretrained", "--json")
    assert done.returncode == 0, done.stderr
    found, network = json.loads(done.stdout), Path("runs/fashion-sfc-pretrained")
    assert found["network"] == str(network / "network.onnx")
    card = json.loads((tmp_path / network / "card.json").read_text())
    (row,) = found["accuracy"]
    assert (row["network"], row["mean"]) == ("HWGQ, by its card", card["test"])
    build = compile_network(
        tmp_path / network / "network.onnx", "ulx3s-85f", out=tmp_path / "build"
    )
    samples = tmp_path / network / "samples.npz"
    report = verify(build, samples=samples, through="emulate")
    assert [rung.mismatches for rung in report.rungs] == [0] * len(report.rungs)
    assert report.rungs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("fashion-sfc", "--pretrained", "--seed", "1"),
            "seed: has no meaning for a network that is trained already. Leave it",
        ),
        (
            ("fashion-sfc", "--pretrained", "--data", "x.npz"),
            "data: has no meaning for a network that is trained already. Leave it",
        ),
        (
            ("digit", "--pretrained"),
            "digit: does not come trained. Choose one of cifar10-cnv",
        ),
    ],
)
def test_what_means_nothing_to_a_trained_network_is_refused(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused(tmp_path, "run", *arguments).startswith(message)
