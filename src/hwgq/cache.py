# SPDX-License-Identifier: Apache-2.0
"""The cache of what is made or fetched once: simulators, data sets."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hwgq.errors import StorageError


def cache_folder() -> Path:
    """Name the folder of the cache: $HWGQ_CACHE_DIR, or else the user's cache."""
    own = os.environ.get("HWGQ_CACHE_DIR")
    if own:
        return Path(own).resolve()
    users = os.environ.get("XDG_CACHE_HOME")
    return (Path(users) if users else Path.home() / ".cache").resolve() / "hwgq"


@contextmanager
def scratch(folder: Path, what: str) -> Iterator[Path]:
    """Make a folder inside one of the cache: what is whole there is moved at once.

    Parameters
    ----------
    folder
        The cache's folder, made where it is not there.
    what
        What is kept in it, for the message.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=folder, prefix="making-")
    except OSError as error:
        problem = f"is no folder to keep {what} in ({error.strerror})"
        remedy = "Set HWGQ_CACHE_DIR to a folder that you may write"
        raise StorageError(folder, problem, remedy) from error
    with made as name:
        yield Path(name)
