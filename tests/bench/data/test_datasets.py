"""Every data set, and what is said of a damaged one."""

import gzip
import hashlib
import importlib
import os
import re
import struct
import tracemalloc
import zipfile
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from gmvae.bench.data.readers.idx_file import read_idx

from gmvae.bench import data as datasets
from gmvae.bench.data import arcs, mnist
from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk.errors import DataError
from gmvae.bench.runs import environment


def idx_bytes(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A data set in MNIST's format with 20 + 10 images, known to no checksum."""
    random = np.random.default_rng(0)
    sizes = {"train": 20, "t10k": 10}
    arrays = {}
    for split, n in sizes.items():
        arrays[f"{split}-images-idx3-ubyte"] = random.integers(0, 256, (n, 28, 28))
        arrays[f"{split}-labels-idx1-ubyte"] = random.integers(0, 10, n)
    files = {
        name: replace(getattr(mnist.SOURCE, name), content_sha256=None, shape=None)
        for name in ("train_images", "train_labels", "test_images", "test_labels")
    }
    monkeypatch.setattr(mnist, "SOURCE", replace(mnist.SOURCE, **files))
    monkeypatch.setenv("GMVAE_DATA_DIR", str(tmp_path))
    return tmp_path, arrays


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw"])
def test_local_files_in_either_layout_plain_or_packed(small_mnist, folder, packed):
    root, arrays = small_mnist
    (root / folder).mkdir(parents=True)
    for name, array in arrays.items():
        content = idx_bytes(array)
        path = root / folder / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)
    data = datasets.load("mnist")
    np.testing.assert_array_equal(data.train.images, arrays["train-images-idx3-ubyte"])
    np.testing.assert_array_equal(data.test.labels, arrays["t10k-labels-idx1-ubyte"])
    assert data.train.images.dtype == np.uint8


@pytest.mark.skipif("GMVAE_DATA_DIR" not in os.environ, reason="GMVAE_DATA_DIR is not set")
def test_the_real_mnist():
    data = datasets.load("mnist")
    assert data.train.images.shape == (60_000, 28, 28)
    assert data.test.images.shape == (10_000, 28, 28)
    assert list(np.bincount(data.test.labels))[:3] == [980, 1135, 1032]


@pytest.mark.parametrize(
    ("n_images", "message"),
    [
        (60_000, r"wrong content: SHA-256 \(decompressed\) should be ba89\w+, but is \w+; replace"),
        (
            20,
            r"its shape should be \(60000, 28, 28\), but its header declares \(20, 28, 28\); repl",
        ),
    ],
)
def test_checksums_and_shapes_guard_the_real_mnist(small_mnist, monkeypatch, n_images, message):
    root, arrays = small_mnist
    monkeypatch.undo()
    monkeypatch.setenv("GMVAE_DATA_DIR", str(root))
    (root / "mnist").mkdir()
    arrays["train-images-idx3-ubyte"] = np.zeros((n_images, 28, 28), np.uint8)
    for name, array in arrays.items():
        (root / "mnist" / name).write_bytes(idx_bytes(array))
    with pytest.raises(DataError, match=message):
        datasets.load("mnist")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_known_data_sets_are_known_by_shape_and_checksum(name):
    source = importlib.import_module(f"gmvae.bench.data.{name}").SOURCE
    assert source.train_images.shape == (60_000, 28, 28)
    assert source.test_labels.shape == (10_000,)
    files = (source.train_images, source.train_labels, source.test_images, source.test_labels)
    assert all(len(file.content_sha256) == 64 for file in files)


