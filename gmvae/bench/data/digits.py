"""1,797 handwritten digits of 8x8 pixels from scikit-learn: no network needed."""

import numpy as np

from gmvae.bench.data import Dataset, split_off_test

N_TEST = 360
LARGEST_VALUE = 16
TRAIN_SHAPE = (1437, 8, 8)


def load() -> Dataset:
    """Read the digits from the installed package: 1,437 + 360, stratified."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / LARGEST_VALUE)).astype(np.uint8)
    return split_off_test(images, digits.target.astype(np.int64), N_TEST)
