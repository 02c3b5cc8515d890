# SPDX-License-Identifier: Apache-2.0
"""The example of a network of one's own works, is short, and uses what is public."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_network.py"


def test_the_example_ends_in_hardware_without_a_mismatch(tmp_path: Path) -> None:
    argv = [sys.executable, str(EXAMPLE)]
    done = subprocess.run(
        argv, cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(r"test accuracy (\d+\.\d\d) %\nmismatches: 0\n", done.stdout)
    assert said, done.stdout
    assert float(said[1]) > 90
    assert (tmp_path / "runs" / "own" / "samples.npz").exists()


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_the_example_imports_public_names_alone() -> None:
    tree = ast.parse(EXAMPLE.read_text())
    whole = [
        name.name
        for n in ast.walk(tree)
        if isinstance(n, ast.Import)
        for name in n.names
    ]
    assert not [name for name in whole if name.startswith("hwgq")]
    places = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hwgq")
    ]
    assert {place.module for place in places} == {"hwgq.train", "hwgq.compile"}
    for place in places:
        public = importlib.import_module(str(place.module)).__all__
        assert {name.name for name in place.names} <= set(public)
