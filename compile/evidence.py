# SPDX-License-Identifier: Apache-2.0
"""Hashes of what `verify` compared, and what changed between two verifications."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwgq import boards, tools
from hwgq.boards.flows import flow_of
from hwgq.compile.build_folder import AFTER, BEFORE, DATAFLOW, NETWORK, RTL, Build
from hwgq.compile.compile_network import versions
from hwgq.compile.reference import Evaluation
from hwgq.compile.witness import Numbers
from hwgq.storage import check_keys, read_json, sha256_bytes, sha256_file

#: By name, a SHA-256 or a version.
Evidence = Mapping[str, str]

_GONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that two verifications do not have in common.

    Parameters
    ----------
    name
        A file of the build folder, the codes of a layer, or a program.
    was, now
        Its hash or version; "-" where it is not there.
    """

    name: str
    was: str
    now: str


def gather(build: Build, samples: Path | None, evaluation: Evaluation) -> Evidence:
    """Hash everything that was compared, and name what compared it.

    Parameters
    ----------
    build
        The build folder.
    samples
        The file of the frames; None where they are drawn.
    evaluation
        The reference: all integers of all frames.

    Returns
    -------
    By name: SHA-256 of the build's files, of the samples, and of the reference's codes
    of each layer; versions of libraries and programs.
    """
    flow = flow_of(boards.load(build.settings["board"]))
    programs = ("verilator", flow.synthesizer, flow.router, flow.packer)
    return {
        **{name: sha256_file(build.folder / name) for name in _files(build.folder)},
        **({"samples": sha256_file(samples)} if samples else {}),
        "input: codes": _hash(evaluation.integers),
        **{f"layer {n}: codes": _hash(a) for n, a in evaluation.codes.items()},
        "output": _hash(evaluation.outputs),
        **{f"library {name}": version for name, version in versions().items()},
        **{f"tool {name}": tools.version(name) for name in programs},
    }


def read_evidence(path: Path) -> Evidence:
    """Read the evidence in a ``verify.json``.

    Raises
    ------
    StorageError
        If the file is missing, is none, or is of a newer format.
    """
    report = read_json(path)
    check_keys(path, report, {"evidence": dict})
    evidence: Evidence = report["evidence"]
    check_keys(path, evidence, dict.fromkeys(evidence, str))
    return evidence


def changes(old: Evidence, new: Evidence) -> tuple[Change, ...]:
    """List what is new, gone or different, in the order of the names."""
    pairs = (
        (name, old.get(name, _GONE), new.get(name, _GONE))
        for name in sorted(old.keys() | new.keys())
    )
    return tuple(
        Change(name=n, was=was, now=now) for n, was, now in pairs if was != now
    )


def _files(folder: Path) -> Iterator[str]:
    """Name the files that the rungs read, but for the samples."""
    yield from (n for n in (NETWORK, DATAFLOW, BEFORE, AFTER) if (folder / n).exists())
    yield from sorted(f"{RTL}/{path.name}" for path in (folder / RTL).iterdir())


def _hash(numbers: Numbers) -> str:
    """Hash numbers with their shape; equal numbers have equal hashes."""
    data = np.ascontiguousarray(numbers).tobytes()
    return sha256_bytes(f"{numbers.dtype.str} {numbers.shape} ".encode() + data)
