# SPDX-License-Identifier: Apache-2.0
"""Two compilations share nothing but their inputs, and write the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.hand_made import make_network, save


def compile_alone(folder: Path, options: str, hash_seed: int) -> dict[str, bytes]:
    """Compile in a process, a folder and a cache of its own; read all files."""
    folder.mkdir(parents=True)
    save(make_network(), folder / "hand_made.onnx")
    words = ("compile", "hand_made.onnx", "--out", "build", *options.split())
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


@pytest.mark.parametrize(
    "options", ["--board icebreaker --exchangeable", "--board ulx3s-85f"]
)
def test_two_compilations_are_equal_to_the_byte(tmp_path: Path, options: str) -> None:
    first, second = (
        compile_alone(tmp_path / name, options, seed)
        for seed, name in enumerate(("first", "second/deeper"))
    )
    assert {"build.toml", "dataflow.json", "rtl/hwgq_core.sv", "rtl/w0.hex"} <= set(
        first
    )
    assert any(name.startswith("tensors/") for name in first)
    assert first.keys() == second.keys()
    for name, data in first.items():
        assert data == second[name], name
        assert str(tmp_path).encode() not in data, name
