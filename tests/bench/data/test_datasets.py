"""Data sets of the package, their splits, and the files prepared from them."""

import numpy as np
import pytest

from gmvae.bench import data as datasets
from gmvae.bench.data import arcs
from gmvae.bench.data.prepare import prepare
from gmvae.bench.disk.errors import DataError


def test_mnist5k_and_digits_are_split_with_the_same_share_of_each_class():
    for name, n_train, n_test in (("mnist5k", 4000, 1000), ("digits", 1437, 360)):
        data = datasets.load(name)
        assert data.train.images.dtype == np.uint8
        assert data.train.images.max() == 255
        assert (len(data.train.images), len(data.test.images)) == (n_train, n_test)
        shares = [np.bincount(part.labels) / len(part.labels) for part in (data.train, data.test)]
        np.testing.assert_allclose(*shares, atol=0.003)
        order = data.train.labels
        assert np.mean(order[1:] == order[:-1]) < 0.2, "the order should not give the labels away"
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


def test_data_sets_of_the_package_are_neither_readers_nor_the_data_step():
    names = set(datasets.available())
    assert names >= {"arcs", "digits", "fashion_mnist", "mnist", "mnist5k"}
    assert not names & {"prepare", "readers", "__init__"}


def test_unknown_name():
    with pytest.raises(DataError, match="unknown data set 'mnits'; choose one of: arcs, digits"):
        datasets.load("mnits")


def test_prepared_files_keep_images_and_labels_apart(tmp_path):
    line = prepare("digits", None, tmp_path)
    assert line == "digits: 1,437 training and 360 test samples of 8x8, uint8"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "classes.json",
        "data.sha256",
        "test-images.npy",
        "test-labels.npy",
        "train-images.npy",
        "train-labels.npy",
    ]
    assert np.load(tmp_path / "train-images.npy").dtype == np.uint8
