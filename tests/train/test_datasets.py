# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from hwgq.errors import DataError
from hwgq.train.datasets import load, stratified


def test_digits_have_their_fixed_parts():
    digits = load("digits")
    assert [len(part) for part in digits.parts] == [1078, 360, 359]
    assert (digits.shape, digits.classes, digits.input_bits) == ((64,), 10, 5)
    assert digits.fingerprint().startswith("a21a53accc2f9325")


def test_parts_are_disjoint_complete_and_have_the_shares_of_each_class():
    labels = np.repeat([0, 1, 2], [10, 50, 100])
    parts = stratified(labels, (0.6, 0.2, 0.2))
    assert sorted(np.concatenate(parts)) == list(range(160))
    counts = [np.bincount(labels[part]).tolist() for part in parts]
    assert counts == [[6, 30, 60], [2, 10, 20], [2, 10, 20]]


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


IMAGES = np.arange(60 * 12).reshape(60, 2, 2, 3) % 200
LABELS = np.arange(60) % 3


def test_own_data_are_split_where_they_have_no_parts(tmp_path, monkeypatch):
    path = save(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    own = load("npz", path)
    assert [len(part) for part in own.parts] == [36, 12, 12]
    assert (own.name, own.shape, own.classes, own.input_bits) == (
        "own",
        (2, 2, 3),
        3,
        8,
    )
    monkeypatch.setenv("HWGQ_DATA", str(path))
    assert load("npz").fingerprint() == own.fingerprint()


def test_own_parts_are_kept_and_validation_is_held_out_of_train(tmp_path):
    arrays = {
        "train_images": IMAGES[:40],
        "train_labels": LABELS[:40],
        "test_images": IMAGES[40:],
        "test_labels": LABELS[40:],
    }
    own = load("npz", save(tmp_path / "own.npz", **arrays))
    assert [len(part) for part in own.parts] == [31, 9, 20]
    assert np.array_equal(own.test.images, IMAGES[40:])
    arrays |= {"validation_images": IMAGES[:9], "validation_labels": LABELS[:9]}
    own = load("npz", save(tmp_path / "own.npz", **arrays))
    assert [len(part) for part in own.parts] == [40, 9, 20]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": IMAGES / 2, "labels": LABELS}, "images of type float64"),
        ({"images": IMAGES - 1, "labels": LABELS}, "has levels -1 ... 198"),
        ({"images": IMAGES + 99, "labels": LABELS}, "has levels 99 ... 298"),
        (
            {"images": IMAGES, "labels": LABELS[1:]},
            r"labels of type int64, shape \(59,",
        ),
        ({"images": IMAGES, "labels": LABELS - 1}, "a negative label"),
        ({"images": IMAGES}, "holds images. Save images and labels"),
        ({"images": IMAGES[:2], "labels": LABELS[:2]}, "an empty validation part"),
        (
            {
                "train_images": IMAGES,
                "train_labels": LABELS,
                "test_images": IMAGES[:, 0],
                "test_labels": LABELS,
            },
            "has test images of another shape",
        ),
        (
            {"images": np.array([{}]), "labels": LABELS},
            "not an npz file of plain arrays",
        ),
    ],
)
def test_data_that_are_not_integer_images_are_refused(tmp_path, arrays, message):
    path = save(tmp_path / "bad.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load("npz", path)


def test_a_file_that_would_not_be_read_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(DataError, match=r"own\.npz: is not read"):
        load("digits", path)
    monkeypatch.setenv("HWGQ_DATA", str(path))
    assert load("digits").name == "digits"


def test_missing_and_foreign_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("HWGQ_DATA", raising=False)
    with pytest.raises(DataError, match=r"no file is named\. Name the file: --data"):
        load("npz")
    with pytest.raises(DataError, match=r"cannot be read \(No such file"):
        load("npz", tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(DataError, match="is not an npz file"):
        load("npz", tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", LABELS)
    with pytest.raises(DataError, match="is one array"):
        load("npz", tmp_path / "one.npy")
    with pytest.raises(DataError, match=r"dgits: is no data set\. Choose one of"):
        load("dgits")
