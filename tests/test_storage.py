# SPDX-License-Identifier: Apache-2.0
"""Files are whole or not there, and say their format."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgq import storage
from hwgq.errors import StorageError

READERS = {
    "json": storage.read_json,
    "toml": storage.read_toml,
    "npz": storage.read_npz,
}


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_table_is_read_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"table.{suffix}"
    table = {"name": 'a "quoted"\nname', "nested": {"list": [1, 2.5, True]}}
    write = {"json": storage.write_json, "toml": storage.write_toml}[suffix]
    write(path, table)
    assert READERS[suffix](path) == table
    assert "format" in path.read_text()


def test_arrays_are_read_as_they_were_written(tmp_path: Path) -> None:
    arrays = {"levels/act1": np.arange(6, dtype=np.uint8).reshape(2, 3), "x": np.pi}
    storage.write_npz(tmp_path / "a.npz", **arrays)
    found = storage.read_npz(tmp_path / "a.npz")
    assert found.keys() == arrays.keys()
    assert found["levels/act1"].dtype == np.uint8
    np.testing.assert_array_equal(found["levels/act1"], arrays["levels/act1"])
    assert found["x"] == np.pi


def test_equal_arrays_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        storage.write_npz(tmp_path / name, x=np.arange(1000))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("suffix", READERS)
def test_a_missing_file_is_refused(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(StorageError, match=r"none\.: cannot be read \(No such file"):
        READERS[suffix](tmp_path / "none.")


@pytest.mark.parametrize("suffix", READERS)
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 10_000, b"PK\x03\x04"])
def test_a_damaged_file_is_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"damaged: (is not valid|does not say)"):
        READERS[suffix](path)


@pytest.mark.parametrize("cut", range(0, 300, 7))
def test_a_truncated_npz_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.npz"
    storage.write_npz(path, x=np.arange(1000))
    path.write_bytes(path.read_bytes()[: -1 - cut])
    with pytest.raises(StorageError, match="is not valid npz"):
        storage.read_npz(path)


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(StorageError, match="is not valid npz"):
        storage.read_npz(tmp_path / "p.npz")


@pytest.mark.parametrize("suffix", READERS)
def test_a_newer_format_is_refused(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"newer.{suffix}"
    with monkeypatch.context() as patch:
        patch.setattr(storage, "FORMAT", 2)
        _write(path, {"x": 1})
    with pytest.raises(StorageError, match=r"newer.*has format 2, hwgq \S+ reads 1"):
        READERS[suffix](path)


def test_a_file_must_say_its_format(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("x = 1")
    with pytest.raises(StorageError, match=r'Write "format = 1" into a file of yours'):
        storage.read_toml(tmp_path / "a.toml")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path = tmp_path / "a.json"
    storage.write_json(path, {"x": "old"})

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    remedy = "Free some space" if code == errno.ENOSPC else "Name a folder"
    with pytest.raises(StorageError, match=rf"cannot be written.*{remedy}"):
        storage.write_json(path, {"x": "new"})
    assert storage.read_json(path) == {"x": "old"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        storage.write_text(tmp_path / "file" / "a.txt", "a")
    with (
        pytest.raises(StorageError, match="cannot be written"),
        storage.locked(tmp_path / "file"),
    ):
        pass


HOLDER = """
import sys, time, pathlib, hwgq.storage
with hwgq.storage.locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_keeps_others_out_until_its_process_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(StorageError, match="build: is being written"),
            storage.locked(folder),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
    with storage.locked(folder):
        pass


def test_an_error_leaves_no_empty_folder_that_was_not_there(tmp_path: Path) -> None:
    for name in ("new/folder", "new/kept", "old"):
        (tmp_path / "old").mkdir(exist_ok=True)
        with pytest.raises(KeyboardInterrupt), storage.locked(tmp_path / name):
            if name == "new/kept":
                storage.write_text(tmp_path / name / "a.txt", "a")
            raise KeyboardInterrupt
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {"old", "old/.lock", "new", "new/kept", "new/kept/.lock"} | {
        "new/kept/a.txt"
    }


def test_files_and_folders_are_removed(tmp_path: Path) -> None:
    storage.write_text(tmp_path / "folder" / "a.txt", "a")
    for name in ("folder/a.txt", "folder", "none"):
        storage.remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        storage.remove(tmp_path / "file" / "a.txt")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_staged_appears_when_it_is_whole(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "thing"
    for content in ("old", "new"):
        with storage.staged(path) as made:
            if kind == "folder":
                made.mkdir()
            (made / content if kind == "folder" else made).write_text(content)
            assert not path.exists() or content == "new"
        assert [*path.parent.iterdir()] == [path]
    whole = {
        file: file.read_text() for file in path.parent.rglob("*") if file.is_file()
    }
    assert whole == {path / "new" if kind == "folder" else path: "new"}
    with pytest.raises(KeyError), storage.staged(path) as made:
        made.write_text("half")
        raise KeyError
    assert {f: f.read_text() for f in path.parent.rglob("*") if f.is_file()} == whole


def test_what_cannot_be_staged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(StorageError, match="file/thing: cannot be written"),
        storage.staged(tmp_path / "file" / "thing"),
    ):
        pass


def test_a_folders_hash_sees_names_and_contents(tmp_path: Path) -> None:
    def tree(name: str, files: dict[str, str]) -> str:
        for file, text in files.items():
            storage.write_text(tmp_path / name / file, text)
        return storage.sha256_path(tmp_path / name)

    first = tree("a", {"x": "1", "sub/y": "2"})
    assert first == tree("b", {"sub/y": "2", "x": "1", ".lock": ""})
    assert first != tree("c", {"x": "1", "sub/z": "2"})
    assert first != tree("d", {"x": "1", "sub/y": "3"})


def _write(path: Path, table: dict[str, Any]) -> None:
    write: dict[str, Callable[[], None]] = {
        ".json": lambda: storage.write_json(path, table),
        ".toml": lambda: storage.write_toml(path, table),
        ".npz": lambda: storage.write_npz(path, **table),
    }
    write[path.suffix]()
