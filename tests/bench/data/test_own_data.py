"""Data of a user: tables, folders of images, IDX files, and scaling."""

import gzip
import struct

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gmvae.bench import data as datasets
from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk.errors import DataError

RANDOM = np.random.default_rng(0)


def table(path, n=40, **columns):
    frame = pd.DataFrame(RANDOM.standard_normal((n, 2)), columns=["a", "b"])
    kinds = {"kind": np.array(["disc", "square"])[np.arange(n) % 2]}
    frame.assign(**{**kinds, **columns}).to_csv(path, index=False)
    return path


def test_a_table_with_a_column_of_labels(tmp_path):
    path = table(tmp_path / "mine.csv")
    data = datasets.load("mine", {"csv": path, "label": "kind"})
    assert data.train.images.shape == (32, 2)
    assert data.train.images.dtype == np.float32
    assert list(data.class_names) == ["disc", "square"]
    assert list(np.bincount(data.test.labels)) == [4, 4]
    frame = pd.read_csv(path)
    rows = {tuple(row): kind for *row, kind in frame.astype({"a": "f4", "b": "f4"}).to_numpy()}
    for sample, label in zip(data.train.images, data.train.labels, strict=True):
        assert rows[tuple(sample.tolist())] == data.class_names[label]


def test_a_table_with_a_test_part_and_without_labels(tmp_path):
    first, second = table(tmp_path / "a.csv", kind=1.5), table(tmp_path / "b.csv", 12, kind=2.5)
    data = datasets.load("mine", {"csv": first, "test": second})
    assert (data.train.images.shape, data.test.images.shape) == ((40, 3), (12, 3))
    assert data.train.labels is None
    with_labels = datasets.load("mine", {"csv": first, "test": second, "label": "kind"})
    assert (set(with_labels.train.labels), set(with_labels.test.labels)) == ({0}, {1})
    assert list(with_labels.class_names) == ["1.5", "2.5"]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {},
            {"label": "kin"},
            r"no column 'kin' \(did you mean 'kind'\?\); its columns are 'a', 'b'",
        ),
        ({}, {}, r"should hold numbers, but 'kind' do not \(in 'kind', for example, \['disc'\]\)"),
        ({"a": [np.nan, *range(39)]}, {"label": "kind"}, "row 1, column 'a', is missing"),
        ({"a": [1e60, *range(39)]}, {"label": "kind"}, "row 1, column 'a', is missing or not fin"),
        ({"kind": "disc"}, {"label": "kind"}, "all labels are 'disc'"),
        ({"kind": [None, *"ab" * 19, "a"]}, {"label": "kind"}, "the label in row 1 is missing"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, columns, options, message):
    path = table(tmp_path / "mine.csv", **columns)
    with pytest.raises(DataError, match=message):
        datasets.load("mine", {"csv": path, **options})


def test_classes_are_text_as_it_is_written(tmp_path):
    first = table(tmp_path / "a.csv", kind=["NA", "None"] * 20)
    data = datasets.load("mine", {"csv": first, "label": "kind"})
    assert list(data.class_names) == ["NA", "None"]
    numbers = table(tmp_path / "b.csv", kind=[0, 10, 2, 2] * 10)
    text = table(tmp_path / "c.csv", kind=["0", "x", "2", "2"] * 10)
    data = datasets.load("mine", {"csv": numbers, "test": text, "label": "kind"})
    assert list(data.class_names) == ["0", "10", "2", "x"]
    assert data.train.labels[0] == data.test.labels[0] == 0
    only_numbers = datasets.load("mine", {"csv": numbers, "label": "kind"})
    assert list(only_numbers.class_names) == ["0", "2", "10"]


