"""Every data set, and what is said of a damaged one."""

import gzip
import os
import struct
from dataclasses import replace

import numpy as np
import pytest

from gmvae.bench import datasets, environment
from gmvae.bench.datasets import arcs, mnist
from gmvae.bench.errors import DataError
from gmvae.bench.idx import read_idx
from gmvae.bench.prepare import prepare


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
        name: replace(getattr(mnist.SOURCE, name), content_sha256=None)
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


def test_checksums_guard_the_real_mnist(small_mnist, monkeypatch):
    root, arrays = small_mnist
    monkeypatch.undo()
    monkeypatch.setenv("GMVAE_DATA_DIR", str(root))
    (root / "mnist").mkdir()
    for name, array in arrays.items():
        (root / "mnist" / name).write_bytes(idx_bytes(array))
    with pytest.raises(DataError, match=r"wrong content: SHA-256 \(decompressed\) should be ba89"):
        datasets.load("mnist")


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
        (lambda b: b[: len(b) // 2], r"header declares 15,680 bytes.*only 7,\d+ are there"),
        (lambda b: b + b"x", "but more follow"),
        (lambda b: b"", "begins with nothing"),
        (lambda b: b[:7], "ends within its header"),
        (lambda b: b"PK\x03\x04" + b, "begins with 50 4b 03 04"),
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


def test_truncated_gzip(tmp_path):
    path = tmp_path / "images.gz"
    packed = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (20, 28, 28))))
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataError, match=r"images\.gz cannot be read"):
        read_idx(path)


def test_a_small_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path):
    path = tmp_path / "images.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">BBBB1I", 0, 0, 8, 1, 100))
        for _ in range(64):
            file.write(bytes(1 << 20))
    with pytest.raises(DataError, match=r"declares 100 bytes of data.*more follow"):
        read_idx(path)


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
        ({"X": np.zeros((20, 2), int)}, "should be uint8.*but is int64"),
        ({"X": np.ones((20, 2), np.uint8)}, r"holds nothing above 1; .*astype\('float32'\)"),
        ({"X": np.zeros(20)}, r"should have the shape \(samples, ...\).*but has \(20,\)"),
        ({"X": np.zeros((3, 2))}, "at least 10 samples"),
        ({"X": np.full((20, 2), np.nan)}, "NaN or infinite"),
        ({"X": np.full((20, 2), 1e300)}, "NaN or infinite"),
        ({"X": np.zeros((20, 2)), "y": np.zeros(19, int)}, "one integer or string for each"),
        ({"X": np.zeros((20, 2)), "y": np.zeros(20)}, "type float64"),
        ({"X": np.zeros((20, 2)), "X_test": np.zeros((20, 3))}, "shape and type of the training"),
        ({"X": np.array([{}] * 20)}, "without unpickling"),
    ],
)
def test_npz_that_cannot_be_used(tmp_path, arrays, message):
    path = save(tmp_path / "mine.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        datasets.load("mine", npz=path)
    assert str(path) in str(caught.value)


def test_npz_that_is_not_there_or_not_one(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        datasets.load("mine", npz=tmp_path / "no.npz")
    path = tmp_path / "bad.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as"):
        datasets.load("mine", npz=path)


def test_prepared_files_keep_images_and_labels_apart(tmp_path):
    line = prepare("digits", None, tmp_path)
    assert line == "digits: 1,437 training and 360 test samples of 8x8, uint8"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "test-images.npy",
        "test-labels.npy",
        "train-images.npy",
        "train-labels.npy",
    ]
    assert np.load(tmp_path / "train-images.npy").dtype == np.uint8


def test_data_folder_of_the_environment_comes_first(monkeypatch):
    monkeypatch.setenv(environment.DATA_DIR_VARIABLE, "/somewhere")
    assert str(mnist.SOURCE.candidates()[0]) == "/somewhere/mnist"
