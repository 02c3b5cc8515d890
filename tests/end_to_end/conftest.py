# SPDX-License-Identifier: Apache-2.0
"""One small network, compiled once for all tests."""

import shutil
from pathlib import Path

import pytest

from hwgq.compile import compile_network
from tests.end_to_end.hand_made import make_network, save


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the network made by hand; not to be written to."""
    folder = tmp_path_factory.mktemp("compiled")
    network = save(make_network(), folder / "hand_made.onnx")
    return compile_network(network, "icebreaker", out=folder / "build")


@pytest.fixture
def build(compiled: Path, tmp_path: Path) -> Path:
    """Copy the build, to be spoiled."""
    return Path(shutil.copytree(compiled, tmp_path / "build"))
