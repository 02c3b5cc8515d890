# SPDX-License-Identifier: Apache-2.0
"""Where the files of a public data set are: in a folder, or in the cache."""

from collections.abc import Callable, Iterable
from pathlib import Path

from hwgq.cache import cache_folder, scratch
from hwgq.errors import DataError
from hwgq.foreign import guarded
from hwgq.progress import tell


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
        with scratch(home, "data sets") as made:
            tell(f"Downloading {name} to {home / folder}")
            doing = "is not here and cannot be downloaded"
            with guarded(DataError, name, doing, remedy):
                fetch(made)
            _move(made / folder, home / folder)
    return home


def _move(made: Path, target: Path) -> None:
    try:
        made.replace(target)
    except OSError:
        if not target.is_dir():  # else another process was faster
            raise
