"""IDX files: local folders, mirrors, checksums, damaged files."""

import gzip
import hashlib
import importlib
import os
import struct
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from gmvae.bench import data as datasets
from gmvae.bench.data import mnist
from gmvae.bench.data.readers import DATA_DIR_VARIABLE
from gmvae.bench.data.readers.formats.idx import read_idx
from gmvae.bench.disk.errors import DataError


def idx_bytes(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """A data set in MNIST's format with 20 + 10 images and no checksums."""
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
    with pytest.raises(DataError, match="is /nowhere/at/all, which is not a folder; correct it"):
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
        (
            lambda b: b"\0\0\x08\xff" + b,
            "declares 255 axes, but at most 8 are read",
        ),
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


def test_data_folder_of_the_environment_comes_first(monkeypatch):
    monkeypatch.setenv(DATA_DIR_VARIABLE, "/somewhere")
    assert str(mnist.SOURCE.candidates()[0]) == "/somewhere/mnist"
