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


def test_digits_can_be_seen_as_images():
    digits = load("digits")
    for images in (digits.planes(), digits.flat().planes()):
        assert images.shape == (1, 8, 8)
        assert np.array_equal(images.flat().test.images, digits.test.images)


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
            {"images": IMAGES, "labels": LABELS + 2 * (LABELS == 2)},
            "has no train image of class 2, but of class 4. Number the classes 0, 1",
        ),
        (
            {"images": IMAGES, "labels": LABELS + 1},
            "has no train image of class 0, but of class 3",
        ),
        (
            {
                "train_images": IMAGES,
                "train_labels": LABELS,
                "test_images": IMAGES,
                "test_labels": LABELS + 1,
            },
            "has test images of class 3, train none above 2. Give train images",
        ),
        (
            {
                "train_images": IMAGES,
                "train_labels": LABELS,
                "validation_images": IMAGES,
                "validation_labels": LABELS + 7,
                "test_images": IMAGES,
                "test_labels": LABELS,
            },
            "has validation images of class 9, train none above 2",
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


def test_planes_have_channels_before_rows_and_columns(tmp_path):
    own = load("npz", save(tmp_path / "own.npz", images=IMAGES, labels=LABELS))
    planes = own.planes()
    assert planes.shape == (3, 2, 2)
    assert planes.train.images.flags.c_contiguous
    image = own.train.images[5]
    assert np.array_equal(planes.train.images[5, 1], image[:, :, 1])
    assert own.flat().planes().fingerprint() == planes.fingerprint()
    grey = load(
        "npz", save(tmp_path / "grey.npz", images=IMAGES[..., 0], labels=LABELS)
    )
    assert (grey.shape, grey.planes().shape) == ((2, 2), (1, 2, 2))
    assert grey.flat().planes().fingerprint() == grey.planes().fingerprint()


def test_rows_of_numbers_have_no_planes(tmp_path):
    path = save(tmp_path / "wine.npz", images=IMAGES.reshape(60, 12), labels=LABELS)
    wine = load("npz", path)
    for dataset in (wine, wine.flat()):
        with pytest.raises(DataError, match=r"wine: has images of shape \(12,\), with"):
            dataset.planes()


def test_the_mean_image_is_that_of_the_train_part(tmp_path):
    own = load("npz", save(tmp_path / "own.npz", images=IMAGES, labels=LABELS))
    mean = own.mean_image()
    assert (mean.dtype, mean.shape) == (np.float32, (2, 2, 3))
    assert np.array_equal(mean, own.train.images.mean(axis=0).astype(np.float32))
    assert own.planes().mean_image().shape == (3, 2, 2)
    assert np.array_equal(own.flat().mean_image(), mean.ravel())


@pytest.mark.parametrize("name", ["digits", "npz", "mnist", "cifar10"])
def test_only_images_of_folders_are_resized(name):
    with pytest.raises(DataError, match=r"size = 8 cannot be had\. Remove size from"):
        load(name, size=8)


def test_a_file_that_would_not_be_read_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "own.npz", images=IMAGES, labels=LABELS)
    with pytest.raises(DataError, match=r"own\.npz: is not read"):
        load("digits", path)
    monkeypatch.setenv("HWGQ_DATA", str(path))
    assert load("digits").name == "digits"


def test_missing_and_foreign_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("HWGQ_DATA", raising=False)
    for empty in (False, True):
        if empty:
            monkeypatch.setenv("HWGQ_DATA", "")
        with pytest.raises(
            DataError, match=r"no file is named\. Name the file: --data"
        ):
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
