# SPDX-License-Identifier: Apache-2.0
import os
import pickle
import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from torchvision.datasets import utils

from hwgq.errors import DataError
from hwgq.train.datasets import load
from hwgq.train.datasets.cifar10 import BATCHES

BIN, PY = "cifar-10-batches-bin", "cifar-10-batches-py"
LABELS = np.arange(20, dtype=np.uint8) % 10
LEVELS = np.random.default_rng(0).integers(0, 256, (6, 20, 3072), np.uint8)


def write_binary(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, levels in zip(BATCHES, LEVELS, strict=True):
        rows = np.concatenate([LABELS[:, None], levels], axis=1)
        (folder / f"{name}.bin").write_bytes(rows.tobytes())


def python2_pickle(levels):
    """Write what Python 2's pickle and NumPy 1 wrote: the official files."""
    counts = struct.pack("<HH", *levels.shape)
    kind = (
        b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN"
        + 2 * b"J\xff\xff\xff\xff"
    )
    state = (
        b"(K\x01M" + counts[:2] + b"M" + counts[2:] + b"\x86" + kind + b"K\x00tb\x89T"
    )
    data = levels.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    )
    labels = b"](" + b"".join(b"K" + bytes([label]) for label in LABELS) + b"e"
    return (
        b"\x80\x02}(U\x0bbatch_labelU\x05batchU\x06labels"
        + labels
        + b"U\x04data"
        + array
        + state
        + struct.pack("<I", len(data))
        + data
        + b"tbu."
    )


def python3_pickle(levels):
    return pickle.dumps({b"data": levels, b"labels": LABELS.tolist()}, protocol=2)


def write_python(folder, dumps=python2_pickle):
    folder.mkdir(parents=True, exist_ok=True)
    for name, levels in zip(BATCHES, LEVELS, strict=True):
        (folder / name).write_bytes(dumps(levels))


def channels_last(levels):
    return levels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def write_npz(path):
    np.savez(
        path,
        train_images=channels_last(LEVELS[:5]),
        train_labels=np.tile(LABELS, 5),
        test_images=channels_last(LEVELS[5]),
        test_labels=LABELS,
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    path = tmp_path_factory.mktemp("npz") / "any.npz"
    write_npz(path)
    return load("cifar10", path)


def test_an_npz_file_has_parts_of_the_usual_shares(expected):
    assert (expected.name, expected.shape, expected.classes) == (
        "cifar10",
        (32, 32, 3),
        10,
    )
    assert [len(part) for part in expected.parts] == [90, 10, 20]
    assert sorted(expected.validation.labels) == list(range(10))


@pytest.mark.parametrize("place", [".", BIN])
def test_the_binary_version_is_read(tmp_path, expected, place):
    write_binary(tmp_path / place)
    binary = load("cifar10", tmp_path)
    assert binary.fingerprint() == expected.fingerprint()
    assert np.array_equal(binary.test.images[3, 5, 7], LEVELS[5, 3, 5 * 32 + 7 :: 1024])


@pytest.mark.parametrize("dumps", [python2_pickle, python3_pickle])
@pytest.mark.parametrize("place", [".", PY])
def test_the_python_version_is_read(tmp_path, expected, place, dumps):
    write_python(tmp_path / place, dumps)
    assert load("cifar10", tmp_path).fingerprint() == expected.fingerprint()


def test_the_binary_version_goes_first(tmp_path, expected):
    write_binary(tmp_path / BIN)
    write_python(tmp_path / PY, lambda levels: b"not read")
    assert load("cifar10", tmp_path).fingerprint() == expected.fingerprint()


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, getattr, np.load, np.frombuffer])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, function, protocol):
    trace = tmp_path / "was_run"
    evil = pickle.dumps(Malicious(function, f"touch {trace}"), protocol)
    write_python(tmp_path, lambda levels: evil)
    with pytest.raises(
        DataError, match=r"data_batch_1: names \S+, which .* was not run"
    ):
        load("cifar10", tmp_path)
    assert not trace.exists()


def dumped(**table):
    return pickle.dumps({key.encode(): value for key, value in table.items()}, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Ran out of input"),
        (python2_pickle(LEVELS[0])[:-99], "truncated"),
        (dumped(labels=[1]), "data"),
        (dumped(data=LEVELS[0]), "labels"),
        (dumped(data=[1, 2], labels=[1]), "levels"),
        (pickle.dumps([1]), "list"),
        (dumped(data=LEVELS[0].astype(int), labels=[1]), "data of type i8"),
        (dumped(data=np.asfortranarray(LEVELS[0]), labels=[1]), "data of type u1"),
        (dumped(data=LEVELS[0, :, :99], labels=[1]), r"shape \(20, 99\)"),
        (b"c_codecs\nencode\n(Vtext\nVbz2\ntR.", "bz2"),
        (b"cnumpy\nndarray\n)R.", "subscriptable"),
    ],
)
def test_damaged_pickles_are_refused(tmp_path, content, message):
    write_python(tmp_path, lambda levels: content)
    with pytest.raises(DataError, match=f"is no batch of CIFAR-10: .*{message}.* Get"):
        load("cifar10", tmp_path)


def test_labels_that_are_no_numbers_are_refused(tmp_path):
    bad = dumped(data=LEVELS[0], labels=["a"] * 20)
    write_python(tmp_path, lambda levels: bad)
    with pytest.raises(DataError, match="train: has labels of type"):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("size", [0, 3072, 2 * 3073 - 1])
def test_binary_files_that_are_not_whole_are_refused(tmp_path, size):
    write_binary(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(bytes(size))
    with pytest.raises(
        DataError, match=f"data_batch_2.bin: is not whole: {size} bytes"
    ):
        load("cifar10", tmp_path)


def test_missing_batches_are_named(tmp_path):
    names = ", ".join(f"{name}.bin" for name in BATCHES)
    with pytest.raises(DataError, match=f"lacks {names} of cifar10. Put data_batch_1"):
        load("cifar10", tmp_path)
    write_python(tmp_path / PY)
    (tmp_path / PY / "data_batch_4").unlink()
    with pytest.raises(DataError, match="lacks data_batch_4 of cifar10"):
        load("cifar10", tmp_path)


def test_an_npz_file_of_other_images_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, images=np.zeros((50, 8, 8), np.uint8), labels=np.arange(50) % 2)
    with pytest.raises(DataError, match=r"shape \(8, 8\), those of cifar10 are \(32"):
        load("cifar10", path)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.delenv("HWGQ_DATA", raising=False)
    monkeypatch.setenv("HWGQ_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def test_cifar10_is_downloaded_once(cache, monkeypatch, expected):
    urls = []

    def download(url, download_root, extract_root, md5):
        urls.append((url.rpartition("/")[2], md5))
        write_binary(Path(extract_root) / BIN)

    monkeypatch.setattr(utils, "download_and_extract_archive", download)
    for _ in range(2):
        assert load("cifar10").fingerprint() == expected.fingerprint()
    assert urls == [("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530")]
    assert [path.name for path in cache.iterdir()] == [BIN]


def test_without_a_network_the_batches_and_their_place_are_named(cache, monkeypatch):
    def offline(*arguments, **options):
        raise URLError("no network")

    monkeypatch.setattr(utils, "download_and_extract_archive", offline)
    with pytest.raises(
        DataError, match=r"cannot be downloaded: .*no network"
    ) as caught:
        load("cifar10")
    for word in ("test_batch.bin", BIN, PY, "--data DIR", "HWGQ_DATA=DIR", "npz"):
        assert word in caught.value.remedy
