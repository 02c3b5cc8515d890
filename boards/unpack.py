# SPDX-License-Identifier: Apache-2.0
"""Read a build's bitstream back: the family's own program makes text of it."""

import shutil
from pathlib import Path

from hwgq import tools
from hwgq.boards.flows.flow import Flow
from hwgq.errors import StorageError

UNPACKED = "unpacked"


def unpack(build: Path, flow: Flow, folder: Path) -> str:
    """Unpack a bitstream.

    Parameters
    ----------
    build
        The build folder, with its bitstream.
    flow
        The family's flow.
    folder
        An empty folder to work in.

    Returns
    -------
    str
        The configuration as text: what the packer reads, and the file `UNPACKED` holds.

    Raises
    ------
    StorageError
        If there is no bitstream.
    ToolNotFoundError, ToolFailedError
        If the program is missing, or finds the bitstream damaged.
    """
    source = build / flow.bitstream_file
    if not source.is_file():
        raise StorageError(source, "is not there", f"Run `hwgq build {build}` first")
    shutil.copy(source, folder / source.name)
    argv = (flow.unpacker, source.name, UNPACKED)
    tools.run(argv, cwd=folder, log=folder / "unpack.log")
    return (folder / UNPACKED).read_text()
