# SPDX-License-Identifier: Apache-2.0
"""`hwgq run` goes the whole way, and the second time it knows that it was there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
