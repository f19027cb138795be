"""Length of a training, and the course of its learning rate."""

from __future__ import annotations

import math
import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

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


def warn_if_short(estimator: Any, n_samples: int) -> None:
    """Warn if a training, with its autoencoder's if it has one, has few steps (`LEAST_STEPS`).

    Parameters
    ----------
    estimator : NetworkClusterer
        With ``epochs_`` and ``batch_size``, and perhaps ``pretrain_epochs``. These do not count for
        GMVAE, which has ``init_``: its autoencoder does not train the components.
    n_samples : int
        A data set smaller than a batch is one batch.
    """
    batch_size, before = estimator.batch_size, getattr(estimator, "pretrain_epochs", 0)
    if hasattr(estimator, "init_"):
        before = 0
    n_steps = (estimator.epochs_ + before) * max(1, n_samples // batch_size)
    if n_steps < LEAST_STEPS:
        enough = enough_epochs(1, n_samples, batch_size)
        warnings.warn(
            f"epochs={estimator.epochs_} is a short training: clusters are rarely found with less "
            f"than {LEAST_STEPS} steps, and this one has {n_steps}; try epochs={enough} or more, a "
            f"smaller batch_size than {batch_size}, or leave epochs out",
            ConvergenceWarning,
            stacklevel=3,
        )
