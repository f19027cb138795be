"""One contract for every data set that needs no download."""

import numpy as np
import pytest

from gmvae.bench import data as datasets

NAMES = [name for name in datasets.available() if name not in ("mnist", "fashion_mnist")]


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_is_as_the_benchmark_needs_it(name):
    data, again = datasets.load(name), datasets.load(name)
    n_classes = 0 if data.train.labels is None else int(data.train.labels.max()) + 1
    for split, same in ((data.train, again.train), (data.test, again.test)):
        images, labels = split.images, split.labels
        assert images.ndim >= 2
        assert images.dtype in (np.uint8, np.float32)
        assert np.isfinite(images).all()
        assert images.shape[1:] == data.train.images.shape[1:]
        np.testing.assert_array_equal(images, same.images, "it should be the same each time")
        assert (labels is None) == (data.train.labels is None)
        if labels is not None:
            assert labels.shape == images.shape[:1]
            assert labels.dtype.kind == "i"
            assert labels.min() >= 0
            assert labels.max() < n_classes
    assert len(data.class_names) in (0, n_classes)
