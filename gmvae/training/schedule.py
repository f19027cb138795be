"""Learning-rate schedules."""

from __future__ import annotations

import math


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
