"""Length of a training, and the course of its learning rate."""

from __future__ import annotations

import math

LEAST_STEPS = 200
"""Steps of a training whose length is left to us, at least; see study 3 of docs/method.md."""


def learning_rate_at(initial: float, schedule: str, progress: float, epochs: int) -> float:
    """Learning rate after `progress` epochs.

    Parameters
    ----------
    initial : float
        Learning rate at the start.
    schedule : {"constant", "cosine"}
        "cosine" lowers it to zero over the training.
    progress : float
        Number of finished epochs, with fractions.
    epochs : int
        Length of the training.
    """
    if schedule == "constant":
        return initial
    return initial * 0.5 * (1 + math.cos(math.pi * progress / epochs))


def enough_epochs(at_least: int, n_samples: int, batch_size: int) -> int:
    """Number of epochs that has `LEAST_STEPS` steps or more.

    Parameters
    ----------
    at_least : int
        Number of epochs that is enough for many samples.
    n_samples, batch_size : int
        A smaller data set is one batch.
    """
    per_epoch = max(1, n_samples // batch_size)
    return max(at_least, math.ceil(LEAST_STEPS / per_epoch))
