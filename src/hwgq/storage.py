# SPDX-License-Identifier: Apache-2.0
"""Reading and writing of files that are whole or not there at all.

Everything is written to a temporary name in the same folder and moved when whole, so
that a kill or a full disk leaves the last whole file. Every JSON, TOML and npz file
carries `format`, which the readers check and take off again: what was written is what
is read. A file of a newer format is refused.
"""

import errno
import fcntl
import hashlib
import io
import json
import os
import secrets
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import ArrayLike, NDArray

import hwgq
from hwgq.errors import StorageError
from hwgq.foreign import guarded

FORMAT = 1
"""The only format of files that this version writes and reads."""
_ANEW = "Mend it if it is yours, else make it anew"


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file at once, with its folders.

    Raises
    ------
    StorageError
        If the folder cannot be written or the disk is full. The old file, if there
        was one, is as it was.
    """
    temporary = path.with_name(f".{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file at once; errors as `write_bytes`."""
    write_bytes(path, text.encode())


def write_json(path: Path, obj: Mapping[str, Any]) -> None:
    """Write a JSON object with its format at once; errors as `write_bytes`."""
    text = json.dumps({"format": FORMAT, **obj}, indent=2, allow_nan=False)
    write_text(path, text + "\n")


def write_toml(path: Path, obj: Mapping[str, Any]) -> None:
    """Write a TOML table with its format at once; errors as `write_bytes`."""
    write_text(path, tomli_w.dumps({"format": FORMAT, **obj}))


def write_npz(path: Path, **arrays: ArrayLike) -> None:
    """Write named arrays with their format at once; equal arrays give equal bytes.

    Errors as `write_bytes`.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in {"format": FORMAT, **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asarray(value), allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises
    ------
    StorageError
        If the file is missing, damaged or of a newer format.
    """
    try:
        obj = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "JSON", error) from error
    return _checked(path, obj)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file that says `format = 1`; errors as `read_json`."""
    try:
        obj = tomllib.loads(read_bytes(path).decode())
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "TOML", error) from error
    return _checked(path, obj)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read what `write_npz` wrote; errors as `read_json`, also at pickled objects."""
    data = io.BytesIO(read_bytes(path))
    with (
        guarded(StorageError, str(path), "is not valid npz", _ANEW),
        np.load(data, allow_pickle=False) as file,
    ):
        arrays = dict(file)
    return _checked(path, arrays)


def read_bytes(path: Path) -> bytes:
    """Read a file whole.

    Raises
    ------
    StorageError
        If it is missing, or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        remedy = "Check its name, or run the stage that makes it"
        raise StorageError(path, problem, remedy) from error


def check_keys(path: Path, table: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Check that a table that was read from `path` has keys of certain types.

    Parameters
    ----------
    path
        The file, for messages.
    table
        What was read.
    kinds
        The type, or union of types, of each key's value.

    Raises
    ------
    StorageError
        If a key is missing or its value is of another type.
    """
    for key, kind in kinds.items():
        if not isinstance(table.get(key), kind):
            raise StorageError(path, f"has no right {key!r}", "Make the file anew")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, if it is there.

    Raises
    ------
    StorageError
        If it may not be removed.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a temporary name for a file or folder, which is moved to `path` when whole.

    It lies in a hidden folder beside `path`, which goes with all else that is in it. An
    error leaves what was at `path` as it was.

    Raises
    ------
    StorageError
        If `path` cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            made = Path(folder) / path.name
            yield made
            if made.is_dir():
                remove(path)  # only an empty folder is replaced
            made.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a folder and keep everybody else from writing to it meanwhile.

    The lock goes with the process: a kill leaves none behind. It is not re-entrant. An
    error leaves no folder that was not there before and is empty.

    Raises
    ------
    StorageError
        If somebody holds the lock, or the folder cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    except OSError as error:
        raise _unwritable(folder, error) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            remedy = "Wait for the other hwgq process to end, or name another folder"
            raise StorageError(folder, "is being written", remedy) from error
        try:
            yield
        except BaseException:
            _remove_empty(made)
            raise


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, up to one that holds more than a lock."""
    for folder in folders:
        if {path.name for path in folder.iterdir()} - {".lock"}:
            return
        (folder / ".lock").unlink(missing_ok=True)
        folder.rmdir()


def sha256_bytes(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; StorageError if it is not there."""
    return sha256_bytes(read_bytes(path))


def sha256_path(path: Path) -> str:
    """SHA-256 of a file, or of all names and contents in a folder but hidden ones."""
    if not path.is_dir():
        return sha256_file(path)
    lines = [
        f"{sha256_file(file)} {name}"
        for file in sorted(path.rglob("*"))
        if file.is_file() and not (name := str(file.relative_to(path))).startswith(".")
    ]
    return sha256_bytes("\n".join(lines).encode())


def _checked(path: Path, obj: Any) -> dict[str, Any]:
    """Take the format off a table that was just read."""
    if not isinstance(obj, dict) or "format" not in obj:
        remedy = f'Write "format = {FORMAT}" into a file of yours; make others anew'
        raise StorageError(path, "does not say its format", remedy)
    found = obj.pop("format")
    if not np.array_equal(found, FORMAT):
        problem = f"has format {found}, hwgq {hwgq.__version__} reads {FORMAT}"
        remedy = "Install a newer hwgq, or make the file anew with this one"
        raise StorageError(path, problem, remedy)
    return obj


def _damaged(path: Path, kind: str, error: BaseException) -> StorageError:
    problem = f"is not valid {kind} ({error})"
    return StorageError(path, problem, _ANEW)


def _unwritable(path: Path, error: OSError) -> StorageError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "Free some space" if full else "Name a folder that you may write"
    problem = f"cannot be written ({error.strerror})"
    return StorageError(path, problem, f"{remedy}, then run the command again")
