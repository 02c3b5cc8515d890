# SPDX-License-Identifier: Apache-2.0
"""Stages that are not run again while nothing that they depend on has changed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hwgq.progress import step, tell
from hwgq.storage import read_json, sha256_path, write_json


def run_stage(
    folder: Path,
    name: str,
    *,
    inputs: Mapping[str, str],
    outputs: Sequence[Path],
    work: Callable[[], None],
) -> bool:
    """Run a stage unless its outputs are there and belong to the same inputs.

    Parameters
    ----------
    folder
        The run or build folder; the stage's stamp is `.stages/NAME.json` in it.
    name
        The stage's name, as its progress shows it.
    inputs
        Everything that the outputs depend on: a name and a hash, or any text.
    outputs
        Files and folders that `work` writes.
    work
        What to do.

    Returns
    -------
    bool
        Whether the stage was run.
    """
    if is_up_to_date(folder, name, inputs=inputs, outputs=outputs):
        tell(f"{name}: up to date")
        return False
    with step(name):
        work()
    write_json(_stamp(folder, name), _state(inputs, folder, outputs))
    return True


def is_up_to_date(
    folder: Path, name: str, *, inputs: Mapping[str, str], outputs: Sequence[Path]
) -> bool:
    """Tell whether a stage's outputs are there and belong to the same inputs.

    Parameters
    ----------
    folder, name, inputs, outputs
        As for :func:`run_stage`.
    """
    stamp = _stamp(folder, name)
    whole = all(path.exists() for path in (stamp, *outputs))
    return whole and read_json(stamp) == _state(inputs, folder, outputs)


def recorded(folder: Path, name: str) -> dict[str, Any]:
    """Read the inputs and outputs of a stage that was run, by name.

    Raises
    ------
    StorageError
        If it was not run.
    """
    return read_json(_stamp(folder, name))


def _stamp(folder: Path, name: str) -> Path:
    return folder / ".stages" / f"{name}.json"


def _state(
    inputs: Mapping[str, str], folder: Path, outputs: Sequence[Path]
) -> dict[str, dict[str, str]]:
    """Describe what a stamp records."""
    hashes = {str(path.relative_to(folder)): sha256_path(path) for path in outputs}
    return {"inputs": dict(inputs), "outputs": hashes}
