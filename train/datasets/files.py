# SPDX-License-Identifier: Apache-2.0
"""Where the files of a public data set are: in a folder, or in the cache."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hwgq.errors import DataError, StorageError
from hwgq.foreign import guarded
from hwgq.progress import tell
from hwgq.storage import cache_folder


def find(
    folders: Iterable[Path], names: tuple[str, ...], endings: tuple[str, ...] = ("",)
) -> tuple[list[Path], list[str]]:
    """Look for files in the folder that has the most of them.

    Parameters
    ----------
    folders
        Where to look, the likeliest first.
    names, endings
        Names of the files, and what may follow them.

    Returns
    -------
    paths, missing
        The files that are there, in the order of `names`, and names of the others.
    """

    def look(folder: Path) -> tuple[list[Path], list[str]]:
        found = {
            name: path
            for name in names
            for ending in reversed(endings)
            if (path := folder / (name + ending)).is_file()
        }
        return list(found.values()), [name for name in names if name not in found]

    return min(map(look, folders), key=lambda found: len(found[1]))


def cached(name: str, folder: str, fetch: Callable[[Path], None], remedy: str) -> Path:
    """Download a data set, unless it is in the cache.

    Parameters
    ----------
    name
        The data set.
    folder
        What `fetch` makes.
    fetch
        Called with a folder to download into.
    remedy
        What to do where there is no network.

    Returns
    -------
    Path
        The folder that holds `folder`.

    Raises
    ------
    DataError
        If it cannot be downloaded.
    StorageError
        If the cache cannot be written.
    """
    home = cache_folder() / "datasets"
    if not (home / folder).is_dir():
        with _scratch(home) as scratch:
            tell(f"Downloading {name} to {home / folder}")
            doing = "is not here and cannot be downloaded"
            with guarded(DataError, name, doing, remedy):
                fetch(scratch)
            _move(scratch / folder, home / folder)
    return home


@contextmanager
def _scratch(home: Path) -> Iterator[Path]:
    """Make a folder beside the data sets: a kill leaves no half of one among them."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=home, prefix="downloading-")
    except OSError as error:
        problem = f"is no folder to keep data sets in ({error.strerror})"
        remedy = "Set HWGQ_CACHE_DIR to a folder that you may write"
        raise StorageError(home, problem, remedy) from error
    with scratch as name:
        yield Path(name)


def _move(made: Path, target: Path) -> None:
    try:
        made.replace(target)
    except OSError:
        if not target.is_dir():  # else another process was faster
            raise