def test_missing_data_without_network(tmp_path, monkeypatch):
    """Each mirror is tried, and the message says what to do instead."""
    import pooch
    import requests

    asked = []

    def refuse(url, **options):
        asked.append(url)
        raise requests.ConnectionError("no network")

    monkeypatch.setattr(pooch, "retrieve", refuse)
    monkeypatch.setenv("GMVAE_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError) as caught:
        datasets.load("mnist")
    message = str(caught.value)
    assert len(asked) == len(mnist.SOURCE.mirrors) >= 2
    assert "'mnist' is not on this machine and cannot be downloaded" in message
    assert str(tmp_path / "mnist") in message
    assert "no network" in message
    assert "GMVAE_DATA_DIR=FOLDER" in message
    assert "mnist5k" in message
    assert len(message.splitlines()) < 12


def test_a_data_folder_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("GMVAE_DATA_DIR", "/nowhere/at/all")
    with pytest.raises(DataError, match="is /nowhere/at/all, which is no folder; correct it"):
        datasets.load("fashion_mnist")


def test_download_goes_on_to_the_next_mirror(tmp_path, monkeypatch, small_mnist):
    import pooch
    import requests

    _, arrays = small_mnist
    asked = []

    def retrieve(url, known_hash, fname, path, downloader):
        asked.append((url, known_hash))
        if url.startswith(mnist.SOURCE.mirrors[0]):
            raise requests.ConnectionError("down")
        target = tmp_path / fname
        target.write_bytes(gzip.compress(idx_bytes(arrays[fname.removesuffix(".gz")])))
        return str(target)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    data = datasets.load("mnist")
    assert len(data.train.images) == 20
    assert len(asked) == 8
    assert all(known.startswith("sha256:") for _, known in asked)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[: len(b) // 2], r"header declares 15,680 bytes.*but (only|the whole file)"),
        (lambda b: b + b"x", "but more follow"),
        (lambda b: b"", "begins with nothing"),
        (lambda b: b[:7], "ends within its header"),
        (lambda b: b"PK\x03\x04" + b, "begins with 50 4b 03 04"),
        (lambda b: b"\0\0\x08\xff" + b, "declares 255 axes: images have 3 and labels 1"),
        (lambda b: struct.pack(">BBBB2I", 0, 0, 8, 2, 0, 28), "declares 0 bytes.*nothing to read"),
        (
            lambda b: struct.pack(">BBBB1I", 0, 0, 8, 1, 2**29),
            "but the whole file has only [0-9]+;",
        ),
        (lambda b: struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**10, 2**10), "too many"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_damaged_idx_files(tmp_path, damage, message, packed):
    content = damage(idx_bytes(np.zeros((20, 28, 28))))
    path = tmp_path / ("images.gz" if packed else "images")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
    assert "replace the file" in str(caught.value)


def flipped(content, place):
    damaged = bytearray(content)
    damaged[place] ^= 0xFF
    return bytes(damaged)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda packed: packed[: len(packed) // 2], "ended before the end-of-stream marker"),
        (lambda packed: flipped(packed, len(packed) // 2), "CRC check failed"),
        (lambda packed: flipped(packed, -8), "CRC check failed"),
        (lambda packed: flipped(packed, -1), "Incorrect length of data"),
        (lambda packed: packed + b"more", "Not a gzipped file"),
    ],
)
def test_damaged_gzip(tmp_path, damage, message):
    path = tmp_path / "images.gz"
    packed = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (20, 28, 28))))
    path.write_bytes(damage(packed))
    with pytest.raises(DataError, match=rf"images\.gz cannot be read.*{message}") as caught:
        read_idx(path)
    assert "replace the file" in str(caught.value)


@contextmanager
def memory_below(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("declared", "shape", "message"),
    [
        (100, None, "declares 100 bytes of data.*more follow; replace"),
        (2**26, (100,), r"its shape should be \(100,\), but its header declares \(67108864,\)"),
        (2**31 - 1, None, "declares 2,147,483,647 bytes of data.*too many"),
    ],
)
def test_a_small_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path, declared, shape, message):
    path = tmp_path / "images.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">BBBB1I", 0, 0, 8, 1, declared))
        for _ in range(64):
            file.write(bytes(1 << 20))
    with memory_below(1 << 20), pytest.raises(DataError, match=message):
        read_idx(path, shape=shape)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_an_idx_file_takes_no_more_memory_than_its_array(tmp_path, name):
    images = np.random.default_rng(0).integers(0, 256, (5000, 28, 28), np.uint8)
    content = idx_bytes(images)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    sha256 = hashlib.sha256(content).hexdigest()
    del content
    with memory_below(images.nbytes + (1 << 20)):
        found = read_idx(tmp_path / name, sha256, images.shape)
    np.testing.assert_array_equal(found, images)


