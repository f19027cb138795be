"""NAME: points around four centres, to be replaced by your data.

This file is the data set ``NAME`` of a config: it is found by its name, and nothing has to be
registered. Data in a file of a common format need no code (``config/README.md``).
"""

import numpy as np

from gmvae.bench.data import Dataset, split_off_test

CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
N_SAMPLES, N_TEST = 1000, 200


def load() -> Dataset:
    """Make the points, the same each time."""
    random = np.random.default_rng(0)
    # Classes, numbered from 0. They are for the scores alone: no method gets to see them.
    labels = np.arange(N_SAMPLES) % len(CENTRES)
    # float32 vectors (N, n_features), or uint8 images (N, height, width[, channels]).
    points = CENTRES[labels] + random.standard_normal((N_SAMPLES, 2))
    # If there is a split already, return Dataset(Split(images, labels), Split(images, labels)).
    return split_off_test(points.astype(np.float32), labels, n_test=N_TEST)
