# SPDX-License-Identifier: Apache-2.0
import gzip
import struct
import urllib.request
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torchvision.datasets

from hwgq.errors import DataError, StorageError
from hwgq.train.datasets import load
from hwgq.train.datasets.idx import FILES

LABELS = np.arange(36, dtype=np.uint8) % 3
IMAGES = np.arange(36 * 6, dtype=np.uint8).reshape(36, 2, 3)


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


def write(folder, images=IMAGES, labels=LABELS, *, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = (images, labels, images[:9], labels[:9])
    for name, array in zip(FILES, arrays, strict=True):
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (folder / name).write_bytes(idx(array))
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("HWGQ_DATA", raising=False)
    monkeypatch.setenv("HWGQ_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("mnist", "."),
        ("mnist", "MNIST/raw"),
        ("mnist", "mnist"),
        ("fashion-mnist", "."),
        ("fashion-mnist", "FashionMNIST/raw"),
        ("fashion-mnist", "fashion-mnist"),
    ],
)
def test_idx_files_are_found_in_every_usual_place(tmp_path, name, place, packed):
    write(tmp_path / place, packed=packed)
    dataset = load(name, tmp_path)
    assert (dataset.name, dataset.shape, dataset.classes) == (name, (2, 3), 3)
    assert [len(part) for part in dataset.parts] == [33, 3, 9]
    assert np.array_equal(dataset.test.images, IMAGES[:9])
    assert np.array_equal(dataset.test.labels, LABELS[:9])
    assert dataset.test.images.flags.writeable
    assert sorted(dataset.validation.labels) == [0, 1, 2]


def test_the_two_sets_are_told_apart_by_their_folders(tmp_path):
    write(tmp_path / "MNIST" / "raw")
    write(tmp_path / "FashionMNIST" / "raw", images=IMAGES // 2)
    assert np.array_equal(load("mnist", tmp_path).test.images, IMAGES[:9])
    assert np.array_equal(load("fashion-mnist", tmp_path).test.images, IMAGES[:9] // 2)


def test_missing_idx_files_are_named(tmp_path):
    with pytest.raises(
        DataError, match=f"lacks {', '.join(FILES)} of mnist. Put train"
    ):
        load("mnist", tmp_path)
    (write(tmp_path, packed=True) / f"{FILES[3]}.gz").unlink()
    with pytest.raises(DataError, match=f"lacks {FILES[3]} of fashion-mnist. Put"):
        load("fashion-mnist", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not begin as an idx file of bytes with 3 axes"),
        (b"\0\0\x08\x03\0\0\0\x01", "does not begin as an idx file"),
        (idx(LABELS), "does not begin as an idx file"),
        (b"\0\0\x0d" + idx(IMAGES)[3:], "does not begin as an idx file"),
        (idx(IMAGES)[:-1], r"is not whole: 215 bytes for shape \(36, 2, 3\)"),
        (struct.pack(">4B3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "is not whole: 0 bytes"),
    ],
)
def test_damaged_idx_files_are_refused(tmp_path, content, message):
    (write(tmp_path) / FILES[0]).write_bytes(content)
    with pytest.raises(DataError, match=f"{FILES[0]}: {message}.*Delete it and get it"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(idx(IMAGES))[:-9], b"\x1f\x8b\x08" + bytes(20)],
)
def test_damaged_gz_files_are_refused(tmp_path, content):
    (write(tmp_path, packed=True) / f"{FILES[0]}.gz").write_bytes(content)
    with pytest.raises(DataError, match=f"{FILES[0]}.gz: cannot be read"):
        load("mnist", tmp_path)


def test_labels_of_another_number_than_the_images_are_refused(tmp_path):
    write(tmp_path, labels=LABELS[:30])
    with pytest.raises(DataError, match=rf"{FILES[0]}: has labels .* shape \(30,\)"):
        load("mnist", tmp_path)


class Downloads:
    """torchvision's MNIST, without the network."""

    def __init__(self):
        self.count = 0

    def __call__(self, root, *, download):
        assert download
        self.count += 1
        write(Path(root) / "MNIST" / "raw")


def test_mnist_is_downloaded_once(cache, monkeypatch, capsys):
    downloads = Downloads()
    monkeypatch.setattr(torchvision.datasets, "MNIST", downloads)
    first, second = load("mnist"), load("mnist")
    assert downloads.count == 1
    assert first.fingerprint() == second.fingerprint()
    assert [path.name for path in cache.iterdir()] == ["MNIST"]
    assert "Downloading mnist to " in capsys.readouterr().err


def test_the_cache_is_in_the_users_where_none_is_named(cache, tmp_path, monkeypatch):
    monkeypatch.delenv("HWGQ_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "users"))
    monkeypatch.setattr(torchvision.datasets, "MNIST", Downloads())
    load("mnist")
    assert (tmp_path / "users" / "hwgq" / "datasets" / "MNIST" / "raw").is_dir()


def test_two_downloads_at_once_do_not_meet(cache, monkeypatch):
    def download(root, **options):
        write(Path(root) / "MNIST" / "raw")
        write(cache / "MNIST" / "raw")

    monkeypatch.setattr(torchvision.datasets, "MNIST", download)
    assert len(load("mnist").test) == 9
    assert [path.name for path in cache.iterdir()] == ["MNIST"]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_without_a_network_the_files_and_their_place_are_named(
    cache, monkeypatch, name
):
    def offline(*arguments, **options):
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(DataError) as caught:
        load(name)
    assert caught.value.place == name
    assert "is not here and cannot be downloaded" in caught.value.problem
    assert "no network" in caught.value.problem
    for word in (*FILES, "into a folder DIR", "--data DIR", "HWGQ_DATA=DIR"):
        assert word in caught.value.remedy
    debian = "Debian's package dataset-fashion-mnist" in caught.value.remedy
    assert debian == (name == "fashion-mnist")
    assert not list(cache.iterdir())


def test_an_interrupted_download_leaves_nothing(cache, monkeypatch):
    def interrupted(root, **options):
        write(Path(root) / "MNIST" / "raw")
        raise KeyboardInterrupt

    monkeypatch.setattr(torchvision.datasets, "MNIST", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert not list(cache.iterdir())


def test_a_cache_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.delenv("HWGQ_DATA", raising=False)
    monkeypatch.setenv("HWGQ_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(
        StorageError, match=r"no folder to keep data sets in .* Set HWGQ"
    ):
        load("mnist")
