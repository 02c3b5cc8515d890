# SPDX-License-Identifier: Apache-2.0
import io
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import decode_images
from hwgq.errors import DataError, OptionError
from hwgq.train.datasets import load

RANDOM = np.random.default_rng(0)


def picture(mode="RGB", width=6, height=4):
    levels = RANDOM.integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(levels).convert(mode)


def fill(folder, count=5, ending="png", classes=("cat", "dog"), **form):
    """Write images of each class, and give them back."""
    pictures = []
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            pictures.append(picture(**form))
            pictures[-1].save(folder / name / f"{index}.{ending}")
    return pictures


@pytest.fixture
def animals(tmp_path):
    return tmp_path / "animals"


def test_folders_of_parts_are_read(animals):
    fill(animals / "train")
    pictures = fill(animals / "test", count=2)
    dataset = load("folder", animals)
    assert (dataset.name, dataset.shape, dataset.classes) == ("animals", (4, 6, 3), 2)
    assert [len(part) for part in dataset.parts] == [8, 2, 4]
    assert np.array_equal(dataset.test.images, np.stack(pictures))
    assert dataset.test.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["val", "validation"])
def test_a_validation_part_is_kept(animals, name):
    fill(animals / "train")
    fill(animals / "test", count=2)
    pictures = fill(animals / name, count=1)
    dataset = load("folder", animals)
    assert [len(part) for part in dataset.parts] == [10, 2, 4]
    assert np.array_equal(dataset.validation.images, np.stack(pictures))


def test_folders_of_classes_are_split(animals, monkeypatch, capsys):
    fill(animals, count=10)
    monkeypatch.setenv("HWGQ_DATA", str(animals))
    assert [len(part) for part in load("folder").parts] == [12, 4, 4]
    assert "Decoding 20 images of" in capsys.readouterr().err


def test_grey_images_have_no_channels_unless_one_is_coloured(animals):
    fill(animals, mode="L")
    picture("1").save(animals / "cat" / "black_and_white.png")
    assert load("folder", animals).shape == (4, 6)
    picture("P").save(animals / "cat" / "palette.png")
    assert load("folder", animals).shape == (4, 6, 3)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("RGBA", "png"), ("LA", "png"), ("CMYK", "jpg"), ("RGB", "webp"), ("P", "bmp")],
)
def test_other_colours_become_rgb(animals, mode, ending):
    fill(animals, mode=mode, ending=ending)
    assert load("folder", animals).shape == (4, 6, 3)


@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_images_are_scaled_by_the_shorter_side_and_cut_to_a_square(animals, mode):
    fill(animals, mode=mode)
    wide = picture(mode, 40, 20)
    wide.save(animals / "cat" / "0.png")
    picture(mode, 9, 90).save(animals / "dog" / "0.png")
    dataset = load("folder", animals, size=8)
    assert dataset.shape == ((8, 8, 3) if mode == "RGB" else (8, 8))
    kept = wide.convert("RGB" if mode == "RGB" else "L")
    square = kept.resize((16, 8), Image.Resampling.BICUBIC).crop((4, 0, 12, 8))
    images = np.concatenate([part.images for part in dataset.parts])
    assert (images == np.asarray(square)).reshape(len(images), -1).all(axis=1).any()


def test_images_of_several_shapes_need_a_size(animals):
    fill(animals)
    picture(width=9, height=8).save(animals / "dog" / "3.png")
    message = (
        r"dog/3\.png: has 9 x 8 pixels, 0\.png 6 x 4\. Make all images alike, or let"
        r" size in the recipe's \[data\] table do so: size = 4"
    )
    with pytest.raises(DataError, match=message):
        load("folder", animals)
    assert load("folder", animals, size=4).shape == (4, 4, 3)


def test_a_size_that_is_not_positive_is_refused(animals):
    with pytest.raises(OptionError, match=r"size: cannot be 0\. Choose 1 or more"):
        load("folder", animals, size=0)


def test_truncated_images_are_refused(animals):
    fill(animals, ending="jpg", width=60, height=40)
    path = animals / "dog" / "2.jpg"
    path.write_bytes(path.read_bytes()[:-500])
    for size in (None, 8):
        with pytest.raises(DataError, match=r"dog/2\.jpg: cannot be decoded: .*trunc"):
            load("folder", animals, size=size)


@pytest.mark.parametrize(
    "content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)]
)
def test_files_that_are_no_images_are_refused(animals, content):
    fill(animals)
    (animals / "cat" / "4.png").write_bytes(content)
    message = r"cat/4\.png: cannot be decoded: .*Replace the file, or remove it"
    with pytest.raises(DataError, match=message):
        load("folder", animals)


def test_images_of_more_than_8_bits_are_refused(animals):
    fill(animals)
    deep = Image.fromarray(np.full((4, 6), 999, np.uint16))
    deep.save(animals / "dog" / "0.png")
    message = r"dog/0\.png: has more than 8 bits a level \(mode I;16\)\. Save it with 8"
    with pytest.raises(DataError, match=message):
        load("folder", animals)


def test_parts_with_other_classes_are_refused(animals):
    fill(animals / "train", classes=("cat", "dog"))
    fill(animals / "test", classes=("cat", "dog", "eel"))
    with pytest.raises(DataError, match="a class eel in only one of train and test"):
        load("folder", animals)


@pytest.mark.parametrize(("there", "lacking"), [("train", "test"), ("test", "train")])
def test_a_part_without_the_others_is_refused(animals, there, lacking):
    fill(animals / there)
    fill(animals / "val")
    message = rf"has a folder \w+, but none named {lacking}\. Put the images into train"
    with pytest.raises(DataError, match=message):
        load("folder", animals)


def test_folders_without_images_are_refused(animals, monkeypatch):
    monkeypatch.delenv("HWGQ_DATA", raising=False)
    with pytest.raises(
        DataError, match=r"no folder is named\. Name the folder: --data"
    ):
        load("folder")
    with pytest.raises(DataError, match=r"animals: is no folder of images: .*No such"):
        load("folder", animals)
    animals.mkdir()
    with pytest.raises(
        DataError, match=r"is no folder of images: .* Make a folder for"
    ):
        load("folder", animals)
    fill(animals)
    (animals / "empty").mkdir()
    with pytest.raises(DataError, match="no valid file for the classes empty"):
        load("folder", animals)


@pytest.mark.parametrize("codec", ["jpeg", "webp"])
def test_a_file_of_encoded_images_is_decoded_to_one_that_is_read(
    tmp_path, monkeypatch, codec
):
    pictures = [picture() for _ in range(20)]
    encoded = []
    for image in pictures:
        buffer = io.BytesIO()
        image.save(buffer, codec, lossless=True)
        encoded.append(buffer.getvalue())
    arrays = {
        codec: np.frombuffer(b"".join(encoded), np.uint8),
        "offset": np.cumsum([0, *map(len, encoded)]),
        "label": np.arange(20) % 2,
    }
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    parts = ("train", "test")
    np.savez(source, **{f"{p}_{key}": arrays[key] for p in parts for key in arrays})
    monkeypatch.setattr(sys, "argv", ["", str(source), str(target)])
    decode_images.main()
    dataset = load("npz", target)
    assert (dataset.shape, len(dataset.test)) == ((4, 6, 3), 20)
    if codec == "webp":
        assert np.array_equal(dataset.test.images, np.stack(pictures))
