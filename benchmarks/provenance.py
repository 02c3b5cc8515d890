# SPDX-License-Identifier: Apache-2.0
"""Where results come from: the commit of the code, the machine and the tools."""

import platform
import subprocess
from pathlib import Path

from hwgq import tools


def commit() -> str:
    """Name the commit of this code, with a + where files differ from it.

    Results do not count, of which a benchmark may have written some.
    """
    name = _git("rev-parse", "--short=12", "HEAD")
    differs = _git("status", "--porcelain", "-uno", "--", ".", ":!benchmarks/results")
    return f"{name}+" if differs else name


def _git(*words: str) -> str:
    root, argv = Path(__file__).parents[1], ["git", *words]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def machine() -> str:
    """Name the processor, as Linux does."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = (line.partition(":")[2] for line in lines if "model name" in line)
    return next(models, "").strip() or (platform.processor() or platform.machine())


def versions(*names: str) -> str:
    """Name programs and their versions, and that of Python."""
    known = {name: tools.version(name) for name in names}
    known["Python"] = platform.python_version()
    return ", ".join(f"{name} {version}" for name, version in known.items())
