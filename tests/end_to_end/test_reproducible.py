# SPDX-License-Identifier: Apache-2.0
"""Two compilations share nothing but their inputs, and write the same bytes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.untrained import write_untrained
from tests.end_to_end.hand_made import make_network, save


def compile_alone(
    network: Path, folder: Path, options: str, hash_seed: int
) -> dict[str, bytes]:
    """Compile in a process, a folder and a cache of its own; read all files."""
    folder.mkdir(parents=True)
    shutil.copyfile(network, folder / "network.onnx")
    words = ("compile", "network.onnx", "--out", "build", *options.split())
    environment = {
        "PYTHONHASHSEED": str(hash_seed),
        "HWGQ_CACHE_DIR": str(folder / "cache"),
    }
    subprocess.run(
        [sys.executable, "-m", "hwgq", *words, "--keep-stages"],
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    build = folder / "build"
    files = sorted(path for path in build.rglob("*") if path.is_file())
    return {str(path.relative_to(build)): path.read_bytes() for path in files}


def hand_made(folder: Path) -> Path:
    """Make an MLP."""
    return save(make_network(), folder / "hand_made.onnx")


def small_cnn(folder: Path) -> Path:
    """Make a CNN, in whose graph qonnx draws names at random."""
    return write_untrained(folder / "cnn", "cnn", (1, 16, 16), width=0.25)


@pytest.mark.parametrize(
    ("make", "options", "memory"),
    [
        (hand_made, "--board icebreaker --exchangeable", "rtl/w0.hex"),
        (hand_made, "--board ulx3s-85f", "rtl/w0.hex"),
        (small_cnn, "--board ulx3s-85f", "rtl/w3.hex"),
    ],
)
def test_two_compilations_are_equal_to_the_byte(
    tmp_path: Path, make: Callable[[Path], Path], options: str, memory: str
) -> None:
    network = make(tmp_path)
    first, second = (
        compile_alone(network, tmp_path / name, options, seed)
        for seed, name in enumerate(("first", "second/deeper"))
    )
    assert {"build.toml", "dataflow.json", "rtl/hwgq_core.sv", memory} <= set(first)
    assert any(name.startswith("tensors/") for name in first)
    assert first.keys() == second.keys()
    for name, data in first.items():
        assert data == second[name], name
        assert str(tmp_path).encode() not in data, name
