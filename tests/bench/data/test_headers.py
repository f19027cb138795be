"""Heads of data sets: they say what the whole will be, and much of what is wrong with it."""

import gzip
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gmvae.bench import data as datasets
from gmvae.bench.disk.errors import DataError

RANDOM = np.random.default_rng(0)


def table(path, n=40, **columns):
    frame = pd.DataFrame(RANDOM.standard_normal((n, 3)), columns=list("abc"))
    frame.assign(kind=np.arange(n) % 2, **columns).to_csv(path, index=False)
    return str(path)


def pictures(folder, n=12):
    folder.mkdir()
    for number in range(n):
        values = RANDOM.integers(0, 256, (9, 7), dtype=np.uint8)
        Image.fromarray(values).save(folder / f"{number}.png")
    return str(folder)


def idx(folder, n_labels=20):
    folder.mkdir()
    for name, shape in (
        ("train-images-idx3", (20, 5, 4)),
        ("train-labels-idx1", (n_labels,)),
        ("t10k-images-idx3", (10, 5, 4)),
        ("t10k-labels-idx1", (10,)),
    ):
        values = np.arange(np.prod(shape), dtype=np.uint8)
        with gzip.open(folder / f"{name}-ubyte.gz", "wb") as file:
            file.write(struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape))
            file.write(values.tobytes())
    return str(folder)


def npz(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    ("make", "are_images"),
    [
        (lambda p: {"csv": table(p / "a.csv"), "label": "kind"}, False),
        (lambda p: {"csv": table(p / "a.csv"), "test": table(p / "b.csv", 11)}, False),
        (lambda p: {"images": pictures(p / "a")}, True),
        (
            lambda p: {"images": pictures(p / "a"), "test": pictures(p / "b"), "resize": [3, 5]},
            True,
        ),
        (lambda p: {"idx": idx(p / "a")}, True),
        (lambda p: {"idx": idx(p / "a"), "transpose": True}, True),
        (lambda p: {"npz": npz(p / "a.npz", X=RANDOM.random((33, 4)))}, False),
        (lambda p: {"npz": npz(p / "a.npz", X=np.full((33, 4), 9, np.uint8))}, True),
        (
            lambda p: {
                "npz": npz(
                    p / "a.npz", X=RANDOM.random((33, 4, 5)), X_test=RANDOM.random((10, 4, 5))
                )
            },
            True,
        ),
    ],
)
def test_the_head_says_what_the_whole_is(tmp_path, make, are_images):
    source = make(tmp_path)
    header, data = datasets.header("mine", source), datasets.load("mine", source)
    assert (header.n_train, *header.shape) == data.train.images.shape
    assert header.are_images == are_images


@pytest.mark.parametrize("name", ["digits", "arcs", "mnist5k"])
def test_data_sets_of_the_package_say_it_themselves(name):
    header, data = datasets.header(name), datasets.load(name)
    assert (header.n_train, *header.shape) == data.train.images.shape
    assert header.are_images == (name != "arcs")


def test_mnist_says_it_without_a_file():
    assert datasets.header("mnist") == datasets.Header(60_000, (28, 28), are_images=True)


def test_data_that_are_known_only_after_reading():
    assert datasets.header("mine", {"openml": 7}) is None


def damaged(path):
    path.write_bytes(b"no such format")
    return str(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: {"csv": table(p / "a.csv"), "label": "kin"}, "no column 'kin' .did you mean"),
        (lambda p: {"csv": table(p / "a.csv", d="text")}, "should hold numbers, but 'd' do not"),
        (lambda p: {"csv": table(p / "a.csv", 5)}, "at least 10 rows, but has 5"),
        (
            lambda p: {"csv": table(p / "a.csv"), "test": table(p / "b.csv", d=1)},
            "should have the columns of",
        ),
        (lambda p: {"npz": damaged(p / "a.npz")}, "cannot be read as .npz"),
        (lambda p: {"npz": npz(p / "a.npz", Z=np.zeros(3))}, "no array named 'images' or 'X'"),
        (lambda p: {"images": pictures(p / "a", 4)}, "at least 10 images"),
        (
            lambda p: {"images": pictures(p / "a"), "x": damaged(p / "a" / "z.png")},
            r"z\.png cannot be read as an image",
        ),
        (
            lambda p: {"idx": idx(p / "a", n_labels=19)},
            "images and labels of 'train' do not belong",
        ),
        (
            lambda p: {"idx": idx(p / "a"), "x": damaged(p / "a" / "train-labels-idx1-ubyte")},
            "is not an IDX file of unsigned bytes",
        ),
    ],
)
def test_damage_that_the_head_shows(tmp_path, make, message):
    with pytest.raises(DataError, match=message) as caught:
        datasets.header("mine", make(tmp_path))
    assert len(str(caught.value).splitlines()) <= 3


def test_images_of_several_sizes_are_noticed_without_decoding(tmp_path, monkeypatch):
    folder = pictures(tmp_path / "a")
    Image.new("L", (8, 8)).save(tmp_path / "a" / "odd.png")

    def refuse(image):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    with pytest.raises(DataError, match=r"odd\.png has 8x8 pixels and most have 9x7"):
        datasets.header("mine", {"images": folder})
    assert datasets.header("mine", {"images": folder, "resize": [5, 5]}).shape == (5, 5)