def test_images_and_labels_of_different_length(small_mnist):
    root, arrays = small_mnist
    (root / "mnist").mkdir()
    arrays["train-labels-idx1-ubyte"] = np.zeros(19)
    for name, array in arrays.items():
        (root / "mnist" / name).write_bytes(idx_bytes(array))
    with pytest.raises(DataError, match="do not belong together"):
        datasets.load("mnist")


def test_mnist5k_and_digits_are_split_with_the_same_share_of_each_class():
    for name, n_train, n_test in (("mnist5k", 4000, 1000), ("digits", 1437, 360)):
        data = datasets.load(name)
        assert data.train.images.dtype == np.uint8
        assert data.train.images.max() == 255
        assert (len(data.train.images), len(data.test.images)) == (n_train, n_test)
        shares = [np.bincount(part.labels) / len(part.labels) for part in (data.train, data.test)]
        np.testing.assert_allclose(*shares, atol=0.003)
        order = data.train.labels
        assert np.mean(order[1:] == order[:-1]) < 0.2, "the order should not tell the labels"
        again = datasets.load(name)
        np.testing.assert_array_equal(again.test.images, data.test.images)


def test_no_digit_is_in_both_splits():
    data = datasets.load("mnist5k")
    train = {image.tobytes() for image in data.train.images}
    assert not any(image.tobytes() in train for image in data.test.images)


def test_arcs_lie_on_five_circles():
    data = datasets.load("arcs")
    assert data.train.images.shape == (10_000, 2)
    assert data.train.images.dtype == np.float32
    assert list(np.bincount(data.train.labels)) == [2000] * 5
    for arc in range(5):
        points = data.train.images[data.train.labels == arc]
        centre = arcs.CENTRE_DISTANCE * arcs.unit(np.array(2 * np.pi * arc / 5))
        radii = np.linalg.norm(points - centre, axis=1)
        assert radii.mean() == pytest.approx(arcs.RADIUS, abs=0.01)
        assert radii.std() == pytest.approx(arcs.NOISE, rel=0.1)


def test_unknown_name():
    with pytest.raises(DataError, match="unknown data set 'mnits'; choose one of: arcs, digits"):
        datasets.load("mnits")


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("names", [("images", "labels"), ("X", "y")])
def test_npz_of_a_user(tmp_path, names):
    random = np.random.default_rng(0)
    images = random.random((50, 4, 3))
    labels = np.array(["cat", "dog"])[np.arange(50) % 2]
    path = save(tmp_path / "mine.npz", **{names[0]: images, names[1]: labels})
    data = datasets.load("mine", npz=path)
    assert data.train.images.shape == (40, 4, 3)
    assert data.train.images.dtype == np.float32
    assert list(np.bincount(data.test.labels)) == [5, 5]
    unlabelled = datasets.load("mine", npz=save(tmp_path / "b.npz", X=images))
    assert unlabelled.train.labels is None