def test_damaged_and_different_tables(tmp_path):
    path = table(tmp_path / "mine.csv")
    with pytest.raises(DataError, match="at least 10 rows, but has 3"):
        datasets.load("mine", {"csv": table(tmp_path / "few.csv", 3), "label": "kind"})
    (tmp_path / "other.csv").write_text("a;b\n" + "1;2\n" * 12)
    with pytest.raises(DataError, match=r"should have commas .* but its first line is 'a;b'"):
        datasets.load("mine", {"csv": tmp_path / "other.csv"})
    (tmp_path / "texts.csv").write_text("a;kind\n" + "1;one, of two\n" * 6 + "2;x, y, z\n" * 6)
    with pytest.raises(DataError, match=r"should have commas .*read_csv\('texts\.csv', sep=';'\)"):
        datasets.load("mine", {"csv": tmp_path / "texts.csv", "label": "kind"})
    (tmp_path / "comma.csv").write_text("a;b\n" + "1,5;2,5\n" * 12)
    with pytest.raises(DataError, match=r"sep=';', decimal=','\)"):
        datasets.load("mine", {"csv": tmp_path / "comma.csv"})
    (tmp_path / "index.csv").write_text(",a,b\n" + "1,2,3\n" * 12)
    with pytest.raises(DataError, match=r"first column without a name, as pandas writes its index"):
        datasets.load("mine", {"csv": tmp_path / "index.csv"})
    with gzip.open(tmp_path / "other.csv.gz", "wt") as file:
        file.write("a;b\n" + "1;2\n" * 12)
    with pytest.raises(DataError, match=r"should have commas .* but its first line is 'a;b'"):
        datasets.load("mine", {"csv": tmp_path / "other.csv.gz"})
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00\x01" * 9)
    with pytest.raises(DataError, match=r"bad\.csv cannot be read as a table"):
        datasets.load("mine", {"csv": tmp_path / "bad.csv"})
    other = table(tmp_path / "other.csv", c=1)
    with pytest.raises(DataError, match=r"should have the columns of .*'kind', but has .*'c'"):
        datasets.load("mine", {"csv": path, "test": other, "label": "kind"})


def pictures(folder, classes=("disc", "square"), n=8, size=(24, 40), mode="RGB"):
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(n):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
            image = Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


