"""A user's own data in an .npz file: every form that numpy writes, and damaged files."""

import re
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager

import numpy as np
import pytest

from gmvae.bench import data as datasets
from gmvae.bench.disk.errors import DataError


def flipped(content, place):
    damaged = bytearray(content)
    damaged[place] ^= 0xFF
    return bytes(damaged)


@contextmanager
def memory_below(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("names", [("images", "labels"), ("X", "y")])
def test_npz_of_a_user(tmp_path, names):
    random = np.random.default_rng(0)
    images = random.random((50, 4, 3))
    labels = np.array(["cat", "dog"])[np.arange(50) % 2]
    path = save(tmp_path / "mine.npz", **{names[0]: images, names[1]: labels})
    data = datasets.load("mine", {"npz": path})
    assert data.train.images.shape == (40, 4, 3)
    assert data.train.images.dtype == np.float32
    assert list(np.bincount(data.test.labels)) == [5, 5]
    assert list(data.class_names) == ["cat", "dog"]
    unlabelled = datasets.load("mine", {"npz": save(tmp_path / "b.npz", X=images)})
    assert unlabelled.train.labels is None
    assert list(unlabelled.class_names) == []


def test_npz_with_its_own_test_split(tmp_path):
    path = save(
        tmp_path / "mine.npz",
        X=np.zeros((20, 2)),
        y=np.repeat([5, 7], 10),
        X_test=np.ones((10, 2)),
        y_test=np.full(10, 7),
    )
    data = datasets.load("mine", {"npz": path})
    assert len(data.train.images) == 20
    assert list(data.class_names) == ["5", "7"]
    assert set(data.test.labels) == {1}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"Z": np.zeros((20, 2))}, "no array named 'images' or 'X'; it holds: Z"),
        ({}, "no array named 'images' or 'X'; it holds: nothing"),
        ({"X": np.zeros((20, 2), int)}, "should be uint8.*but is int64"),
        ({"X": np.zeros((20, 2), complex)}, "should be uint8.*but is complex128; convert it"),
        ({"X": np.full((20, 2), "a")}, "should be uint8.*but is <U1"),
        ({"X": np.zeros((20, 2), "f4,f4")}, "should be uint8.*but is .*'<f4'"),
        ({"X": np.ones((20, 2), np.uint8)}, r"holds nothing above 1; .*astype\('float32'\)"),
        ({"X": np.zeros(20)}, r"should have the shape \(samples, ...\).*but has \(20,\)"),
        ({"X": np.zeros((3, 2))}, "at least 10 samples"),
        ({"X": np.zeros((0, 2))}, r"at least 10 samples, but has \(0, 2\)"),
        ({"X": np.zeros((20, 0))}, r"at least 10 samples, but has \(20, 0\)"),
        ({"X": np.full((20, 2), np.nan)}, "NaN or infinite.*remove or replace those samples"),
        ({"X": np.full((20, 2), np.inf)}, "NaN or infinite"),
        ({"X": np.full((20, 2), -np.inf, np.float16)}, "NaN or infinite"),
        (
            {"X": np.arange(80.0).reshape(20, 2, 2)},
            r"shape of images, \(20, 2, 2\), whose.* from 0 to 1, but are from 0 to 79; scale them",
        ),
        (
            {"X": np.full((20, 2, 2), -0.1)},
            r"from -0.1 to -0.1; .*with \.astype\('uint8'\), or give",
        ),
        ({"X": np.full((20, 2), 1e300)}, "NaN or infinite"),
        ({"X": np.zeros((20, 2)), "y": np.zeros(19, int)}, "one integer or string for each"),
        ({"X": np.zeros((20, 2)), "y": np.zeros(20)}, "type float64"),
        (
            {"X": np.zeros((20, 2)), "y": np.full(20, 7)},
            "all 20 labels are 7, but .*give labels of two or more classes, or leave them out",
        ),
        ({"X": np.zeros((20, 2)), "y": np.full(20, "cat")}, "all 20 labels are 'cat'"),
        (
            {
                **{"X": np.zeros((20, 2)), "y": np.full(20, 7)},
                **{"X_test": np.zeros((10, 2)), "y_test": np.full(10, 7)},
            },
            "all 30 labels are 7",
        ),
        (
            {
                **{"X": np.zeros((20, 2)), "y": np.full(20, 7)},
                **{"X_test": np.zeros((10, 2)), "y_test": np.full(10, "7")},
            },
            "labels of both splits should be of one kind, but are int64 and <U1",
        ),
        ({"X": np.zeros((20, 2)), "X_test": np.zeros((20, 3))}, "shape and type of the training"),
        (
            {"X": np.zeros((20, 2)), "y": np.arange(20), "X_test": np.zeros((20, 2))},
            "has labels for only one of its two splits; give 'labels' and 'labels_test'",
        ),
        ({"X": np.array([{}] * 20)}, "without unpickling"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path, arrays, message):
    path = save(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("mine", {"npz": path})
    assert str(path) in str(caught.value)


def npy(shape, dtype="<f4", body=b"", version=b"\x01\x00"):
    text = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + body


def pack(path, *members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


GOOD = npy((20, 2), body=bytes(160))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            npy((10**12, 28, 28)),
            "declares 3,136,000,000,000,000 bytes of data.*at most 4,294,967,296",
        ),
        (npy((10**15, 2)), "'X' is damaged: its header declares an impossible shape"),
        (npy((20, -2)), "declares an impossible shape"),
        (npy((20, 3), body=bytes(160)), r"declares 240 bytes \(shape \(20, 3\).*there are 160"),
        (npy((20, 1), body=bytes(160)), r"declares 80 bytes .*there are 160"),
        (npy((20, 2), "|O", bytes(160)), "holds Python objects and cannot be read without unpickl"),
        (npy((20, 2), version=b"\x02\x00")[:8] + b"\xff" * 9, "declares a length of 4,294,967,295"),
        (npy((20, 2), version=b"\x07\x00"), r"its format is \(7, 0\), known are"),
        (b"", "'X' cannot be read as .npz"),
        (b"no array", "magic string is not correct"),
        (npy("[" * 500), "cannot be read as .npz"),
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_npz_whose_header_is_not_true(tmp_path, content, message, method):
    path = pack(tmp_path / "mine.npz", ("X.npy", content), method=method)
    with memory_below(1 << 20), pytest.raises(DataError, match=message) as caught:
        datasets.load("mine", {"npz": path})
    assert str(path) in str(caught.value)


def test_npz_that_inflates_to_more_than_it_declares_or_has_room_for(tmp_path):
    bomb = npy((20, 2), body=bytes(1 << 26))
    path = pack(tmp_path / "mine.npz", ("X.npy", bomb), method=zipfile.ZIP_DEFLATED)
    del bomb
    with memory_below(1 << 20), pytest.raises(DataError, match=r"declares 160 bytes.*67,1\d\d"):
        datasets.load("mine", {"npz": path})
    # Header and directory agree on half a gigabyte that the file cannot hold.
    path = pack(tmp_path / "b.npz", ("X.npy", npy((1 << 26, 2))))
    size = len(npy((1 << 26, 2)))
    forged = path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", size + (1 << 29)))
    path.write_bytes(forged)
    with memory_below(1 << 20), pytest.raises(DataError, match="damaged: its header declares"):
        datasets.load("mine", {"npz": path})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[: len(b) // 2], "cannot be read as .npz .*not a zip file"),
        (lambda b: b[:-1], "cannot be read as .npz"),
        (lambda b: flipped(b, b.index(b"NUMPY") + 200), "'X' cannot be read as .npz .Bad CRC-32"),
        (lambda b: b.replace(b"PK\x03\x04", b"PK\x03\x05"), "Bad magic number"),
        (lambda b: flag(b, 8, 1), "'X' is encrypted; write it with numpy.savez"),
        (lambda b: flag(b, 10, 12), "'X' is compressed by method 12, but only what numpy.savez"),
        (lambda b: b"nothing", "cannot be read as"),
        (lambda b: b"", "cannot be read as"),
    ],
)
def test_damaged_npz(tmp_path, damage, message):
    path = pack(tmp_path / "mine.npz", ("X.npy", GOOD))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("mine", {"npz": path})
    assert str(path) in str(caught.value)