def test_npz_with_its_own_test_split(tmp_path):
    path = save(
        tmp_path / "mine.npz",
        X=np.zeros((20, 2)),
        y=np.repeat([5, 7], 10),
        X_test=np.ones((10, 2)),
        y_test=np.full(10, 7),
    )
    data = datasets.load("mine", npz=path)
    assert len(data.train.images) == 20
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
            "has labels for one of its two splits alone; give 'labels' and 'labels_test'",
        ),
        ({"X": np.array([{}] * 20)}, "without unpickling"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path, arrays, message):
    path = save(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("mine", npz=path)
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
        datasets.load("mine", npz=path)
    assert str(path) in str(caught.value)


def test_npz_that_inflates_to_more_than_it_declares_or_has_room_for(tmp_path):
    bomb = npy((20, 2), body=bytes(1 << 26))
    path = pack(tmp_path / "mine.npz", ("X.npy", bomb), method=zipfile.ZIP_DEFLATED)
    del bomb
    with memory_below(1 << 20), pytest.raises(DataError, match=r"declares 160 bytes.*67,1\d\d"):
        datasets.load("mine", npz=path)
    # Header and directory agree on half a gigabyte that the file cannot hold.
    path = pack(tmp_path / "b.npz", ("X.npy", npy((1 << 26, 2))))
    size = len(npy((1 << 26, 2)))
    forged = path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", size + (1 << 29)))
    path.write_bytes(forged)
    with memory_below(1 << 20), pytest.raises(DataError, match="damaged: its header declares"):
        datasets.load("mine", npz=path)


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
        datasets.load("mine", npz=path)
    assert str(path) in str(caught.value)


def flag(content, offset, value):
    """Change one byte of the entry in the archive's directory."""
    place = content.index(b"PK\x01\x02") + offset
    return content[:place] + bytes([value]) + content[place + 1 :]


def test_npz_with_two_arrays_of_one_name(tmp_path):
    path = pack(tmp_path / "mine.npz", ("X.npy", GOOD), ("X", GOOD))
    with pytest.raises(DataError, match="holds 'X' twice; write it with"):
        datasets.load("mine", npz=path)


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
    data = datasets.load("mine", npz=tmp_path / "mine.npz")
    np.testing.assert_array_equal(data.train.images, images.astype(data.train.images.dtype))
    assert data.test.images.dtype == (np.uint8 if dtype == "u1" else np.float32)
    np.testing.assert_array_equal(data.train.labels, labels)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", "u1"])
def test_npz_takes_no_more_than_twice_the_memory_of_its_arrays(tmp_path, dtype):
    images = np.random.default_rng(0).random((4000, 784)) * (255 if dtype == "u1" else 1)
    images = images.astype(dtype)
    path = save(tmp_path / "mine.npz", X=images, y=np.arange(4000) % 10)
    datasets.load("mine", npz=path)  # imports scikit-learn
    declared = images.size * max(4, images.itemsize) if dtype != "u1" else images.size
    with memory_below(2 * declared + (1 << 20)):
        datasets.load("mine", npz=path)


def test_real_vectors_are_any_finite_values_and_other_arrays_are_not_read(tmp_path):
    vectors = np.random.default_rng(0).standard_normal((30, 3)) * 100
    path = save(tmp_path / "mine.npz", X=vectors, X_test=vectors, other=np.array([{}]))
    data = datasets.load("mine", npz=path)
    np.testing.assert_array_equal(data.train.images, vectors.astype(np.float32))


def test_labels_that_are_no_characters(tmp_path):
    labels = np.full(20, 0x110000, np.uint32).view("<U1")
    path = save(tmp_path / "mine.npz", X=np.zeros((20, 2)), y=labels)
    with pytest.raises(DataError, match="the labels hold text that is not Unicode; write"):
        datasets.load("mine", npz=path)


def test_npz_that_is_not_there(tmp_path):
    for path in (tmp_path / "no.npz", tmp_path, tmp_path / ("a" * 5000)):
        message = rf"{re.escape(str(path))} does not exist; give the path of an \.npz file"
        with pytest.raises(DataError, match=message):
            datasets.load("mine", npz=path)


def test_prepared_files_keep_images_and_labels_apart(tmp_path):
    line = prepare("digits", None, tmp_path)
    assert line == "digits: 1,437 training and 360 test samples of 8x8, uint8"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "data.sha256",
        "test-images.npy",
        "test-labels.npy",
        "train-images.npy",
        "train-labels.npy",
    ]
    assert np.load(tmp_path / "train-images.npy").dtype == np.uint8


def test_data_folder_of_the_environment_comes_first(monkeypatch):
    monkeypatch.setenv(environment.DATA_DIR_VARIABLE, "/somewhere")
    assert str(mnist.SOURCE.candidates()[0]) == "/somewhere/mnist"
