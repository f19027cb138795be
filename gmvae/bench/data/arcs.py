"""The paper's synthetic data (arXiv:1611.02648v2, section 4.1): points on the arcs of 5 circles."""

import numpy as np
from numpy.typing import NDArray

from gmvae.bench.data import Dataset, Split

SEED = 0
N_TRAIN, N_TEST = 10_000, 2_000
TRAIN_SHAPE = (N_TRAIN, 2)
N_ARCS = 5
RADIUS = 1.0
CENTRE_DISTANCE = 1.6
ARC_ANGLE = 0.9 * np.pi
NOISE = 0.05


def load() -> Dataset:
    """Generate 10,000 + 2,000 points, the same ones each time."""
    random = np.random.default_rng(SEED)
    return Dataset(arcs(N_TRAIN, random), arcs(N_TEST, random))


def arcs(n_points: int, random: np.random.Generator) -> Split:
    """Draw points spread evenly over five arcs, with a little Gaussian noise.

    Parameters
    ----------
    n_points : int
    random : numpy.random.Generator

    Returns
    -------
    Split
        float32 of shape (n_points, 2), and the arc of each point.
    """
    labels = random.permutation(np.arange(n_points) % N_ARCS)
    direction = 2 * np.pi * labels / N_ARCS
    centre = CENTRE_DISTANCE * unit(direction)
    angle = direction + ARC_ANGLE * (random.random(n_points) - 0.5) + np.pi / 2
    noise = NOISE * random.standard_normal((n_points, 2))
    points = centre + RADIUS * unit(angle) + noise
    return Split(points.astype(np.float32), labels.astype(np.int64))


def unit(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors, shape (..., 2), at angles in radians."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
