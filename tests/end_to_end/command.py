# SPDX-License-Identifier: Apache-2.0
"""Run `hwgq` in this process, and expect it to refuse."""

import re
from pathlib import Path

import numpy as np
import pytest

import hwgq.cli
from hwgq.storage import sha256_file

FRAMES = np.random.default_rng(1).integers(0, 16, (3, 16))
"""Frames for the network that is made by hand."""


def run(*arguments: str | Path) -> None:
    """Run a command that shall succeed."""
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main([str(argument) for argument in arguments])
    assert not left.value.code, left.value.code


def refused(folder: Path, *arguments: str | Path) -> str:
    """Run a command that shall refuse, with one message, and write nothing.

    Parameters
    ----------
    folder
        Where nothing may change, but that locks may appear.
    arguments
        What comes after `hwgq`.

    Returns
    -------
    str
        The message.
    """
    before = tree(folder)
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main([str(argument) for argument in arguments])
    message = left.value.code
    # The interpreter prints a text to standard error and exits with 1.
    assert isinstance(message, str), f"exit code {message}"
    assert re.fullmatch(r".+: .+\. .+\.", message), message
    assert len(message) < 1000
    assert tree(folder) == before, "something half-written"
    return message


def unsimulated(build: Path, *options: str | Path) -> str:
    """Simulate `FRAMES`, which shall be refused; see `refused`."""
    folder = build.parent
    np.save(folder / "x.npy", FRAMES)
    files = ("--inputs", folder / "x.npy", "--outputs", folder / "y.npy")
    return refused(folder, "simulate", build, *files, *options)


def tree(folder: Path) -> dict[str, str]:
    """Hash every file in a folder; folders count by name."""
    return {
        str(path.relative_to(folder)): sha256_file(path) if path.is_file() else ""
        for path in sorted(folder.rglob("*"))
        if path.name != ".lock"
    }