def flag(content, offset, value):
    """Change one byte of the entry in the archive's directory."""
    place = content.index(b"PK\x01\x02") + offset
    return content[:place] + bytes([value]) + content[place + 1 :]


def test_npz_with_two_arrays_of_one_name(tmp_path):
    path = pack(tmp_path / "mine.npz", ("X.npy", GOOD), ("X", GOOD))
    with pytest.raises(DataError, match="holds 'X' twice; write it with"):
        datasets.load("mine", {"npz": path})


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", ">f8", "g", "u1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_in_every_form_that_numpy_writes(tmp_path, save_as, dtype, order):
    images = np.random.default_rng(0).integers(0, 255, (30, 4, 3))
    images = images / 255 if dtype != "u1" else images
    images = np.asarray(images, dtype=dtype, order=order)
    labels = np.arange(30, dtype=">i2") % 2
    test = {"images_test": images, "labels_test": labels}
    save_as(tmp_path / "mine.npz", images=images, labels=labels, **test)
    data = datasets.load("mine", {"npz": tmp_path / "mine.npz"})
    np.testing.assert_array_equal(data.train.images, images.astype(data.train.images.dtype))
    assert data.test.images.dtype == (np.uint8 if dtype == "u1" else np.float32)
    np.testing.assert_array_equal(data.train.labels, labels)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "u1"])
def test_npz_takes_no_more_than_twice_the_memory_of_its_arrays(tmp_path, dtype):
    images = np.random.default_rng(0).random((4000, 784)) * (255 if dtype == "u1" else 1)
    images = images.astype(dtype)
    path = save(tmp_path / "mine.npz", X=images, y=np.arange(4000) % 10)
    datasets.load("mine", {"npz": path})  # imports scikit-learn
    declared = images.size * max(4, images.itemsize) if dtype != "u1" else images.size
    with memory_below(2 * declared + (1 << 20)):
        datasets.load("mine", {"npz": path})


def test_real_vectors_are_any_finite_values_and_other_arrays_are_not_read(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((30, 3)) * 100
    path = save(tmp_path / "mine.npz", X=vectors, X_test=vectors, other=np.array([{}]))
    data = datasets.load("mine", {"npz": path})
    np.testing.assert_array_equal(data.train.images, vectors.astype(np.float32))


def test_labels_that_are_no_characters(tmp_path):
    labels = np.full(20, 0x110000, np.uint32).view("<U1")
    path = save(tmp_path / "mine.npz", X=np.zeros((20, 2)), y=labels)
    with pytest.raises(DataError, match="the labels hold text that is not Unicode; write"):
        datasets.load("mine", {"npz": path})


def test_npz_that_is_not_there(tmp_path):
    for path in (tmp_path / "no.npz", tmp_path, tmp_path / ("a" * 5000)):
        message = rf"{re.escape(str(path))} does not exist; give the path of an \.npz file"
        with pytest.raises(DataError, match=message):
            datasets.load("mine", {"npz": path})