def test_a_table_needs_names(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("1,2\n" * 30)
    with pytest.raises(DataError, match="should have the names of its columns in the first line"):
        datasets.load("mine", {"csv": path})


def test_a_folder_of_classes(tmp_path):
    folder = pictures(tmp_path / "mine")
    data = datasets.load("mine", {"images": folder})
    assert data.train.images.shape == (13, 40, 24, 3)
    assert data.train.images.dtype == np.uint8
    assert list(data.class_names) == ["disc", "square"]
    first = np.asarray(Image.open(folder / "square" / "0.png"))
    samples, labels = (
        np.concatenate([getattr(split, name) for split in (data.train, data.test)])
        for name in ("images", "labels")
    )
    (place,) = np.flatnonzero((samples == first).all(axis=(1, 2, 3)))
    assert labels[place] == 1


def test_grey_images_resized_images_and_images_without_classes(tmp_path):
    grey = datasets.load("mine", {"images": pictures(tmp_path / "grey", mode="L")})
    assert grey.train.images.shape == (13, 40, 24)
    pictures(tmp_path / "grey", ["other"], size=(10, 10), mode="L")
    with pytest.raises(DataError, match=r"but .*other.* has 10x10 pixels .* 40x24; give"):
        datasets.load("mine", {"images": tmp_path / "grey"})
    smaller = datasets.load("mine", {"images": tmp_path / "grey", "resize": [12, 8]})
    assert smaller.train.images.shape[1:] == (12, 8)
    flat = datasets.load("mine", {"images": pictures(tmp_path / "flat", ["."], 12)})
    assert flat.train.labels is None
    own = {"images": pictures(tmp_path / "a"), "test": pictures(tmp_path / "b", n=5)}
    data = datasets.load("mine", own)
    assert (len(data.train.images), len(data.test.images)) == (16, 10)


def test_jpeg_files_by_either_ending(tmp_path):
    for number in range(12):
        image = Image.new("L", (6, 4), 20 * number)
        ending = ("jpg", "JPEG")[number % 2]
        (tmp_path / "abc"[number % 3]).mkdir(exist_ok=True)
        image.save(tmp_path / "abc"[number % 3] / f"{number}.{ending}")
    data = datasets.load("mine", {"images": tmp_path})
    assert data.train.images.shape == (10, 4, 6)
    means = np.concatenate([data.train.images, data.test.images]).mean(axis=(1, 2))
    np.testing.assert_allclose(sorted(means), np.arange(12) * 20, atol=2)


def test_deep_transparent_and_indexed_images(tmp_path):
    def saved(image):
        for number in range(12):
            image.save(tmp_path / f"{number}.png")
        return datasets.load("mine", {"images": tmp_path}).train.images

    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    np.testing.assert_array_equal(saved(Image.fromarray(ramp))[0], ramp // 257)
    shape = np.zeros((8, 8, 4), np.uint8)  # black where it is not transparent
    shape[2:5, 2:5, 3] = 255
    expected = np.where(shape[..., 3] > 0, 0, 255)
    np.testing.assert_array_equal(saved(Image.fromarray(shape))[0], expected)
    grey = Image.fromarray(RANDOM.integers(0, 256, (8, 8), dtype=np.uint8))
    np.testing.assert_array_equal(saved(grey.convert("P"))[0], np.asarray(grey))


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(DataError, match=r"at least 10 images \(\.png, \.jpg, \.jpeg\).* but has 0"):
        datasets.load("mine", {"images": tmp_path})
    folder = pictures(tmp_path / "mine")
    (folder / "disc" / "9.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"9\.png cannot be read as an image"):
        datasets.load("mine", {"images": folder})
    one = pictures(tmp_path / "one", ["disc"], 12)
    with pytest.raises(DataError, match="the folder of one class, 'disc'"):
        datasets.load("mine", {"images": one})
    pictures(one, ["."], 3)
    with pytest.raises(DataError, match="both in folders of classes and beside them"):
        datasets.load("mine", {"images": one})


def idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(header + array.tobytes())


def test_a_folder_of_idx_files_named_like_emnist(tmp_path):
    images = RANDOM.integers(0, 256, (30, 5, 4), dtype=np.uint8)
    labels = (1 + np.arange(30) % 3).astype(np.uint8)
    for part, rows in (("train", slice(20)), ("test", slice(20, 30))):
        idx(tmp_path / f"emnist-letters-{part}-images-idx3-ubyte.gz", images[rows])
        idx(tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte", labels[rows])
    data = datasets.load("letters", {"idx": tmp_path})
    np.testing.assert_array_equal(data.train.images, images[:20])
    np.testing.assert_array_equal(data.test.labels, labels[20:] - 1)
    assert list(data.class_names) == ["1", "2", "3"]
    idx(tmp_path / "emnist-letters-train-images-idx3-ubyte", images[:20])
    assert len(datasets.load("letters", {"idx": tmp_path}).train.images) == 20, "packed, too"
    (tmp_path / "emnist-letters-train-images-idx3-ubyte").unlink()
    turned = datasets.load("letters", {"idx": tmp_path, "transpose": True})
    np.testing.assert_array_equal(turned.train.images[3], images[3].T)
    np.testing.assert_array_equal(turned.test.images[2], images[22].T)
    assert turned.train.images.flags.c_contiguous
    idx(tmp_path / "t10k-labels-idx1-ubyte", labels[20:])
    with pytest.raises(DataError, match=r"file like t10k-labels-idx1-ubyte\.gz, .* has emnist-"):
        datasets.load("letters", {"idx": tmp_path})


@pytest.mark.parametrize("how", ["standard", "minmax"])
def test_scaling_by_the_training_split(tmp_path, how):
    path = table(tmp_path / "mine.csv", 60, a=5.0, c=1e4 * RANDOM.random(60))
    plain = datasets.load("mine", {"csv": path, "label": "kind"})
    data = datasets.load("mine", {"csv": path, "label": "kind", "scale": how})
    train, test = data.train.images, data.test.images
    assert (train[:, 0] == 0).all(), "a value that does not vary"
    raw, raw_test = plain.train.images[:, 1:], plain.test.images[:, 1:]
    if how == "standard":
        np.testing.assert_allclose(train[:, 1:].std(axis=0), 1, rtol=1e-4)
        expected = (raw_test - raw.mean(axis=0)) / raw.std(axis=0)
    else:
        assert (train.min(), train.max()) == (0, 1)
        expected = ((raw_test - raw.min(axis=0)) / np.ptp(raw, axis=0)).clip(0, 1)
    np.testing.assert_allclose(test[:, 1:], expected, rtol=1e-3, atol=1e-4)


def test_bytes_are_not_scaled(tmp_path):
    folder = pictures(tmp_path / "mine")
    with pytest.raises(DataError, match="scale: standard is for real values, but these"):
        datasets.load("mine", {"images": folder, "scale": "standard"})


def test_prepared_data_know_their_classes(tmp_path):
    source = {"csv": str(table(tmp_path / "mine.csv")), "label": "kind"}
    prepare("mine", source, tmp_path / "data")
    assert (tmp_path / "data/classes.json").read_text().split() == ["[", '"disc",', '"square"', "]"]
